"""Images that the benchmarks run and pull, made here: the same bytes every time."""
import gzip
import hashlib
import io
import json
import pathlib
import random
import subprocess
import tarfile


def busybox_tar(work):
    """A tar of a root filesystem with Debian's busybox and its applets."""
    path = work / "busybox.tar"
    if path.exists():
        return path
    with tarfile.open(path, "w") as tar:
        for name in ("bin", "sbin", "usr", "usr/bin", "usr/sbin", "etc", "proc", "sys", "dev", "tmp", "root"):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        tar.add("/bin/busybox", "bin/busybox")
        for applet in subprocess.run(["/bin/busybox", "--list-full"], capture_output=True, text=True).stdout.split():
            if applet != "bin/busybox":
                entry = tarfile.TarInfo(applet)
                entry.type, entry.linkname = tarfile.SYMTYPE, "/bin/busybox"
                tar.addfile(entry)
    return path


def words(rng, size):
    """Text that compresses about as programs and documents do: half of it repeats."""
    out = bytearray()
    while len(out) < size:
        out += rng.randbytes(48) + b"the quick brown fox jumps over the lazy dog, again and again."[:rng.randrange(20, 60)]
    return bytes(out[:size])


def layer(rng, files, size):
    """A gzip layer of `files` files of about `size` bytes; returns (compressed, diff id)."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for i in range(files):
            data = words(rng, rng.randrange(size // 2, size * 3 // 2))
            entry = tarfile.TarInfo(f"srv/{rng.randrange(1 << 30):x}/{i % 97}/file-{i}")
            entry.size, entry.mode, entry.mtime = len(data), 0o644, 1700000000
            tar.addfile(entry, io.BytesIO(data))
    raw = raw.getvalue()
    return gzip.compress(raw, 6, mtime=0), "sha256:" + hashlib.sha256(raw).hexdigest()


def pull_image(work):
    """An OCI layout: 3 layers, 28,000 files, about 263 MB compressed."""
    root = pathlib.Path(work) / "layout"
    blobs = root / "blobs/sha256"
    blobs.mkdir(parents=True)

    def put(data):
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return {"digest": f"sha256:{digest}", "size": len(data)}

    rng = random.Random(28000)
    layers, diff_ids = [], []
    for files, size in ((14000, 14000), (9000, 16000), (5000, 20000)):
        data, diff_id = layer(rng, files, size)
        layers.append({"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip"} | put(data))
        diff_ids.append(diff_id)
    config = {"architecture": "amd64", "os": "linux", "config": {"Cmd": ["true"]},
              "rootfs": {"type": "layers", "diff_ids": diff_ids}}
    manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": {"mediaType": "application/vnd.oci.image.config.v1+json"} | put(json.dumps(config).encode()),
                "layers": layers}
    entry = {"mediaType": manifest["mediaType"]} | put(json.dumps(manifest).encode())
    entry["annotations"] = {"org.opencontainers.image.ref.name": "bench"}
    (root / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    (root / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    total = sum(l["size"] for l in layers)
    print(f"image: {total / 1e6:.0f} MB compressed")
    return root
