"""The images that scenarios run: archives of `docker save`, the same bytes, hence the same ids, on every machine with the
same busybox.

  busybox:latest   busybox with its applets linked, PATH, CMD sh
  app:1            busybox and a second layer, with every field of a configuration that an engine must honour
"""
import hashlib
import io
import json
import subprocess
import tarfile

PASSWD = "root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1:daemon:/usr/sbin:/bin/false\nweb:x:1000:1000::/home/web:/bin/sh\n"
GROUP = "root:x:0:\ndaemon:x:1:\nextra:x:2000:web\nweb:x:1000:\n"
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Layer:
    def __init__(self):
        self.buffer = io.BytesIO()
        self.tar = tarfile.open(fileobj=self.buffer, mode="w", format=tarfile.GNU_FORMAT)

    def add(self, name, mode=0o644, kind=tarfile.REGTYPE, data=b"", link="", owner=0):
        entry = tarfile.TarInfo(name)
        entry.mode, entry.type, entry.linkname, entry.size = mode, kind, link, len(data)
        entry.uid = entry.gid = owner
        entry.mtime = 1700000000
        self.tar.addfile(entry, io.BytesIO(data))

    def directory(self, name, mode=0o755, owner=0):
        self.add(name, mode, tarfile.DIRTYPE, owner=owner)

    def bytes(self):
        self.tar.close()
        return self.buffer.getvalue()


def base_layer(busybox):
    layer = Layer()
    for name in "bin sbin usr usr/bin usr/sbin etc var home".split():
        layer.directory(name)
    layer.directory("root", 0o700)
    layer.directory("tmp", 0o1777)
    layer.directory("home/web", owner=1000)
    with open(busybox, "rb") as program:
        layer.add("bin/busybox", 0o755, data=program.read())
    for path in subprocess.check_output([busybox, "--list-full"], text=True).split():
        if path != "bin/busybox" and "/" in path and path.rsplit("/", 1)[0] in ("bin", "sbin", "usr/bin", "usr/sbin"):
            layer.add(path, 0o777, tarfile.SYMTYPE, link="/bin/busybox")
    layer.add("etc/passwd", data=PASSWD.encode())
    layer.add("etc/group", data=GROUP.encode())
    return layer.bytes()


def app_layer():
    layer = Layer()
    layer.directory("srv")
    layer.directory("srv/data", owner=1000)
    layer.add("srv/data/seed", data=b"seed\n", owner=1000)
    layer.add("srv/entry", 0o755, data=b'#!/bin/sh\necho "entry: $*"\nexec "$@"\n')
    layer.add("srv/broken", 0o644, data=b"not a program\n")
    return layer.bytes()


APP = {
    "User": "web", "WorkingDir": "/srv/work", "Entrypoint": ["/srv/entry"], "Cmd": ["id", "-un"],
    "Env": [PATH, "COLOUR=blue", "EMPTY="], "ExposedPorts": {"8080/tcp": {}, "5353/udp": {}},
    "Volumes": {"/srv/data": {}}, "Labels": {"maker": "keg", "tier": "test"}, "StopSignal": "SIGUSR1",
}


def image(config, layers, created):
    """A configuration blob and its layers, as (bytes, [bytes])."""
    history = [{"created": created, "created_by": f"layer {number}"} for number in range(len(layers))]
    history.append({"created": created, "created_by": "CMD", "empty_layer": True})
    document = {
        "architecture": "amd64", "os": "linux", "created": created, "config": config, "history": history,
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(data).hexdigest() for data in layers]},
    }
    return json.dumps(document).encode(), layers


def archive(path, images):
    """Writes images, {name: (configuration, layers)}, as `docker save` would."""
    out, manifest, written = Layer(), [], set()
    for name, (config, layers) in images.items():
        files = [(hashlib.sha256(config).hexdigest() + ".json", config)]
        files += [(hashlib.sha256(data).hexdigest() + ".tar", data) for data in layers]
        for file, data in files:
            if file not in written:
                out.add(file, data=data)
                written.add(file)
        manifest.append({"Config": files[0][0], "RepoTags": [name], "Layers": [file for file, _ in files[1:]]})
    out.add("manifest.json", data=json.dumps(manifest).encode())
    with open(path, "wb") as file:
        file.write(out.bytes())


def make(path, busybox="/bin/busybox"):
    base = base_layer(busybox)
    archive(path, {
        "busybox:latest": image({"Cmd": ["sh"], "Env": [PATH]}, [base], "2024-05-06T07:08:09Z"),
        "app:1": image(APP, [base, app_layer()], "2024-05-07T07:08:09Z"),
    })
