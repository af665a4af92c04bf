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


def layer(rng, files, size, place=None):
    """A gzip layer of `files` files of about `size` bytes; returns (compressed, diff id). Each in directories of its own
    that the layer doesn't describe; with `place`, 20 in each directory there, described as usual."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for i in range(files):
            data = words(rng, rng.randrange(size // 2, size * 3 // 2))
            folder = f"{place}/{i // 20}" if place else f"srv/{rng.randrange(1 << 30):x}/{i % 97}"
            if place and i % 20 == 0:
                parents = [str(parent) for parent in pathlib.PurePath(folder).parents][-2::-1] if i == 0 else []
                for name in parents + [folder]:
                    entry = tarfile.TarInfo(name)
                    entry.type, entry.mode, entry.mtime = tarfile.DIRTYPE, 0o755, 1700000000
                    tar.addfile(entry)
            entry = tarfile.TarInfo(f"{folder}/file-{i}")
            entry.size, entry.mode, entry.mtime = len(data), 0o644, 1700000000
            tar.addfile(entry, io.BytesIO(data))
    raw = raw.getvalue()
    return gzip.compress(raw, 6, mtime=0), "sha256:" + hashlib.sha256(raw).hexdigest()


def image_config(diff_ids, **more):
    config = {"architecture": "amd64", "os": "linux", "config": {"Cmd": ["true"]},
              "rootfs": {"type": "layers", "diff_ids": diff_ids}}
    return json.dumps(config | more).encode()


def layout(root, layers):
    """An OCI layout at root with the image of those layers, made unless it is there."""
    root = pathlib.Path(root)
    if root.exists():
        return root
    blobs = root / "blobs/sha256"
    blobs.mkdir(parents=True)

    def put(data):
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return {"digest": f"sha256:{digest}", "size": len(data)}

    descriptors, diff_ids = [], []
    for data, diff_id in layers:
        descriptors.append({"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip"} | put(data))
        diff_ids.append(diff_id)
    manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": {"mediaType": "application/vnd.oci.image.config.v1+json"} | put(image_config(diff_ids)),
                "layers": descriptors}
    entry = {"mediaType": manifest["mediaType"]} | put(json.dumps(manifest).encode())
    entry["annotations"] = {"org.opencontainers.image.ref.name": "bench"}
    (root / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    (root / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    total = sum(descriptor["size"] for descriptor in descriptors)
    print(f"image: {total / 1e6:.0f} MB compressed")
    return root


def pull_image(work):
    """3 layers, 28,000 files, about 263 MB compressed."""
    rng = random.Random(28000)
    return layout(work / "layout", (layer(rng, files, size)
                                    for files, size in ((14000, 14000), (9000, 16000), (5000, 20000))))


def layers_image(work):
    rng = random.Random(60)
    return layout(work / "layout-layers", (layer(rng, 30, 3000, f"opt/part-{i}") for i in range(60)))


def files_image(work):
    rng = random.Random(100000)
    return layout(work / "layout-files", (layer(rng, 25000, 1000, f"opt/part-{i}") for i in range(4)))


def many_images(work, count):
    """Archives as docker saves them, each of 250 images that share a layer; returns (their paths, the images' names)."""
    rng, archives = random.Random(count), []
    data, diff_id = layer(rng, 1, 100, "etc/bench")
    names = [f"keg-bench-many:{i}" for i in range(count)]

    def put(tar, name, content):
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = len(content), 0o644
        tar.addfile(entry, io.BytesIO(content))

    for start in range(0, count, 250):
        archives.append(work / f"many-{start}.tar")
        with tarfile.open(archives[-1], "w") as tar:
            put(tar, "layer.tar", gzip.decompress(data))
            listed = []
            for i in range(start, min(start + 250, count)):
                config = image_config([diff_id], created=f"2026-01-01T00:{i // 60:02}:{i % 60:02}Z")
                listed.append({"Config": f"{hashlib.sha256(config).hexdigest()}.json", "RepoTags": [names[i]],
                               "Layers": ["layer.tar"]})
                put(tar, listed[-1]["Config"], config)
            put(tar, "manifest.json", json.dumps(listed).encode())
    return archives, names
