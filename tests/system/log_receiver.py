#!/usr/bin/env python3
"""What listens where logs are sent.

    log_receiver.py KIND ADDRESS FILE [hold]

KIND is udp, tcp, unix or unixgram; ADDRESS a port of 127.0.0.1 or a path. Every byte that comes goes to FILE (datagrams end in a
mark, \\x1e). With hold nothing is read until SIGUSR1. FILE.ready appears when it listens.
"""
import pathlib
import signal
import socket
import sys


def main():
    kind, address, out = sys.argv[1:4]
    if len(sys.argv) > 4:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    stream = kind in ("tcp", "unix")
    family = socket.AF_UNIX if kind.startswith("unix") else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM if stream else socket.SOCK_DGRAM)
    if family == socket.AF_UNIX:
        pathlib.Path(address).unlink(missing_ok=True)
        sock.bind(address)
    else:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22 if not stream else 1 << 16)
        sock.bind(("127.0.0.1", int(address)))
    if stream:
        sock.listen()
    with open(out, "ab", buffering=0) as file:
        pathlib.Path(out + ".ready").touch()
        while True:
            peer = sock.accept()[0] if stream else sock
            if len(sys.argv) > 4:
                signal.sigwait({signal.SIGUSR1})
            while data := peer.recv(1 << 18):
                file.write(data if stream else data + b"\x1e")


main()
