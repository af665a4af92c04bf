#!/usr/bin/env python3
"""Attaches to a container over a hijacked connection, and goes on while kegd is killed.

api_hijack.py SOCKET CONTAINER KEGD_PID [plain]: the container must run cat. Without "plain" the client asks for an
upgrade, as docker does; with it, the connection is taken after a 200, as old clients expect. Prints "ok"."""
import os
import signal
import socket
import sys
import time

path, container, pid = sys.argv[1:4]
plain = len(sys.argv) > 4


def read_until(sock, wanted):
    data = b""
    while wanted not in data:
        piece = sock.recv(4096)
        assert piece, f"the connection ended after {data!r}"
        data += piece
    return data


sock = socket.socket(socket.AF_UNIX)
sock.settimeout(10)
sock.connect(path)
upgrade = b"" if plain else b"Connection: Upgrade\r\nUpgrade: tcp\r\n"
sock.sendall(b"POST /v1.51/containers/%s/attach?stream=1&stdin=1&stdout=1&stderr=1 HTTP/1.1\r\nHost: keg\r\n%s"
             b"Content-Length: 0\r\n\r\n" % (container.encode(), upgrade))
if not plain:
    sock.sendall(b"early\n")
head = read_until(sock, b"\r\n\r\n")
assert head.startswith(b"HTTP/1.1 200" if plain else b"HTTP/1.1 101"), head
if not plain:  # the terminal's echo and cat's own copy, in whatever pieces
    while head.count(b"early") < 2:
        head += sock.recv(4096)
sock.sendall(b"before\n")
read_until(sock, b"before\r\nbefore")
if int(pid):
    os.kill(int(pid), signal.SIGKILL)
    while os.path.exists(f"/proc/{pid}/fd"):
        time.sleep(0.02)
sock.sendall(b"after\n")
read_until(sock, b"after\r\nafter")
print("ok")
