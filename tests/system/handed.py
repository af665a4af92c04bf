#!/usr/bin/env python3
"""Uploads whose body is handed over as a descriptor.

handed.py post SOCKET URL FILE [rw]   as keg does it; what comes after the 101 goes to standard output ("nothing": the end)
handed.py relay LISTEN SOCKET         passes bytes both ways, as ssh does with a socket: descriptors get lost; says "ready",
                                      then a line for each upload that was asked for by descriptor"""
import os
import socket
import sys
import threading


def connect(path):
    s = socket.socket(socket.AF_UNIX)
    s.connect(path)
    return s


def post(path, url, name, mode="r"):
    s = connect(path)
    s.settimeout(60)
    s.sendall(f"POST {url} HTTP/1.1\r\nHost: keg\r\nConnection: Upgrade\r\nUpgrade: keg-file\r\n"
              "Content-Length: 0\r\n\r\n".encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += s.recv(1)
    assert head.startswith(b"HTTP/1.1 101 "), head
    with open(name, "rb+" if mode == "rw" else "rb") as f:
        socket.send_fds(s, [b"\0"], [f.fileno()])
        if s.recv(1) != b"\0":
            print("nothing")
            return
        while piece := s.recv(65536):
            sys.stdout.buffer.write(piece)


def relay(listen, path):
    server = socket.socket(socket.AF_UNIX)
    server.bind(listen)
    server.listen()
    print("ready", flush=True)

    def pump(a, b):
        try:
            while data := a.recv(65536):
                if b"Upgrade: keg-file" in data and data.startswith(b"POST"):
                    print("handed", flush=True)
                b.sendall(data)
        except OSError:
            pass
        for s in a, b:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    while True:
        a, _ = server.accept()
        b = connect(path)
        for pair in (a, b), (b, a):
            threading.Thread(target=pump, args=pair, daemon=True).start()


if __name__ == "__main__":
    {"post": post, "relay": relay}[sys.argv[1]](*sys.argv[2:])
