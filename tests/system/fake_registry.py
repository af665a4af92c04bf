#!/usr/bin/env python3
"""A registry that misbehaves on purpose: fake_registry.py PORT-FILE [FOLDER [PORT]]. Writes its port to the file, serves until
killed. Given a directory with cert.pem and key.pem, it is also a proxy (CONNECT) that leads to itself over TLS, whatever the host.
Given a port, it takes that one. As a mirror under /broken it breaks off every layer in the middle.

Every repository is served from memory; its name says how (see REPOSITORIES). GET /_stats tells how often each path
was asked for, and which requests to the second port ("elsewhere") carried an Authorization header."""
import base64
import gzip
import hashlib
import io
import json
import select
import socket
import ssl
import struct
import sys
import tarfile
import threading
import time
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

OCI = "application/vnd.oci.image."
DOCKER = "application/vnd.docker."


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def tar(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def gzipped(data):
    return gzip.compress(data, 6, mtime=0)


def zstd(data):
    """A zstd frame of raw blocks: enough to be one."""
    out = b"\x28\xb5\x2f\xfd\x00\x38"
    pieces = [data[i:i + 65536] for i in range(0, len(data), 65536)]
    for i, piece in enumerate(pieces):
        out += struct.pack("<I", (i == len(pieces) - 1) | len(piece) << 3)[:3] + piece
    return out


class Image:
    """One platform's image: blobs by digest, and its manifest."""

    def __init__(self, seed, layers=3, docker=False, compress=gzipped, suffix="+gzip", change=None, size=200000):
        self.blobs = {}
        diff_ids, descriptors = [], []
        for i in range(layers):
            noise = hashlib.shake_256(f"{seed}{i}".encode()).digest(size)
            layer = tar({f"layer{i}": f"{seed} {i}\n".encode(), f"noise{i}": noise})
            blob = compress(layer)
            diff_ids.append(digest(layer))
            media = DOCKER + "image.rootfs.diff.tar.gzip" if docker else OCI + "layer.v1.tar" + suffix
            descriptors.append({"mediaType": media, "digest": self.add(blob), "size": len(blob)})
        config = {"architecture": "amd64", "os": "linux", "created": "2024-01-02T03:04:05Z",
                  "config": {"Cmd": ["sh"], "Env": ["A=1"]}, "rootfs": {"type": "layers", "diff_ids": diff_ids},
                  "history": [{"created": "2024-01-02T03:04:05Z", "created_by": f"step {i}"} for i in range(layers)]}
        self.config, self.layers = config, descriptors
        if change:
            change(self)
        text = json.dumps(self.config).encode()
        media = DOCKER + "container.image.v1+json" if docker else OCI + "config.v1+json"
        self.media_type = DOCKER + "distribution.manifest.v2+json" if docker else OCI + "manifest.v1+json"
        self.manifest = json.dumps({"schemaVersion": 2, "mediaType": self.media_type,
                                    "config": {"mediaType": media, "digest": self.add(text), "size": len(text)},
                                    "layers": self.layers}).encode()

    def add(self, blob):
        self.blobs[digest(blob)] = blob
        return digest(blob)

    def descriptor(self, **platform):
        return {"mediaType": self.media_type, "digest": digest(self.manifest), "size": len(self.manifest),
                "platform": platform}


class Repository:
    def __init__(self, image, mode="", index=None, tag=None):
        self.mode = mode
        self.blobs = dict(image.blobs) if image else {}
        self.manifests = {}
        if image:
            self.put("latest", image.manifest, image.media_type)
        if index:
            for data, media_type in index:
                self.put("latest", data, media_type)
        if tag:
            self.put("latest", *tag)
        self.first = True

    def put(self, tag, data, media_type):
        self.manifests[tag] = self.manifests[digest(data)] = (data, media_type)


def index_of(children, docker=False):
    media = DOCKER + "distribution.manifest.list.v2+json" if docker else OCI + "index.v1+json"
    return json.dumps({"schemaVersion": 2, "mediaType": media, "manifests": children}).encode(), media


def platform_list(docker):
    image = Image("list", docker=docker)
    junk = {"mediaType": OCI + "manifest.v1+json", "digest": "sha256:" + "0" * 64, "size": 10}
    children = [dict(junk, platform={"os": "unknown", "architecture": "unknown"}),
                dict(junk, platform={"os": "linux", "architecture": "s390x"}),
                image.descriptor(os="linux", architecture="amd64"),
                image.descriptor(os="linux", architecture="arm64", variant="v8")]
    return Repository(image, index=[index_of(children, docker)])


def nested(depth):
    image = Image("nested")
    documents = []
    child = image.descriptor(os="linux", architecture="amd64")
    for _ in range(depth):
        data, media = index_of([child])
        documents.append((data, media))
        child = {"mediaType": media, "digest": digest(data), "size": len(data)}
    return Repository(image, index=documents)


def broken_bytes():
    r = Repository(Image("bytes"))
    worst = max(r.blobs, key=lambda d: len(r.blobs[d]))
    r.blobs[worst] = r.blobs[worst][:-20] + bytes([r.blobs[worst][-20] ^ 1]) + r.blobs[worst][-19:]
    return r


def wrong_diff_id(image):
    image.config["rootfs"]["diff_ids"][1] = "sha256:" + "1" * 64


def one_diff_id_less(image):
    image.config["rootfs"]["diff_ids"].pop()


def foreign(image):
    image.layers[0]["mediaType"] = DOCKER + "image.rootfs.foreign.diff.tar.gzip"


def traversal(image):
    image.layers[0]["digest"] = "sha256:../../../../../../etc/passwd"


SHARED = [Image("shared", layers=2), Image("shared", layers=3)]

REPOSITORIES = {
    "ok/oci": Repository(Image("oci")),
    "ok/more": Repository(Image("oci", layers=4)),
    "ok/docker": Repository(Image("docker", docker=True)),
    "ok/zstd": Repository(Image("zstd", compress=zstd, suffix="+zstd")),
    "ok/plain": Repository(Image("plain", compress=bytes, suffix="")),
    "ok/list": platform_list(docker=True),
    "ok/index": platform_list(docker=False),
    "ok/nested": nested(2),
    "ok/other-compression": Repository(Image("oci", compress=zstd, suffix="+zstd")),
    "library/mirrored": Repository(Image("mirrored")),
    "auth/token": Repository(Image("token"), "token"),
    "auth/basic": Repository(Image("basic"), "basic"),
    "auth/refresh": Repository(Image("refresh"), "refresh"),
    "redirect/elsewhere": Repository(Image("elsewhere"), "token redirect"),
    "redirect/plainly": Repository(Image("plainly"), "redirect"),
    "flaky/short": Repository(Image("short"), "short"),
    "flaky/norange": Repository(Image("norange"), "short norange"),
    "flaky/stall": Repository(Image("stall"), "stall"),
    "flaky/busy": Repository(Image("busy"), "busy"),
    "slow/two": Repository(SHARED[0], "slow"),
    "slow/three": Repository(SHARED[1], "slow"),
    "slow/stuck": Repository(Image("stuck"), "stuck"),
    "bad/bytes": broken_bytes(),
    "bad/short": Repository(Image("badshort"), "short norange always"),
    "bad/long": Repository(Image("long"), "long"),
    "bad/header": Repository(Image("header"), "header"),
    "bad/diffid": Repository(Image("diffid", change=wrong_diff_id)),
    "bad/count": Repository(Image("count", change=one_diff_id_less)),
    "bad/foreign": Repository(Image("foreign", docker=True, change=foreign)),
    "bad/traversal": Repository(Image("traversal", change=traversal)),
    "bad/schema1": Repository(None, tag=(b'{"schemaVersion":1,"fsLayers":[],"history":[]}',
                                         DOCKER + "distribution.manifest.v1+prettyjws")),
    "bad/huge": Repository(None, tag=(b'{"schemaVersion":2,"x":"' + b"x" * 5000000 + b'"}', OCI + "manifest.v1+json")),
    "bad/deep": nested(10),
    "bad/json": Repository(None, tag=(b"[" * 100000, OCI + "manifest.v1+json")),
    "bad/denied": Repository(None, "denied"),
    "bad/loop": Repository(Image("loop"), "loop"),
    "bad/truncated": Repository(Image("truncated"), "truncated"),
    "bad/later": Repository(Image("later"), "later"),
    "bad/silent": Repository(Image("silent"), "silent"),
    "bad/drip": Repository(Image("drip"), "drip"),
    "bad/dripping": Repository(Image("dripping"), "dripping"),
    "bad/endless": Repository(Image("endless"), "endless"),
    "bad/headers": Repository(Image("headers"), "headers"),
    "bad/error": Repository(Image("error"), "error"),
    "bad/never": Repository(Image("never"), "never"),
    "flaky/date": Repository(Image("date"), "date"),
    "slow/layers": Repository(Image("layers"), "steps"),
    "pages/box": Repository(SHARED[0], "pages"),
}

COUNTS, LEAKS, LOCK = {}, [], threading.Lock()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, status, body=b"", headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def error(self, status, code, message, headers=()):
        self.answer(status, json.dumps({"errors": [{"code": code, "message": message}]}).encode(), headers)

    def do_POST(self):
        form = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if self.path == "/token" and "refresh_token=sesame" in form and "grant_type=refresh_token" in form:
            return self.answer(200, b'{"access_token":"good"}')
        return self.answer(401)

    def do_CONNECT(self):
        """As a proxy: whatever the host, the TLS server."""
        with LOCK:
            COUNTS["CONNECT " + self.path] = COUNTS.get("CONNECT " + self.path, 0) + 1
        self.send_response(200)
        self.end_headers()
        with socket.create_connection(("127.0.0.1", SECURE.server_port)) as there:
            pairs = {self.connection: there, there: self.connection}
            while True:
                for ready in select.select(list(pairs), [], [])[0]:
                    data = ready.recv(65536)
                    if not data:
                        self.close_connection = True
                        return
                    pairs[ready].sendall(data)

    def do_GET(self):
        with LOCK:
            COUNTS[self.path] = COUNTS.get(self.path, 0) + 1
        if self.path == "/_stats":
            return self.answer(200, json.dumps({"counts": COUNTS, "leaks": LEAKS}).encode())
        if self.server is ELSEWHERE:
            return self.elsewhere()
        if self.path == "/v2/":
            return self.answer(200, b"{}")
        if self.path.startswith("/token"):
            return self.token()
        if self.path.startswith("/v2/login/"):
            return self.answer(401)
        self.mirror = self.path.startswith("/broken/")
        path = self.path[len("/broken"):] if self.mirror else self.path
        kind = "/manifests/" if "/manifests/" in path else "/tags/" if "/tags/" in path else "/blobs/"
        name, _, reference = path[len("/v2/"):].partition(kind)
        repository = REPOSITORIES.get(name)
        if not repository:
            return self.error(404, "NAME_UNKNOWN", "repository name not known to registry")
        if not self.authorized(repository):
            return None
        if kind == "/tags/":
            return self.tags(repository)
        return self.manifest(repository, reference) if kind == "/manifests/" else self.blob(repository, reference)

    def tags(self, repository):
        """Three tags, two on a page; the last page leads to itself."""
        image = next(iter(repository.manifests.values()))
        for tag in ("a", "b", "c"):
            repository.manifests[tag] = image
        first, link = "a" not in self.path.partition("last=")[2], '</v2/pages/box/tags/list?last=a&n=2>; rel="next"'
        return self.answer(200, json.dumps({"name": "pages/box", "tags": ["a", "b"] if first else ["c"]}).encode(), [("Link", link)])

    def forever(self, head, piece, pause):
        """An answer without end, or one that takes its time, until the other side has enough."""
        self.close_connection = True
        try:
            self.wfile.write(head)
            for _ in range(100000):
                self.wfile.write(piece)
                time.sleep(pause)
        except OSError:
            pass

    def torment(self, mode):
        """Manifests that nobody can wait for. False: it isn't one of those moods."""
        moods = {
            "silent": (b"", b"", 0.1),
            "drip": (b"HTTP/1.1 200 OK\r\nX-Drip: ", b"x", 0.1),
            "dripping": (b"HTTP/1.1 200 OK\r\n\r\n", b" " * 50, 0.1),
            "endless": (b"HTTP/1.1 200 OK\r\n\r\n", b" " * 65536, 0),
            "headers": (b"HTTP/1.1 200 OK\r\n", b"X-More: " + b"x" * 1000 + b"\r\n", 0),
            "error": (b"HTTP/1.1 404 Not Found\r\n\r\n", b" " * 65536, 0),
        }
        if mode not in moods:
            return False
        self.forever(*moods[mode])
        return True

    def elsewhere(self):
        if self.headers["Authorization"]:
            LEAKS.append(self.path)
        for repository in REPOSITORIES.values():
            if self.path[1:] in repository.blobs:
                return self.answer(200, repository.blobs[self.path[1:]])
        return self.answer(404)

    def token(self):
        basic = "Basic " + base64.b64encode(b"user:secret").decode()
        given = self.headers["Authorization"]
        if given and given != basic:
            return self.answer(401)
        if "service=fake" not in self.path or "scope=repository%3A" not in self.path:
            return self.answer(400)
        return self.answer(200, json.dumps({"token": "good" if given else "anonymous"}).encode())

    def authorized(self, repository):
        given, mode = self.headers["Authorization"] or "", repository.mode
        if "denied" in mode:
            self.error(403, "DENIED", "requested access to the resource is denied")
            return False
        if "basic" in mode and given != "Basic " + base64.b64encode(b"user:secret").decode():
            self.error(401, "UNAUTHORIZED", "authentication required", [("WWW-Authenticate", 'Basic realm="fake"')])
            return False
        if ("token" in mode or "refresh" in mode or "never" in mode) and (given != "Bearer good" or "never" in mode):
            realm = f'Bearer realm="http://127.0.0.1:{self.server.server_port}/token",service="fake"'
            self.error(401, "UNAUTHORIZED", "authentication required", [("WWW-Authenticate", realm)])
            return False
        return True

    def manifest(self, repository, reference):
        if "stuck" in repository.mode:
            time.sleep(20)
        if "busy" in repository.mode and COUNTS[self.path] < 3:
            return self.error(429, "TOOMANYREQUESTS", "slow down", [("Retry-After", "0")])
        if "date" in repository.mode and COUNTS[self.path] < 2:
            return self.error(429, "TOOMANYREQUESTS", "slow down", [("Retry-After", formatdate(time.time() + 2, usegmt=True))])
        if "later" in repository.mode:
            return self.error(429, "TOOMANYREQUESTS", "slow down", [("Retry-After", "1800")])
        if self.torment(repository.mode):
            return None
        if reference not in repository.manifests:
            return self.error(404, "MANIFEST_UNKNOWN", "manifest unknown")
        data, media_type = repository.manifests[reference]
        shown = "sha256:" + "2" * 64 if "header" in repository.mode else digest(data)
        return self.answer(200, data, [("Content-Type", media_type), ("Docker-Content-Digest", shown)])

    def blob(self, repository, reference):
        data, mode = repository.blobs.get(reference), repository.mode
        if self.mirror:
            mode = "short always"
        if data and "truncated" in mode and len(data) > 10000:
            data = data[:-5000]
            if self.headers["Range"] == f"bytes={len(data)}-":
                return self.error(416, "RANGE_INVALID", "invalid content range")
        if data is None:
            return self.error(404, "BLOB_UNKNOWN", "blob unknown to registry")
        if "redirect" in mode:
            return self.answer(307, b"", [("Location", f"http://127.0.0.1:{ELSEWHERE.server_port}/{reference}")])
        if "loop" in mode:
            return self.answer(302, b"", [("Location", self.path)])
        if "busy" in mode and COUNTS[self.path] < 3:
            return self.error(503, "UNAVAILABLE", "not now")
        if "long" in mode and len(data) > 10000:
            return self.answer(200, data + b"more")
        start = 0
        wanted = self.headers["Range"]
        if wanted and "norange" not in mode:
            start = int(wanted[len("bytes="):-1])
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        return self.body(data[start:], mode)

    def body(self, data, mode):
        cut = ("short" in mode or "stall" in mode) and (COUNTS[self.path] == 1 or "always" in mode)
        if not cut or len(data) < 10000:
            if "slow" in mode and len(data) > 10000:
                time.sleep(1)
            if "steps" in mode and len(data) > 10000:
                for i in range(0, len(data), 10000):
                    self.wfile.write(data[i:i + 10000])
                    time.sleep(0.1)
                return None
            return self.wfile.write(data)
        self.wfile.write(data[:len(data) // 2])
        self.wfile.flush()
        if "stall" in mode:
            time.sleep(20)
        self.close_connection = True
        return None


REGISTRY = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[3]) if len(sys.argv) > 3 else 0), Handler)
ELSEWHERE = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
SECURE = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
for server in REGISTRY, ELSEWHERE, SECURE:
    server.daemon_threads = True
if len(sys.argv) > 2 and sys.argv[2]:  # a directory with cert.pem and key.pem
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[2] + "/cert.pem", sys.argv[2] + "/key.pem")
    SECURE.socket = context.wrap_socket(SECURE.socket, server_side=True)
    threading.Thread(target=SECURE.serve_forever, daemon=True).start()
threading.Thread(target=ELSEWHERE.serve_forever, daemon=True).start()
with open(sys.argv[1], "w", encoding="ascii") as port_file:
    port_file.write(str(REGISTRY.server_port))
REGISTRY.serve_forever()
