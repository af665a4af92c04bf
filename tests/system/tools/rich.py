"""Makes the images of exchange.bats: rich.py DIRECTORY. Standard library only.

    layout/     an OCI layout. rich:1 is an index of two platforms, with an attestation, an index in an index, annotations;
                plain:1 the amd64 image alone; bundle:1 an artifact
    v1.tar      an archive as docker save wrote them before 1.10: old:1, two folders
"""
import gzip
import hashlib
import io
import json
import os
import struct
import sys
import tarfile

out = sys.argv[1]
blobs = os.path.join(out, "layout", "blobs", "sha256")
os.makedirs(blobs)
OCI = "application/vnd.oci.image."


def blob(data, media_type, **more):
    digest = hashlib.sha256(data).hexdigest()
    with open(os.path.join(blobs, digest), "wb") as file:
        file.write(data)
    return {"mediaType": media_type, "digest": "sha256:" + digest, "size": len(data), **more}


def document(content, media_type, **more):
    return blob(json.dumps(content).encode(), media_type, **more)


def entry(name, kind=tarfile.REGTYPE, data=b"", mode=0o644, mtime=1500000000.123456789, uid=0, gid=0, link="", dev=(0, 0), **pax):
    t = tarfile.TarInfo(name)
    t.type, t.mode, t.mtime, t.uid, t.gid, t.linkname, t.size = kind, mode, int(mtime), uid, gid, link, len(data)
    t.devmajor, t.devminor = dev
    t.pax_headers = {key.replace("__", "."): value for key, value in pax.items()}
    if mtime != int(mtime):
        t.pax_headers["mtime"] = f"{mtime:.9f}"
    return t, data


def archive(*entries):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT, encoding="utf-8", errors="surrogateescape") as tar:
        for info, data in entries:
            tar.addfile(info, io.BytesIO(data))
    return file.getvalue()


def binary(value):
    return value.decode("utf-8", "surrogateescape")


def d(name, **more):
    return entry(name, tarfile.DIRTYPE, mode=more.pop("mode", 0o755), **more)


CAPABILITY = binary(struct.pack("<IIIII", 0x02000000, 0x400, 0, 0, 0))  # permitted: net_bind_service
ACL = binary(struct.pack("<I", 2) + b"".join(struct.pack("<HHI", tag, bits, who) for tag, bits, who in (
    (1, 6, 0xffffffff), (2, 4, 1234), (4, 4, 0xffffffff), (16, 4, 0xffffffff), (32, 4, 0xffffffff))))
LONG = "/".join(["f" * 90] * 5) + "/" + "n" * 250

LOWER = archive(
    d("./", mode=0o755), d("bin"), d("etc", mtime=1400000001.5), entry("etc/plain", data=b"plain\n"),
    entry("etc/empty"), entry("etc/setuid", data=b"#", mode=0o4755, uid=1000, gid=1001),
    entry("etc/none", data=b"secret", mode=0o000), d("etc/sticky", mode=0o1777), d("etc/setgid", mode=0o2775, gid=50),
    entry("etc/owner", data=b"o", uid=65534, gid=4000000000 - 1), entry("etc/nano", data=b"t", mtime=1600000000.999999999),
    entry("etc/old", data=b"t", mtime=1.0), entry("etc/hard-1", data=b"linked"),
    entry("etc/hard-2", tarfile.LNKTYPE, link="etc/hard-1"), entry("bin/hard-3", tarfile.LNKTYPE, link="etc/hard-1"),
    entry("etc/sym", tarfile.SYMTYPE, link="../bin/hard-3", mode=0o777),
    entry("etc/dangling", tarfile.SYMTYPE, link="/no/where", mode=0o777, uid=7, gid=8),
    entry("null", tarfile.CHRTYPE, dev=(1, 3), mode=0o666), entry("block", tarfile.BLKTYPE, dev=(7, 300), mode=0o660, gid=6),
    entry("fifo", tarfile.FIFOTYPE, mode=0o620),
    entry("bin/ping", data=b"ping", mode=0o755, SCHILY__xattr__security__capability=CAPABILITY),
    entry("etc/noted", data=b"n", SCHILY__xattr__user__note="hello", SCHILY__xattr__user__empty=""),
    entry("etc/acl", data=b"a", mode=0o644, SCHILY__xattr__system__posix_acl_access=ACL),
    d("etc/noted.d", SCHILY__xattr__user__note="directory"),
    entry("umlaut-\u00e4\u0308", data=b"u"), entry("etc/space and\nnewline", data=b"s"), entry("etc/\udce4-bytes", data=b"b"),
    *(d("/".join(["f" * 90] * n)) for n in range(1, 6)), entry(LONG, data=b"long"),
    d("gone"), entry("gone/file", data=b"1"), entry("goes", data=b"2"), d("opaque"), entry("opaque/below", data=b"3"),
    d("becomes"), entry("becomes/a", data=b"4"), entry("turns", data=b"file"),
    entry("zeros", data=bytes(3 << 20)))

UPPER = archive(
    d("etc", mtime=1400000002.25), entry("etc/plain", data=b"changed\n", mode=0o600),
    entry(".wh.goes"), entry(".wh.gone"), d("opaque"), entry("opaque/.wh..wh..opq"), entry("opaque/above", data=b"5"),
    entry("becomes", data=b"a file now"), d("turns", mode=0o700), entry("turns/inside", data=b"6"),
    entry("etc/hard-1", data=b"linked"), entry("etc/hard-4", tarfile.LNKTYPE, link="etc/hard-1"), entry("later", data=b"7" * 100000, mode=0o640, uid=5, gid=5))


def config(architecture, layers, **more):
    return {"architecture": architecture, "os": "linux", **more, "created": "2024-05-06T07:08:09.123456789Z",
            "author": "A. Uthor <a@example.org>",
            "config": {"Cmd": ["/bin/hard-3"], "Env": ["PATH=/bin", "A=\u00e4"], "Labels": {"a": "b"}, "WorkingDir": "/etc",
                       "ExposedPorts": {"80/tcp": {}}, "StopSignal": "SIGINT"},
            "history": [{"created": "2024-05-06T07:08:09Z", "created_by": "lower"},
                        {"created": "2024-05-06T07:08:09Z", "created_by": "ENV A", "empty_layer": True},
                        {"created": "2024-05-06T07:08:09Z", "created_by": "upper", "comment": "c"}][:len(layers) + 1],
            "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest() for layer in layers]}}


def manifest(layers, **more):
    """A manifest over gzipped layers; spacing as nobody else writes it, so that a rewritten one is seen."""
    arch = more.pop("architecture")
    content = {"schemaVersion": 2, "mediaType": OCI + "manifest.v1+json",
               "config": document(config(arch, layers, **more), OCI + "config.v1+json"),
               "layers": [blob(gzip.compress(layer, 6, mtime=0), OCI + "layer.v1.tar+gzip") for layer in layers],
               "annotations": {"org.example.note": arch}}
    return blob(json.dumps(content, indent=3).encode(), OCI + "manifest.v1+json",
                platform={"architecture": arch, "os": "linux", **more})


amd64 = manifest([LOWER, UPPER], architecture="amd64")
arm64 = manifest([LOWER], architecture="arm64", variant="v8")
empty = blob(b"{}", "application/vnd.oci.empty.v1+json")
statement = document({"_type": "https://in-toto.io/Statement/v0.1"}, "application/vnd.in-toto+json")
attestation = document(
    {"schemaVersion": 2, "mediaType": OCI + "manifest.v1+json", "layers": [statement],
     "config": document({"architecture": "unknown", "os": "unknown", "config": {}, "rootfs": {
         "type": "layers", "diff_ids": [statement["digest"]]}}, OCI + "config.v1+json")},
    OCI + "manifest.v1+json", platform={"architecture": "unknown", "os": "unknown"},
    annotations={"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": amd64["digest"]})
inner = document({"schemaVersion": 2, "mediaType": OCI + "index.v1+json", "manifests": [arm64, amd64]}, OCI + "index.v1+json")
index = document({"schemaVersion": 2, "mediaType": OCI + "index.v1+json", "manifests": [inner, attestation],
                  "annotations": {"org.example.index": "yes"}}, OCI + "index.v1+json")
flat = document({"schemaVersion": 2, "mediaType": OCI + "index.v1+json", "manifests": [arm64, amd64, attestation]},
                OCI + "index.v1+json")
bundle = document(
    {"schemaVersion": 2, "mediaType": OCI + "manifest.v1+json", "artifactType": "application/vnd.example.bundle",
     "config": empty, "layers": [blob(b"any bytes", "application/vnd.example.part", annotations={
         "org.opencontainers.image.title": "part.txt"})]}, OCI + "manifest.v1+json")

named = {"nested:1": index, "rich:1": flat, "plain:1": amd64, "bundle:1": bundle}
for name, descriptor in named.items():
    folder = os.path.join(out, "one", name.split(":")[0])
    os.makedirs(folder)
    os.symlink("../../layout/blobs", os.path.join(folder, "blobs"))
    top = {key: value for key, value in descriptor.items() if key != "platform"}
    top["annotations"] = {"org.opencontainers.image.ref.name": "docker.io/library/" + name}
    for path, text in (("index.json", json.dumps({"schemaVersion": 2, "manifests": [top]})),
                       ("oci-layout", '{"imageLayoutVersion": "1.0.0"}')):
        with open(os.path.join(folder, path), "w", encoding="utf-8") as file:
            file.write(text)


def folder_of_v1(tar, content, layer):
    identity = content["id"]
    for name, data in (("VERSION", b"1.0"), ("json", json.dumps(content).encode()), ("layer.tar", layer)):
        info = tarfile.TarInfo(f"{identity}/{name}")
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))


with tarfile.open(os.path.join(out, "v1.tar"), "w") as v1:
    first = {"id": "1" * 64, "created": "2014-01-01T00:00:00Z", "container_config": {"Cmd": ["/bin/sh", "-c", "#(nop) ADD"]},
             "os": "linux", "architecture": "amd64", "comment": "first"}
    second = {"id": "2" * 64, "parent": "1" * 64, "created": "2014-01-02T00:00:00Z", "author": "somebody",
              "container_config": {"Cmd": ["/bin/sh", "-c", "touch x"]}, "config": {"Cmd": ["sh"], "Env": ["A=b"]},
              "os": "linux", "architecture": "amd64", "docker_version": "1.6.0", "Size": 5}
    folder_of_v1(v1, second, archive(entry("x", data=b"x")))
    folder_of_v1(v1, first, archive(d("bin"), entry("bin/sh", data=b"sh", mode=0o755)))
    text = json.dumps({"old": {"1": second["id"], "2": first["id"]}}).encode()
    info = tarfile.TarInfo("repositories")
    info.size = len(text)
    v1.addfile(info, io.BytesIO(text))
print(json.dumps({name.split(":")[0]: value["digest"] for name, value in named.items()} | {
    "amd64": amd64["digest"], "arm64": arm64["digest"]}))
