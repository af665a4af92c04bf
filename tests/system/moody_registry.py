#!/usr/bin/env python3
"""A registry for uploads with a mood: moody_registry.py PORT MOOD FOLDER

break   the first upload of a large blob breaks off in the middle; its place can be asked for
chunks  a whole blob in one request is too large (413); chunks are taken
deny    no upload is allowed
deaf    the first upload of a large blob is taken whole and kept, but not answered
forget  the first upload of a large blob is forgotten when its end comes (404)
stall   the first upload of a large blob is read to its middle, and then no further
stone   every upload of a large blob is, and nothing of it is kept
lie     manifests are said to be something else than they are

Blobs and manifests that arrived whole are files of FOLDER, named by their digests' hexadecimal digits. Every request is a line on
standard output."""
import hashlib
import http.server
import os
import select
import sys

port, mood, folder = int(sys.argv[1]), sys.argv[2], sys.argv[3]
os.makedirs(folder, exist_ok=True)
uploads = {}
broken = False


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def say(self, status, headers=None, body=b""):
        print(self.command, self.path, status, flush=True)
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def keep(self, data):
        name = hashlib.sha256(data).hexdigest()
        with open(os.path.join(folder, name), "wb") as f:
            f.write(data)
        return "sha256:" + name

    def where(self, key):
        return {"Location": f"/v2/u/{key}", "Range": f"0-{max(len(uploads[key]) - 1, 0)}"}

    def do_HEAD(self):
        name = self.path.rsplit(":", 1)[-1]
        self.say(200 if os.path.exists(os.path.join(folder, name)) else 404)

    def do_GET(self):
        key = self.path.rsplit("/", 1)[-1]
        if self.path == "/v2/":
            self.say(200)
        elif key in uploads:
            self.say(204, self.where(key))
        else:
            self.say(404)

    def do_POST(self):
        if mood == "deny":
            self.say(403, body=b'{"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}')
            return
        key = str(len(uploads) + 1)
        uploads[key] = b""
        self.say(202, self.where(key))

    def body(self):
        """What came of it: less than announced when we break off."""
        global broken
        length = int(self.headers.get("Content-Length", 0))
        if mood == "break" and length > 1000000 and not broken:
            broken = True
            return self.rfile.read(length // 2), False
        if mood in ("stall", "stone") and length > 1000000 and (mood == "stone" or not broken):
            broken = True
            return self.rfile.read(length // 2), False
        return self.rfile.read(length), True

    def leave(self, key):
        """In mid-upload; who stands still waits for the other to go."""
        if mood == "stone":
            uploads[key] = b""
        print("breaking off at", len(uploads[key]), flush=True)
        if mood in ("stall", "stone"):
            gone = select.poll()
            gone.register(self.connection, select.POLLRDHUP)
            gone.poll()
        self.close_connection = True
        self.connection.close()

    def do_PATCH(self):
        key = self.path.rsplit("/", 1)[-1]
        start, end = map(int, self.headers["Content-Range"].split("-"))
        data, whole = self.body()
        if not whole:
            uploads[key] += data
            self.leave(key)
            return
        if start != len(uploads[key]) or end - start + 1 != len(data):
            self.say(416)
            return
        uploads[key] += data
        self.say(202, self.where(key))

    def do_PUT(self):
        global broken
        if "/manifests/" in self.path:
            data, _ = self.body()
            name = self.keep(data)
            self.say(201, {"Docker-Content-Digest": "sha256:" + "0" * 64 if mood == "lie" else name})
            return
        key, _, query = self.path.rsplit("/", 1)[-1].partition("?")
        if mood == "chunks" and int(self.headers.get("Content-Length", 0)) > 1000000:
            self.say(413)
            self.close_connection = True
            return
        data, whole = self.body()
        if mood == "forget" and len(data) > 1000000 and not broken:
            broken = True
            del uploads[key]
            self.say(404, body=b'{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN","message":"blob upload unknown to registry"}]}')
            return
        uploads[key] += data
        if mood == "deaf" and len(data) > 1000000 and not broken:
            broken = True
            self.keep(uploads.pop(key))
            print("saying nothing", flush=True)
            self.close_connection = True
            return
        if not whole:
            self.leave(key)
            return
        digest = self.keep(uploads[key])
        self.say(201 if query == "digest=" + digest else 400, {"Docker-Content-Digest": digest})


http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
