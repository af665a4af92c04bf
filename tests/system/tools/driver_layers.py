"""Makes the archives of drivers.bats: driver_layers.py DIRECTORY. Every directory is described, so that the same archive gives
the same tree whenever it is unpacked."""
import io
import os
import sys
import tarfile

out = sys.argv[1]
TIME = 1500000000


def entry(name, kind=tarfile.REGTYPE, mode=0o644, link="", uid=0, gid=0, dev=(0, 0), data=None, mtime=TIME, pax=None):
    t = tarfile.TarInfo(name)
    t.type, t.mode, t.linkname, t.mtime, t.uid, t.gid = kind, mode, link, mtime, uid, gid
    t.devmajor, t.devminor = dev
    t.pax_headers = {k: v for k, v in (pax or {}).items()}
    t.size = len(data or b"")
    return t, data


def folder(name, mode=0o755, **kw):
    return entry(name, tarfile.DIRTYPE, mode, **kw)


def file(name, data=b"x", **kw):
    return entry(name, data=data, **kw)


def write(name, *entries):
    with tarfile.open(os.path.join(out, name), "w", format=tarfile.PAX_FORMAT, encoding="utf-8", errors="surrogateescape") as tar:
        for t, data in entries:
            tar.addfile(t, io.BytesIO(data) if data is not None else None)


# What every container is given is in the image: the init layer adds nothing, and exports are the same each time.
init = [folder("dev"), folder("dev/pts"), folder("dev/shm"), file("dev/console", b""), folder("proc"), folder("sys"), folder("etc"),
        file("etc/hosts", b""), file("etc/hostname", b""), file("etc/resolv.conf", b""),
        entry("etc/mtab", tarfile.SYMTYPE, 0o777, "/proc/mounts"), file(".dockerenv", b"")]
capability = b"\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00".decode("latin-1")
write("base.tar", folder("./"), *init, file("etc/passwd", b"root:x:0:0::/root:/bin/sh\n"), file("etc/gone", b"1"),
      folder("usr"), folder("usr/bin"), file("usr/bin/tool", b"tool" * 3000, mode=0o4755, uid=7, gid=70000),
      entry("usr/bin/second", tarfile.LNKTYPE, link="usr/bin/tool"), entry("bin", tarfile.SYMTYPE, 0o777, "usr/bin"),
      file("usr/bin/able", b"able", mode=0o755, pax={"SCHILY.xattr.security.capability": capability}),
      folder("opt", 0o2770, uid=7, gid=8, mtime=1111111111.25, pax={"SCHILY.xattr.user.of": "opt"}), file("opt/old", b"old"),
      folder("opt/sub", 0o1777), file("opt/sub/a", b"a"), file("opt/sub/b", b"b"), folder("turned"), file("turned/in", b"in"),
      file("turns", b"file"), entry("pipe", tarfile.FIFOTYPE, 0o600), entry("null", tarfile.CHRTYPE, 0o666, dev=(1, 3)),
      entry("disk", tarfile.BLKTYPE, 0o660, dev=(259, 70000)), file("big", bytes(range(256)) * 1200),
      file("tail", b"t" * 4097), file("block", b"b" * 4096), file("empty", b""), file("huge-id", b"h", uid=3000000000),
      folder("many"), *[file(f"many/{'n' * (i % 60)}{i:04}", b"%d" % i) for i in range(400)],
      folder("odd"), file("odd/!first", b"1"), file("odd/-", b"2"), file("odd/\udcff\udcfe", b"3"), file("odd/ä", b"4"),
      file("odd/" + "l" * 255, b"5", pax={"SCHILY.xattr.user.long": "v" * 2000}),
      entry("odd/link", tarfile.SYMTYPE, 0o777, "t" * 3000))
write("change.tar", folder("./"), folder("etc"), file("etc/.wh.gone", b""), file("etc/new", b"new", mtime=1600000000.5),
      folder("opt", 0o700), folder("opt/sub"), file("opt/sub/.wh..wh..opq", b""), file("opt/sub/c", b"c"), file(".wh.many", b""),
      file("turned", b"now a file"), file(".wh.turns", b""), folder("turns"), file("turns/below", b"1"))
write("again.tar", folder("./"), folder("etc"), file("etc/gone", b"back"), folder("many"), file("many/one", b"1"), folder("usr"),
      folder("usr/bin"), entry("usr/bin/third", tarfile.LNKTYPE, link="usr/bin/tool"))
for i in range(int(os.environ.get("LAYERS", "130"))):
    write(f"step{i}.tar", folder("./"), folder("steps"), file(f"steps/{i}", b"%d" % i), file("last", b"%d" % i),
          *([file(f"steps/.wh.{i - 10}", b"")] if i >= 10 else []))
