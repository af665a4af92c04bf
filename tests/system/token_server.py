#!/usr/bin/env python3
"""A token server for docker-registry: token_server.py ADDRESS:PORT FOLDER

FOLDER has cert.pem and key.pem (RSA), which docker-registry's rootcertbundle names as well: tokens are signed with the key, the
server speaks TLS with them. The user is ann, her password sesame, her refresh token "refresh-ann". Without credentials only
pulls from public/… are allowed. Tokens are good for as long as FOLDER/seconds says, or a minute. A line for each request on
standard output: method, how the caller showed who they are, the scopes."""
import base64
import http.server
import json
import os
import ssl
import subprocess
import sys
import time
import urllib.parse

(address, _, port), folder = sys.argv[1].rpartition(":"), sys.argv[2]


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def certificate():
    with open(folder + "/cert.pem", encoding="ascii") as f:
        return "".join(line.strip() for line in f if not line.startswith("-"))


def allowed(scope, known):
    kind, _, rest = scope.partition(":")
    name, _, actions = rest.rpartition(":")
    mine = actions.split(",") if known else [a for a in actions.split(",") if a == "pull" and name.startswith("public/")]
    return {"type": kind, "name": name, "actions": mine}


def token(service, scopes, known):
    seconds, now = 60, int(time.time())
    if os.path.exists(folder + "/seconds"):
        with open(folder + "/seconds", encoding="ascii") as f:
            seconds = int(f.read())
    head = {"typ": "JWT", "alg": "RS256", "x5c": [certificate()]}
    body = {"iss": "keg test", "sub": "ann" if known else "", "aud": service, "exp": now + seconds, "nbf": now - 5, "iat": now,
            "jti": str(time.monotonic_ns()), "access": [allowed(s, known) for s in scopes]}
    text = b64(json.dumps(head).encode()) + "." + b64(json.dumps(body).encode())
    signed = subprocess.run(["openssl", "dgst", "-sha256", "-sign", folder + "/key.pem"], input=text.encode(),
                            stdout=subprocess.PIPE, check=True)
    return text + "." + b64(signed.stdout)


class Server(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def grant(self, how, query, good, known):
        scopes = [s for one in query.get("scope", []) for s in one.split()]
        print(self.command, how, " ".join(scopes), flush=True)
        if not good:
            self.answer(401, {"errors": [{"code": "UNAUTHORIZED", "message": "incorrect username or password"}]})
            return
        # OAuth2 has its own name for it
        body = {"access_token" if how == "refresh" else "token": token(query["service"][0], scopes, known), "expires_in": 60}
        if query.get("offline_token") == ["true"] and known:
            body["refresh_token"] = "refresh-ann"
        self.answer(200, body)

    def do_GET(self):
        query = urllib.parse.parse_qs(self.path.partition("?")[2])
        given = self.headers["Authorization"]
        good = given in (None, "Basic " + base64.b64encode(b"ann:sesame").decode())
        self.grant("password" if given else "anonymous", query, good, given is not None)

    def do_POST(self):
        form = urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        good = form["grant_type"] == ["refresh_token"] and form["refresh_token"] == ["refresh-ann"]
        self.grant("refresh", form, good, True)


server = http.server.ThreadingHTTPServer((address, int(port)), Server)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(folder + "/cert.pem", folder + "/key.pem")
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
