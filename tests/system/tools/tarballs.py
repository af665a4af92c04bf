"""Makes the archives of storage.bats: tarballs.py DIRECTORY. Standard library only."""
import gzip
import io
import os
import sys
import tarfile

out = sys.argv[1]


def info(name, kind=tarfile.REGTYPE, size=0, mode=0o644, link="", mtime=1000000000, uid=0, gid=0, pax=None, dev=(0, 0)):
    t = tarfile.TarInfo(name)
    t.type, t.size, t.mode, t.linkname, t.mtime, t.uid, t.gid = kind, size, mode, link, mtime, uid, gid
    t.devmajor, t.devminor = dev
    t.pax_headers = pax or {}
    return t


def write(name, *entries):
    """Each entry: (TarInfo, data or None)."""
    with tarfile.open(os.path.join(out, name), "w", format=tarfile.PAX_FORMAT, encoding="utf-8",
                      errors="surrogateescape") as tar:
        for entry, data in entries:
            if data is not None:
                entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data) if data is not None else None)


def d(name, **kw):
    return info(name, tarfile.DIRTYPE, mode=kw.pop("mode", 0o755), **kw), None


def f(name, data=b"x", **kw):
    return info(name, **kw), data


def sym(name, target):
    return info(name, tarfile.SYMTYPE, link=target, mode=0o777), None


def hard(name, target):
    return info(name, tarfile.LNKTYPE, link=target), None


def node(name, kind, major, minor):
    return info(name, kind, dev=(major, minor)), None


# A base image and what may stand on it.
write("base.tar", d("./", mode=0o755, uid=5), d("etc"), f("etc/passwd", b"root:x:0:0::/root:/bin/sh\n"), f("etc/gone", b"1"),
      d("opt", mode=0o2770, uid=7, gid=8, mtime=1111111111), f("opt/old", b"old"), d("dir"), f("dir/a", b"a"), f("dir/b", b"b"),
      d("usr"), d("usr/lib"), f("usr/lib/lib.so", b"library", mode=0o4755, uid=9), sym("lib", "usr/lib"),
      sym("etc/abs", "/etc/passwd"), sym("etc/loop", "loop"), sym("etc/up", "../../../../../etc/passwd"),
      info("etc/pipe", tarfile.FIFOTYPE) and (info("etc/pipe", tarfile.FIFOTYPE), None), d("empty"))
write("whiteouts.tar", d("etc"), f("etc/.wh.gone", b""), d("dir"), f("dir/.wh..wh..opq", b""), f("dir/c", b"c"),
      f(".wh.usr", b""), f("usr/new", b"new"), f(".wh..wh.plnk", b""), f("empty/.wh.nothing", b""))
# Directories that are used but not described, and a hard link into the layer below.
write("implied.tar", f("opt/new", b"new"), hard("opt/lib-link", "usr/lib/lib.so"), f("fresh/deep/x", b"x"))
# So many in one directory that the one below is read as a whole; some are there, one was and is removed.
write("many-below.tar", d("var"), *(d(f"var/{i}", mode=0o701, uid=i) for i in range(0, 300, 7)), f("var/3", b"no directory"))
write("many-between.tar", f("var/.wh.140", b""))
write("many-implied.tar", *(f(f"var/{i}/x/file", b"x") for i in range(300)))
write("link-to-nothing.tar", hard("a", "not/there"))
write("link-before.tar", hard("a", "b"), f("b", b"later"))
write("order.tar", f("x/y/z", b"z"), d("x", mode=0o700, mtime=1222222222), d("x/y", mode=0o711, mtime=1333333333))
write("replace.tar", d("a"), f("a/1", b"1"), f("a", b"file now"), f("b", b"file"), d("b"), f("b/2", b"2"), sym("c", "b"),
      d("c"), f("c/3", b"3"), d("e"), f("e/4", b"4"), sym("e", "b"), f("e/5", b"5"))

# Attributes and shapes.
long_name = "/".join(["d" * 100] * 12) + "/" + "n" * 200
write("shapes.tar", f(long_name, b"long"), f("huge-id", b"", uid=4000000000, gid=3000000000),
      f("time", b"", mtime=1234567890.125), f("before-1970", b"", mtime=-1.5), f("setuid", b"", mode=0o6755, uid=3),
      node("null", tarfile.CHRTYPE, 1, 3), node("disk", tarfile.BLKTYPE, 259, 70000), (info("fifo", tarfile.FIFOTYPE), None),
      f("dekomponiert-a\u0308", b"nfd"), f("latin-\udce4", b"bytes"), sym("dangling", "no/where"), hard("symlink-2", "dangling"),
      f("xattr", b"", pax={"SCHILY.xattr.user.note": "hello", "SCHILY.xattr.trusted.keep": "1",
                           "SCHILY.xattr.trusted.overlay.opaque": "y", "SCHILY.xattr.user.overlay.redirect": "/etc",
                           "SCHILY.xattr.security.selinux": "label"}),
      f("cap", b"", pax={"SCHILY.xattr.security.capability":
                         b"\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00".decode()}),
      f("big", b"q" * 1000003))

# Hostile: name → the archive; each has to be refused or to stay inside.
S = os.path.join(out, "sentinel")
write("evil-dotdot.tar", f("../sentinel/file", b"evil"))
write("evil-dotdot-deep.tar", d("a"), f("a/../../../../../../../../../../../../" + S + "/file", b"evil"))
write("evil-absolute.tar", f(S + "/file", b"evil"))
write("evil-symlink.tar", sym("a", S), f("a/file", b"evil"))
write("evil-symlink-rel.tar", sym("a", "../../../../../../../../../../.." + S), f("a/file", b"evil"))
write("evil-symlink-chain.tar", sym("a", "/"), sym("b", "a" + S), f("b/file", b"evil"))
write("evil-hardlink.tar", hard("a", S + "/file"), f("a", b"evil"))
write("evil-hardlink-symlink.tar", sym("s", S + "/file"), hard("h", "s"), f("h", b"evil"))
write("evil-symlink-chmod.tar", sym("d", S), info("d", tarfile.DIRTYPE, mode=0o777) and (info("d", tarfile.DIRTYPE, mode=0o777), None))
write("evil-whiteout-dotdot.tar", f("a/.wh...", b""))
write("evil-whiteout-dot.tar", f("a/.wh..", b""))
write("evil-whiteout-empty.tar", f("a/.wh.", b""))
write("evil-whiteout-dir.tar", f(".wh./x", b""))
write("evil-whiteout-symlink.tar", sym("a", S), f("a/.wh.file", b""))
write("evil-opaque-symlink.tar", sym("a", S), f("a/.wh..wh..opq", b""))
write("evil-device-0.tar", node("etc", tarfile.CHRTYPE, 0, 0))
write("evil-xattr-flood.tar", f("a", b"", pax={f"SCHILY.xattr.user.n{i}": "v" for i in range(600)}))
write("evil-xattr-large.tar", f("a", b"", pax={"SCHILY.xattr.user.n": "v" * 70000}))
write("evil-long-name.tar", f("/".join(["d" * 200] * 30), b""))
write("evil-long-component.tar", f("n" * 300, b""))
write("evil-uid.tar", f("a", b"", pax={"uid": "4294967295"}))
write("evil-pax-number.tar", f("a", b"", pax={"size": "12x"}))


def raw(name, change, data=b""):
    """One header of a file "a" with bytes changed, its checksum made right."""
    h = bytearray(info("a", size=len(data)).tobuf(tarfile.GNU_FORMAT))
    change(h)
    h[148:156] = b" " * 8
    h[148:156] = b"%06o\0 " % sum(h)
    with open(os.path.join(out, name), "wb") as file:
        file.write(bytes(h) + data + b"\0" * (-len(data) % 512) + b"\0" * 1024)


def put(at, data):
    def change(h):
        h[at:at + len(data)] = data
    return change


raw("evil-size-negative.tar", put(124, b"\xff" * 12))
raw("evil-size-huge.tar", put(124, b"\x80" + b"\0" * 3 + b"\x7f" + b"\xff" * 7))
raw("evil-type.tar", put(156, b"Q"))


def sparse(real, segments):
    def change(h):
        h[156:157] = b"S"
        for i, (offset, length) in enumerate(segments):
            h[386 + 24 * i:386 + 24 * i + 24] = b"%011o\0%011o\0" % (offset, length)
        h[483:495] = b"%011o\0" % real
    return change


raw("sparse-gnu.tar", sparse(1 << 20, [(4096, 4), (1 << 19, 3), (1 << 20, 0)]), b"abcdefg")
raw("evil-sparse-overlap.tar", sparse(1 << 20, [(4096, 4), (4098, 3)]), b"abcdefg")
raw("evil-sparse-beyond.tar", sparse(100, [(4096, 7)]), b"abcdefg")
raw("evil-sparse-short.tar", sparse(1 << 20, [(0, 3)]), b"abcdefg")
raw("evil-sparse-long.tar", sparse(1 << 20, [(0, 100)]), b"abcdefg")

base = open(os.path.join(out, "base.tar"), "rb").read()
broken = bytearray(base)
broken[700] ^= 0xff
for name, data in {
        "evil-truncated.tar": base[:1900], "evil-header.tar": base[:1024 * 2] + b"garbage" * 100,
        "evil-no-tar.tar": b"this is no tar archive at all, but long enough to be a header" * 20,
        "evil-truncated.tar.gz": gzip.compress(base)[:-30], "evil-checksum.tar.gz": gzip.compress(base)[:-8] + b"\0" * 8,
        "evil-garbage.tar.gz": gzip.compress(base) + b"garbage",
        "evil-xz.tar": b"\xfd7zXZ\0" + b"\0" * 100,
        "empty.tar": b"", "base.tar.gz": gzip.compress(base), "members.tar.gz":
        gzip.compress(base[:1000]) + gzip.compress(base[1000:]) + b"\0" * 512}.items():
    with open(os.path.join(out, name), "wb") as file:
        file.write(data)
# 40 MB of zeros in a few bytes.
with gzip.open(os.path.join(out, "bomb.tar.gz"), "wb", 9) as file:
    file.write(info("zeros", size=40 << 20).tobuf(tarfile.GNU_FORMAT) + bytes(40 << 20) + bytes(1024))
write("many.tar", *[f(f"n{i}", b"") for i in range(200)])
# As deep as a name can be, and a sibling of everything to be removed with it.
write("deep.tar", f("/".join(["d"] * 2000) + "/x", b"x"), f("d/y", b"y"))
