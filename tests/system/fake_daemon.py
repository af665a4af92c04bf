#!/usr/bin/env python3
"""A daemon that answers every GET of an archive with the tar file it was given: fake_daemon.py SOCKET FILE.tar NAME MODE.

NAME and MODE are what it says of the path in X-Docker-Container-Path-Stat. Writes "ready" when it listens, then the header
lines of each request."""
import base64
import json
import socketserver
import sys
from http.server import BaseHTTPRequestHandler

SOCKET, ARCHIVE, NAME, MODE = sys.argv[1:5]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def address_string(self):
        return "unix"

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.answer(b"")

    def do_GET(self):
        self.answer(open(ARCHIVE, "rb").read())

    def answer(self, body):
        print(*(f"{name}: {value}" for name, value in self.headers.items()), sep="\n", flush=True)
        stat = {"name": NAME, "size": 0, "mode": int(MODE), "mtime": "2020-01-01T00:00:00Z", "linkTarget": ""}
        self.send_response(200)
        self.send_header("X-Docker-Container-Path-Stat", base64.b64encode(json.dumps(stat).encode()).decode())
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(socketserver.UnixStreamServer):
    def server_activate(self):
        super().server_activate()
        print("ready", flush=True)


Server(SOCKET, Handler).serve_forever()
