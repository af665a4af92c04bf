"""Attaches by websocket: websocket.py SOCKET PATH [--text TEXT | --split TEXT | --large SIZE | --await TEXT | --shell COMMAND | --gone |
--half | --eof | --bad]…

Sends what is said, prints the handshake's status line and headers of interest, then what comes until the end: payloads as they
are, and "[close CODE]", "[pong DATA]", "[opcode N]" for the rest.
"""
import base64
import hashlib
import os
import socket
import struct
import subprocess
import sys


def frame(opcode, data, fin=True, mask=True):
    head = bytes([opcode | (0x80 if fin else 0)])
    flag = 0x80 if mask else 0
    if len(data) < 126:
        head += bytes([len(data) | flag])
    elif len(data) < 65536:
        head += bytes([126 | flag]) + struct.pack(">H", len(data))
    else:
        head += bytes([127 | flag]) + struct.pack(">Q", len(data))
    key = os.urandom(4) if mask else b""
    return head + key + bytes(b ^ key[i % 4] for i, b in enumerate(data)) if mask else head + data


def read_exactly(stream, n):
    data = stream.read(n)
    return data if len(data) == n else None


def show(stream, until=None):
    """Until the end, or until a payload has the text."""
    kinds, seen = set(), b""
    while True:
        head = read_exactly(stream, 2)
        if not head:
            break
        opcode, size = head[0] & 15, head[1]
        if size == 126:
            size = struct.unpack(">H", read_exactly(stream, 2))[0]
        elif size == 127:
            size = struct.unpack(">Q", read_exactly(stream, 8))[0]
        data = read_exactly(stream, size) or b""
        if opcode in (1, 2):
            kinds.add(opcode)
            sys.stdout.buffer.write(data)
            sys.stdout.flush()
            seen += data
            if until and until in seen:
                return
        elif opcode == 8:
            print(f"[close {struct.unpack('>H', data[:2])[0] if data else 0}]")
        elif opcode == 10:
            print(f"[pong {data.decode()}]")
        sys.stdout.flush()
    print(f"[frames of {sorted(kinds)}]")


def act(sock, stream, words):
    """Does what the words say; False: it has gone, and looks at nothing more."""
    while words:
        word = words.pop(0)
        if word == "--text":
            sock.sendall(frame(2, words.pop(0).encode()))
        elif word == "--split":
            data = words.pop(0).encode()
            for i in range(len(data)):  # a message in frames of one byte, each in pieces, with a ping in between
                piece = frame(2 if i == 0 else 0, data[i:i + 1], fin=i == len(data) - 1)
                for b in piece:
                    sock.sendall(bytes([b]))
                if i == 1:
                    sock.sendall(frame(9, b"hello"))
        elif word == "--await":
            show(stream, words.pop(0).encode())
        elif word == "--large":
            sock.sendall(frame(2, b"x" * int(words.pop(0)) + b"\n"))
        elif word == "--bad":
            sock.sendall(frame(2, b"unmasked", mask=False))
        elif word == "--shell":  # meanwhile
            subprocess.run(words.pop(0), shell=True, check=True, executable="/bin/bash")
        elif word == "--gone":  # without a word, and without having read what came
            sock.close()
            stream.close()
            return False
        elif word == "--half":
            sock.shutdown(socket.SHUT_WR)
        elif word == "--eof":
            sock.sendall(frame(8, struct.pack(">H", 1000)))
    return True


def main():
    path, url, words = sys.argv[1], sys.argv[2], sys.argv[3:]
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(20)
    sock.connect(path)
    key = base64.b64encode(os.urandom(16)).decode()
    sock.sendall(f"GET {url} HTTP/1.1\r\nHost: keg\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
                 f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\nOrigin: http://localhost\r\n\r\n".encode())
    stream = sock.makefile("rb")
    status = stream.readline().decode().strip()
    headers = {}
    while (line := stream.readline().strip()):
        name, _, value = line.decode().partition(": ")
        headers[name.lower()] = value
    print(status)
    if " 101 " not in status:
        print(stream.read(int(headers["content-length"])).decode())
        return
    wanted = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
    assert headers["sec-websocket-accept"] == base64.b64encode(wanted).decode(), headers
    assert headers["upgrade"].lower() == "websocket", headers
    try:
        if not act(sock, stream, words):
            return
    except BrokenPipeError:
        pass  # the other side has ended; what it said before is to be read still
    show(stream)


main()
