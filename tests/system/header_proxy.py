#!/usr/bin/env python3
"""A way to a registry for those who know the word: header_proxy.py PORT UPSTREAM

/api/… stands for UPSTREAM/v2/…, read only, and wants the header "X-Word: sesame". A line for each request on standard output."""
import http.server
import ssl
import sys
import urllib.error
import urllib.request

port, upstream = int(sys.argv[1]), sys.argv[2]
trusting = ssl._create_unverified_context()


class Proxy(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def answer(self, status, headers, body):
        print(self.command, self.path, status, flush=True)
        self.send_response(status)
        for name in ("Content-Type", "Docker-Content-Digest"):
            if headers.get(name):
                self.send_header(name, headers[name])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if not self.path.startswith("/api/") or self.headers.get("X-Word") != "sesame":
            self.answer(403, {}, b"")
            return
        request = urllib.request.Request(upstream + "/v2/" + self.path[5:], headers={"Accept": self.headers.get("Accept", "*/*")})
        try:
            with urllib.request.urlopen(request, context=trusting) as reply:
                self.answer(reply.status, reply.headers, reply.read())
        except urllib.error.HTTPError as e:
            self.answer(e.code, e.headers, e.read())


http.server.ThreadingHTTPServer(("127.0.0.1", port), Proxy).serve_forever()
