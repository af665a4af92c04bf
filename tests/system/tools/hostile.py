"""Makes hostile and foreign archives for hostile.bats. Standard library only (zstd: the program, if there is one).

    hostile.py layers DIRECTORY SENTINEL   layers that want out or want too much; DIRECTORY/expected says of each
                                           "NAME refuse PATTERN", or "NAME inside": it may be unpacked, but inside
    hostile.py forms DIRECTORY             one tree in every form that tar programs and builders give it
    hostile.py images DIRECTORY            archives of docker save with metadata of the worst kind; DIRECTORY/expected likewise
    hostile.py mutate DIRECTORY SEED N     N layers changed by chance, made of those in DIRECTORY/seeds, to standard output's names
"""
import gzip
import hashlib
import io
import json
import os
import random
import shutil
import struct
import subprocess
import sys
import zlib

BLOCK = 512
FILE, LINK, SYMLINK, CHAR, BLOCKDEV, DIR, FIFO = b"0", b"1", b"2", b"3", b"4", b"5", b"6"


def number(value, size):
    if value < 0 or value >= 8 ** (size - 1):  # base 256
        return bytes([0x80 if value >= 0 else 0xff]) + (value & (1 << 8 * (size - 1)) - 1).to_bytes(size - 1, "big")
    return b"%0*o\0" % (size - 1, value)


def header(name, kind=FILE, size=0, mode=0o644, link=b"", uid=0, gid=0, mtime=1000000000, major=0, minor=0, magic=b"ustar\x0000",
           prefix=b"", patch=()):
    h = bytearray(BLOCK)

    def put(at, data):
        h[at:at + len(data)] = data
    put(0, name[:100])
    for at, value in (100, mode), (108, uid), (116, gid):
        put(at, number(value, 8))
    put(124, number(size, 12))
    put(136, number(mtime, 12))
    put(156, kind)
    put(157, link[:100])
    put(257, magic)
    put(329, number(major, 8))
    put(337, number(minor, 8))
    put(345, prefix)
    for at, data in patch:
        put(at, data)
    h[148:156] = b" " * 8
    h[148:156] = b"%06o\0 " % sum(h)
    return bytes(h)


def pad(data):
    return data + bytes(-len(data) % BLOCK)


def records(pairs):
    out = b""
    for key, value in pairs:
        body = b" " + key + b"=" + value + b"\n"
        n = len(body) + 1
        while len(b"%d" % n) + len(body) != n:
            n = len(b"%d" % n) + len(body)
        out += b"%d" % n + body
    return out


def pax(*pairs, kind=b"x"):
    text = records(pairs)
    return header(b"PaxHeaders/x", kind, len(text)) + pad(text)


def gnu_long(kind, text):
    return header(b"././@LongLink", kind, len(text) + 1, magic=b"ustar  \0") + pad(text + b"\0")


def entry(name, data=b"", **kw):
    return header(name, size=len(data), **kw) + pad(data)


def d(name, **kw):
    return header(name, DIR, mode=kw.pop("mode", 0o755), **kw)


def sym(name, target):
    return header(name, SYMLINK, link=target, mode=0o777)


def hard(name, target):
    return header(name, LINK, link=target)


END = bytes(2 * BLOCK)


# ---- layers ----

def chains(s):
    """Ways by links, absolute and relative, one and many, to the sentinel."""
    up = b"../" * 20
    yield "link-absolute", sym(b"a", s) + entry(b"a/file", b"evil")
    yield "link-relative", sym(b"a", up + s[1:]) + entry(b"a/file", b"evil")
    yield "link-chain", sym(b"a", b"b") + sym(b"b", b"c") + sym(b"c", s) + entry(b"a/file", b"evil")
    yield "link-chain-up", sym(b"a", b"..") + sym(b"b", b"a/..") + sym(b"c", b"b/.." + s) + entry(b"c/file", b"evil")
    yield "link-by-parts", b"".join(sym(b"l" + str(i).encode(), b"/" + b"/".join(s.split(b"/")[1:i + 1])) for i in range(2, 5)) + \
        entry(b"l2/file", b"evil") + entry(b"l3/file", b"evil")
    yield "link-of-directory-later", d(b"a") + entry(b"a/x", b"1") + sym(b"a", s) + entry(b"a/file", b"evil")
    yield "link-then-directory", sym(b"a", s) + d(b"a", mode=0o777) + entry(b"a/file", b"evil")
    yield "link-as-root", sym(b"./", s) + entry(b"file", b"evil")
    yield "link-proc", sym(b"p", b"/proc/self/root") + entry(b"p" + s + b"/file", b"evil")
    yield "link-proc-fd", sym(b"p", b"/proc/self/fd/3") + entry(b"p/../../../../.." + s + b"/file", b"evil")
    yield "link-to-itself", sym(b"a", b"a") + entry(b"a/file", b"evil")
    yield "link-of-40", b"".join(sym(b"l%d" % i, b"l%d" % (i + 1)) for i in range(60)) + entry(b"l0/file", b"evil")
    yield "link-device", sym(b"a", s) + header(b"a/null", CHAR, major=1, minor=3)
    yield "link-fifo", sym(b"a", s) + header(b"a/fifo", FIFO)
    yield "link-over-file", sym(b"a", s + b"/file") + entry(b"a", b"evil")
    yield "link-mode", sym(b"a", s + b"/file") + header(b"a", FILE, mode=0o4777)
    yield "link-xattr", sym(b"a", s) + pax((b"SCHILY.xattr.user.evil", b"1")) + d(b"a/.")
    yield "link-time", sym(b"a", s) + d(b"a/", mtime=1)
    yield "hard-absolute", hard(b"a", s + b"/file") + entry(b"a", b"evil")
    yield "hard-relative", hard(b"a", up + s[1:] + b"/file") + entry(b"a", b"evil")
    yield "hard-of-link", sym(b"s", s + b"/file") + hard(b"h", b"s") + entry(b"h", b"evil")
    yield "hard-below-link", sym(b"s", s) + hard(b"h", b"s/file") + entry(b"h", b"evil")
    yield "hard-then-append", sym(b"s", s) + hard(b"s/new", b"s")
    yield "hard-of-directory-link", sym(b"s", s) + hard(b"h", b"s") + entry(b"h/file", b"evil")
    yield "hard-to-root", hard(b"h", b"/")
    yield "hard-loop", hard(b"a", b"b") + hard(b"b", b"a")
    yield "hard-to-itself", entry(b"a", b"1") + hard(b"a", b"a")
    yield "whiteout-by-link", sym(b"a", s) + entry(b"a/.wh.file")
    yield "opaque-by-link", sym(b"a", s) + entry(b"a/.wh..wh..opq")
    yield "whiteout-of-link", sym(b"a", s) + entry(b".wh.a") + entry(b"a/file", b"evil")
    yield "whiteout-is-directory", d(b".wh.a") + entry(b"b", b"1")
    yield "whiteout-is-link", sym(b".wh.a", s) + entry(b"a/file", b"evil")
    yield "whiteout-hard", hard(b".wh.a", s + b"/file")
    yield "whiteout-of-root", entry(b".wh..wh..opq") + entry(b"a", b"1")
    yield "whiteout-and-file", entry(b"a", b"1") + entry(b".wh.a") + hard(b"b", b"a")
    yield "global-header", pax((b"path", s + b"/file"), (b"linkpath", s), kind=b"g") + entry(b"a", b"evil")


REFUSED = "refuse"


def refused(s):
    dots = b"/".join([b".."] * 25)
    yield "dots", entry(b"../x", b"evil"), "leads out of the layer"
    yield "dots-deep", entry(b"a/" + dots + s + b"/file", b"evil")[:0] + pax((b"path", b"a/" + dots + s + b"/file")) + \
        entry(b"a", b"evil"), "leads out of the layer"
    yield "dots-in-link-target", hard(b"a", b"../x"), "leads out of the layer"
    yield "dots-gnu", gnu_long(b"L", b"../" * 30 + b"x") + entry(b"a", b"evil"), "leads out of the layer"
    yield "dots-prefix", entry(b"x", b"evil", prefix=b"../.."), "leads out of the layer"
    yield "dots-sparse-name", pax((b"GNU.sparse.major", b"1"), (b"GNU.sparse.minor", b"0"), (b"GNU.sparse.name", b"../x"),
                                  (b"GNU.sparse.realsize", b"4")) + entry(b"a", pad(b"0\n")), "leads out|map"
    yield "whiteout-dots", entry(b"a/.wh..."), "whiteout of no name"
    yield "whiteout-dot", entry(b"a/.wh.."), "whiteout of no name"
    yield "whiteout-nothing", entry(b".wh."), "whiteout of no name"
    yield "whiteout-on-the-way", entry(b".wh.a/b", b"1"), "named like a whiteout"
    yield "whiteout-opaque-on-the-way", entry(b".wh..wh..opq/b", b"1"), "named like a whiteout"
    yield "device-0-0", header(b"etc", CHAR), "device 0:0"
    yield "device-huge", header(b"a", CHAR, major=4096), "out of range"
    yield "device-negative", header(b"a", BLOCKDEV, minor=-1), "out of range"
    yield "path-4096", pax((b"path", b"/".join([b"d" * 63] * 65))) + entry(b"a"), "too long"
    yield "path-huge", pax((b"path", b"x/" * 500000)) + entry(b"a"), "too long"
    yield "path-gnu-huge", gnu_long(b"L", b"x/" * 500000) + entry(b"a"), "too long"
    yield "name-256", pax((b"path", b"n" * 256)) + entry(b"a"), "longer than 255"
    yield "path-nul", pax((b"path", b"a\0b")) + entry(b"a"), "NUL"
    yield "link-empty", sym(b"a", b""), "symbolic link to nothing"
    yield "link-4096", pax((b"linkpath", b"x" * 4096)) + sym(b"a", b"x"), "too long"
    yield "pax-huge", header(b"x", b"x", 8 << 30), "too long"
    yield "pax-negative", header(b"x", b"x", -1), "too long|negative"
    yield "pax-damaged", header(b"x", b"x", 9) + pad(b"99 a=b\nxx") + entry(b"a"), "damaged extended header"
    yield "pax-length-overflow", header(b"x", b"x", 30) + pad(b"99999999999999999999999 a=bcd\n") + entry(b"a"), "damaged"
    yield "pax-size-negative", pax((b"size", b"-1")) + entry(b"a"), "no number"
    yield "pax-size-overflow", pax((b"size", b"9" * 30)) + entry(b"a"), "no number"
    yield "pax-uid-overflow", pax((b"uid", b"4294967295")) + entry(b"a"), "out of range"
    yield "pax-uid-negative", pax((b"uid", b"-1")) + entry(b"a"), "no number"
    yield "pax-time", pax((b"mtime", b"1e9")) + entry(b"a"), "no time"
    yield "xattrs-600", pax(*((b"SCHILY.xattr.user.n%d" % i, b"v") for i in range(600))) + entry(b"a"), "more than 512"
    yield "xattr-large", pax((b"SCHILY.xattr.user.n", b"v" * 70000)) + entry(b"a"), "too long"
    yield "xattr-name", pax((b"SCHILY.xattr.user." + b"n" * 300, b"v")) + entry(b"a"), "impossible name"
    yield "xattr-capability-broken", pax((b"SCHILY.xattr.security.capability", b"junk")) + entry(b"a"), "security.capability has an impossible value"
    yield "size-huge", header(b"a", size=(1 << 63) - 1), "impossible|limit"
    yield "size-beyond-limit", header(b"a", size=1 << 50), "limit"
    yield "size-negative", header(b"a", size=-5), "negative"
    yield "size-not-there", header(b"a", size=1 << 20), "truncated"
    yield "global-huge", header(b"g", b"g", (1 << 63) - 1), "impossible"
    yield "volume-label-huge", header(b"g", b"V", 1 << 62), "impossible|truncated"
    yield "type-unknown", header(b"a", b"Q"), "aren't known"
    yield "root-is-file", entry(b"./", b"1"), "has to be a directory"
    yield "below-a-file", entry(b"a", b"1") + entry(b"a/b", b"1"), "no directory"
    yield "below-a-device", header(b"a", CHAR, major=1, minor=3) + entry(b"a/b", b"1"), "no directory"
    yield "checksum", entry(b"a")[:-BLOCK] + bytes([1]) + bytes(511), "checksum"
    for name, real, segments in (("overlap", 1 << 20, [(0, 4), (2, 4)]), ("backwards", 1 << 20, [(8, 4), (0, 4)]),
                                 ("beyond", 4, [(8, 8)]), ("short", 1 << 20, [(0, 4)]), ("long", 1 << 20, [(0, 800)]),
                                 ("wrap", 1 << 20, [((1 << 63) - 4, 8)]), ("negative", 1 << 20, [(-8, 8)]),
                                 ("real-negative", -1, [(0, 8)]), ("real-huge", 1 << 62, [(0, 8)])):
        fields = b"".join(number(o, 12) + number(n, 12) for o, n in segments)
        yield "sparse-" + name, header(b"a", b"S", 8, magic=b"ustar  \0", patch=[(386, fields), (483, number(real, 12))]) + \
            pad(b"abcdefgh"), "sparse|limit|number"
    for name, pairs, data in (
            ("map-odd", [(b"GNU.sparse.map", b"0,1,2"), (b"GNU.sparse.size", b"9")], b"a"),
            ("map-words", [(b"GNU.sparse.map", b"a,b"), (b"GNU.sparse.size", b"9")], b"a"),
            ("length-first", [(b"GNU.sparse.numbytes", b"1"), (b"GNU.sparse.size", b"9")], b"a"),
            ("no-size", [(b"GNU.sparse.map", b"0,1")], b"a"),
            ("version", [(b"GNU.sparse.major", b"2"), (b"GNU.sparse.realsize", b"9")], b"a"),
            ("data-count", [(b"GNU.sparse.major", b"1"), (b"GNU.sparse.realsize", b"9")], b"99999999999999\n" + bytes(497)),
            ("data-cut", [(b"GNU.sparse.major", b"1"), (b"GNU.sparse.realsize", b"9")], b"1\n0"),
            ("data-line", [(b"GNU.sparse.major", b"1"), (b"GNU.sparse.realsize", b"9")], b"1" * 512)):
        yield "sparse-" + name, pax(*pairs) + entry(b"a", data), "sparse|number"


def make_layers(out, sentinel):
    s = os.fsencode(sentinel)
    with open(os.path.join(out, "expected"), "w") as expected:
        for name, data in chains(s):
            write(out, name, data + END)
            print(name, "inside", file=expected)
        for name, data, pattern in refused(s):
            write(out, name, data + END)
            print(name, REFUSED, pattern, file=expected)


def write(out, name, data):
    with open(os.path.join(out, name), "wb") as file:
        file.write(data)


# ---- forms ----

CONTENT = b"first line\n" * 3000


def member(data, flags=0, extra=b"", name=b"a name", comment=b"a comment"):
    h = b"\x1f\x8b\x08" + bytes([flags]) + struct.pack("<I", 1000000000) + b"\0\xff"
    if flags & 4:
        h += struct.pack("<H", len(extra)) + extra
    if flags & 8:
        h += name + b"\0"
    if flags & 16:
        h += comment + b"\0"
    if flags & 2:
        h += struct.pack("<H", zlib.crc32(h) & 0xffff)
    z = zlib.compressobj(9, zlib.DEFLATED, -15)
    return h + z.compress(data) + z.flush() + struct.pack("<II", zlib.crc32(data), len(data) & 0xffffffff)


def zstd(data, *options):
    return subprocess.run(["zstd", "-q", "-c", *options], input=data, stdout=subprocess.PIPE, check=True).stdout


def skippable(kind, data):
    return struct.pack("<II", 0x184d2a50 + kind, len(data)) + data


def plain_tree(**kw):
    return d(b"dir/", **kw) + entry(b"dir/file", CONTENT, **kw) + sym(b"link", b"dir/file") + hard(b"hard", b"dir/file") + entry(b"empty")


def make_forms(out):
    tree = plain_tree() + END
    third = len(tree) // 3 // BLOCK * BLOCK
    forms = {
        "plain": tree,
        "no-end": tree[:-2 * BLOCK],
        "one-zero-block": tree[:-BLOCK],
        "tape": tree + bytes(10240),
        "gnu-magic": plain_tree(magic=b"ustar  \0")[:0] + d(b"dir/", magic=b"ustar  \0") +
        entry(b"dir/file", CONTENT, magic=b"ustar  \0") + sym(b"link", b"dir/file") + hard(b"hard", b"dir/file") + entry(b"empty") + END,
        "v7": d(b"dir/", magic=b"\0" * 8) + header(b"dir/file", b"\0", len(CONTENT), magic=b"\0" * 8) + pad(CONTENT) +
        sym(b"link", b"dir/file") + hard(b"hard", b"dir/file") + entry(b"empty") + END,
        "v7-directory": header(b"dir/", b"\0", mode=0o755, magic=b"\0" * 8) + entry(b"dir/file", CONTENT) + sym(b"link", b"dir/file") +
        hard(b"hard", b"dir/file") + entry(b"empty") + END,
        "prefix": d(b"dir") + entry(b"file", CONTENT, prefix=b"dir") + sym(b"link", b"dir/file") + hard(b"hard", b"dir/file") +
        entry(b"empty") + END,
        "dot-slash": d(b"./dir") + entry(b"././dir//file", CONTENT) + sym(b"./link", b"dir/file") + hard(b"hard", b"./dir/file") +
        entry(b"/empty") + END,
        "pax-names": pax((b"path", b"dir/")) + d(b"x") + pax((b"path", b"dir/file"), (b"size", b"%d" % len(CONTENT))) +
        entry(b"x", CONTENT) + pax((b"linkpath", b"dir/file")) + sym(b"link", b"x") + pax((b"linkpath", b"dir/file")) +
        hard(b"hard", b"x") + entry(b"empty") + END,
        "gnu-names": gnu_long(b"L", b"dir/") + d(b"x") + gnu_long(b"L", b"dir/file") + entry(b"x", CONTENT) + gnu_long(b"K", b"dir/file") +
        sym(b"link", b"x") + gnu_long(b"K", b"dir/file") + gnu_long(b"L", b"hard") + hard(b"y", b"x") + entry(b"empty") + END,
        "global": pax((b"comment", b"a commit"), (b"path", b"nowhere"), (b"uid", b"7"), kind=b"g") + tree,
        "volume": header(b"a volume", b"V", magic=b"ustar  \0") + tree,
        "solaris": pax((b"path", b"dir/"), kind=b"X") + d(b"x") + tree,
        "sizes-of-no-data": d(b"dir/", size=4096) + entry(b"dir/file", CONTENT) +
        header(b"link", SYMLINK, 8, link=b"dir/file", mode=0o777) + header(b"hard", LINK, len(CONTENT), link=b"dir/file") +
        entry(b"empty") + END,
        "contiguous": d(b"dir/") + header(b"dir/file", b"7", len(CONTENT)) + pad(CONTENT) + sym(b"link", b"dir/file") +
        hard(b"hard", b"dir/file") + entry(b"empty") + END,
        "base-256": d(b"dir/") + header(b"dir/file", size=len(CONTENT),
                                        patch=[(124, b"\x80" + len(CONTENT).to_bytes(11, "big")), (108, b"\x80" + bytes(7)),
                                               (136, b"\x80" + (1000000000).to_bytes(11, "big"))]) + pad(CONTENT) +
        sym(b"link", b"dir/file") + hard(b"hard", b"dir/file") + entry(b"empty") + END,
        "spaces": d(b"dir/") + header(b"dir/file", size=len(CONTENT), patch=[(124, b"%11o " % len(CONTENT)), (100, b"   644 \0")]) +
        pad(CONTENT) + sym(b"link", b"dir/file") + hard(b"hard", b"dir/file") + entry(b"empty") + END,
        "replaced": entry(b"dir", b"old") + entry(b"link", b"old") + sym(b"empty", b"dir") + entry(b"hard", b"old") + tree,
        "whole.gz": member(tree),
        "all-parts.gz": member(tree, 2 | 4 | 8 | 16, b"SG\x02\x00xy"),
        # a member for each third, and an empty one whose extra field says where the table of contents is
        "estargz.gz": member(tree[:third]) + member(tree[third:2 * third]) + member(tree[2 * third:]) +
        member(b"", 4, b"SG\x16\0" + b"%016x" % 1234 + b"STARGZ"),
        "padded.gz": member(tree) + bytes(3000),
        "tape.gz": member(tree + bytes(10240)),
        "stored.gz": gzip.compress(tree, 0),
    }
    if shutil.which("zstd"):
        forms |= {
            "whole.zst": zstd(tree),
            "checked.zst": zstd(tree, "--check", "-19"),
            "frames.zst": zstd(tree[:third]) + zstd(tree[third:]),
            # a frame for each piece, the manifest and the footer in frames that others pass over
            "chunked.zst": zstd(tree[:third]) + zstd(tree[third:2 * third]) + zstd(b"") + zstd(tree[2 * third:]) +
            skippable(0, b'{"version":1}' * 20) + skippable(0, bytes(56) + b"GnUlInUx"),
            "skippable-first.zst": skippable(10, b"first") + zstd(tree),
            "block.zst": zstd(tree + bytes(-len(tree) % (256 * 1024))),
        }
    for name, data in forms.items():
        write(out, name, data)


# ---- images ----

def digest(data):
    return hashlib.sha256(data).hexdigest()


def archive(files):
    out = []
    for name, data in files.items():
        name = name.encode("utf-8", "surrogateescape")
        out += [pax((b"path", name)) if len(name) > 100 else b"", data if isinstance(data, Raw) else entry(name, data)]
    return b"".join(out) + END


class Raw(bytes):
    """An entry as it is."""


def parts(config=None, layer=None, diff=None):
    """A layout of one image: (blobs, descriptor of its manifest)."""
    layer = entry(b"hello", b"1") + END if layer is None else layer
    base = {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": ["sha256:" + (diff or digest(layer))]}}
    text = config if isinstance(config, bytes) else json.dumps(base | (config or {})).encode()
    manifest = json.dumps({"schemaVersion": 2, "mediaType": OCI + "manifest.v1+json", "config": descriptor("config.v1+json", text),
                           "layers": [descriptor("layer.v1.tar", layer)]}).encode()
    return {f"blobs/sha256/{digest(b)}": b for b in (layer, text, manifest)}, descriptor("manifest.v1+json", manifest)


OCI = "application/vnd.oci.image."


def descriptor(kind, data, **more):
    return {"mediaType": OCI + kind, "digest": "sha256:" + digest(data), "size": len(data)} | more


def layout(blobs, *manifests, **more):
    index = json.dumps({"schemaVersion": 2, "manifests": list(manifests)} | more).encode()
    return archive({"oci-layout": b'{"imageLayoutVersion":"1.0.0"}', "index.json": index} | blobs)


def nested(depth):
    blobs, d0 = parts()
    for _ in range(depth):
        index = json.dumps({"schemaVersion": 2, "mediaType": OCI + "index.v1+json", "manifests": [d0]}).encode()
        blobs["blobs/sha256/" + digest(index)] = index
        d0 = descriptor("index.v1+json", index)
    return layout(blobs, d0)


def images():
    blobs, good = parts()
    yield "digest-path", layout(blobs, good | {"digest": "sha256:../../../../etc/passwd"}), "digest"
    yield "digest-algorithm", layout(blobs, good | {"digest": "sha512:" + "0" * 128}), "digest"
    yield "digest-upper", layout(blobs, good | {"digest": good["digest"].upper()}), "digest"
    yield "digest-number", layout(blobs, good | {"digest": 5}), "digest"
    yield "digest-missing", layout(blobs, {"mediaType": OCI + "manifest.v1+json", "size": 1}), "digest"
    yield "size-lie", layout(blobs, good | {"size": 5}), "bytes instead of"
    yield "size-negative", layout(blobs, good | {"size": -1}), "size"
    yield "blob-lie", layout({name: data + b" " for name, data in blobs.items()}, good), "hash|verif|digest"
    yield "nested-20", nested(20), "indexes inside each other"
    yield "wide", layout(blobs, *[good] * 5000), "more than"
    yield "deep-json", layout(blobs, good, annotations=json.loads("[" * 400 + "]" * 400)), "deep|nest|level"
    yield "index-huge", archive({"index.json": b" " * (9 << 20)}), "large|long|bytes|limit|max"
    yield "manifest-huge", archive({"manifest.json": b"[" + b" " * (9 << 20) + b"]"}), "large|long|bytes|limit|max"
    config = b'{"rootfs":{"type":"layers","diff_ids":[]},"x":"' + b"y" * (9 << 20) + b'"}'
    yield "config-huge", layout(*parts(config)), "large|long|bytes|limit|max"
    yield "config-array", layout(*parts(b"[]")), "no JSON object"
    yield "config-null", layout(*parts(b"null")), "configuration"
    yield "config-history", layout(*parts({"history": [None]})), "history"
    yield "config-diff-id", layout(*parts(diff="../" * 21 + "x")), "diff id"
    yield "config-no-rootfs", layout(*parts({"rootfs": None})), "rootfs"
    yield "config-layers", layout(*parts({"rootfs": {"type": "layers", "diff_ids": []}})), "layers"
    yield "diff-id-lie", layout(*parts(diff="0" * 64)), "diff id"
    yield "layer-hostile", layout(*parts(layer=entry(b"../../x", b"evil") + END)), "leads out of the layer"
    yield "names-dots", archive({"../index.json": b"{}"}), "leads out"
    yield "names-absolute", archive({"/etc/passwd": b"{}"}), "leads out"
    yield "link-out", archive({"manifest.json": Raw(sym(b"manifest.json", b"/etc/passwd"))}), "leads out|missing|holds no|neither"
    yield "link-up", archive({"x": Raw(sym(b"a/b", b"../../index.json"))}), "leads out"
    yield "link-loop", archive({"x": Raw(sym(b"index.json", b"index.json"))}), "missing|neither|loop|link"
    yield "link-many", archive({f"l{i}": Raw(sym(b"l%d" % i, b"index.json")) for i in range(70000)}), "more than"
    yield "docker-paths", archive({"manifest.json": json.dumps([{"Config": "../../etc/passwd", "Layers": ["../../etc/passwd"]}]).encode()}), "no usable|missing"
    yield "docker-types", archive({"manifest.json": json.dumps([{"Config": {}, "Layers": 5, "RepoTags": {}}]).encode()}), "no usable|missing"
    yield "docker-layers", archive({"manifest.json": json.dumps([{"Config": "c", "Layers": ["l"] * 2000}]).encode(), "c": b"{}"}), "no usable|missing"
    yield "docker-number", archive({"manifest.json": b"5"}), "no array|invalid JSON"
    yield "nothing", END, "neither|empty"
    yield "garbage", b"garbage" * 1000, "no tar archive|truncated"
    yield "cut", layout(blobs, good)[:3000], "truncated"
    yield "sparse", archive({"index.json": Raw(header(b"index.json", b"S", 4, magic=b"ustar  \0", patch=[
        (386, number(1 << 30, 12) + number(4, 12)), (483, number(1 << 31, 12))]) + pad(b"abcd"))}), "sparse"


def make_images(out):
    with open(os.path.join(out, "expected"), "w") as expected:
        for name, data, pattern in images():
            write(out, name, data)
            print(name, REFUSED, pattern, file=expected)
    blobs, good = parts({"history": None, "config": None})
    write(out, "good", layout(blobs, good | {"annotations": {"io.containerd.image.name": "docker.io/library/null:1"}}))


# ---- by chance ----

def mend(data):
    for at in range(0, len(data) - BLOCK + 1, BLOCK):
        if data[at + 257:at + 262] == b"ustar":
            data[at + 148:at + 156] = b" " * 8
            data[at + 148:at + 156] = b"%06o\0 " % sum(data[at:at + BLOCK])


def mutate(rng, seeds):
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(data) or 1)
        what = rng.randrange(6)
        if what == 0:
            data[at:at + 1] = bytes([rng.randrange(256)])
        elif what == 1:  # in a header
            at = at // BLOCK * BLOCK + rng.choice([0, 1, 2, 100, 108, 124, 130, 136, 156, 157, 158, 257, 329, 345])
            data[at:at + 1] = bytes([rng.choice(b"\0\x80\xff./0127SxgLK")])
        elif what == 2:  # an entry of another
            other = rng.choice(seeds)
            start = rng.randrange(len(other) // BLOCK + 1) * BLOCK
            here = at // BLOCK * BLOCK
            data[here:here] = other[start:start + BLOCK * rng.randint(1, 4)]
        elif what == 3:
            here = at // BLOCK * BLOCK
            del data[here:here + BLOCK * rng.randint(1, 3)]
        elif what == 4:
            here = at // BLOCK * BLOCK
            data[here:here] = data[here:here + BLOCK * 2]
        else:
            del data[at:]
    if rng.random() < 0.9:
        mend(data)
    return gzip.compress(bytes(data), 1) if rng.random() < 0.2 else bytes(data)


def make_mutations(out, seed, count):
    rng = random.Random(seed)
    folder = os.path.join(out, "seeds")
    seeds = []
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), "rb") as file:
            data = file.read()
        if name != "expected" and len(data) < 100000:
            seeds.append(data)
    for i in range(count):
        write(out, f"m{i}", mutate(rng, seeds))


if __name__ == "__main__":
    if sys.argv[1] == "layers":
        make_layers(sys.argv[2], sys.argv[3])
    elif sys.argv[1] == "forms":
        make_forms(sys.argv[2])
    elif sys.argv[1] == "images":
        make_images(sys.argv[2])
    else:
        make_mutations(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
