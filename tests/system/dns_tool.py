#!/usr/bin/python3
"""DNS by hand.
    ask [--tcp|--half] [--edns SIZE] TYPE NAME [SERVER]      (--half: TCP whose sending half closes at once)
                                                             prints the code, "tc" if cut off, and the answers
    send HEX                                                 sends a datagram as it is, prints the answer's code or "none"
    serve ADDRESS LOG                                        a server on port 53: *.up.test is 192.0.2.N (N: length of the first
                                                             label), big.test has 100 addresses, slow.test never answers,
                                                             refused.test is refused, all else doesn't exist
"""
import select
import socket
import struct
import sys

TYPES = {"A": 1, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28}
CODES = ["NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"]


def encode(name):
    return b"".join(bytes([len(p)]) + p.encode() for p in name.split(".") if p) + b"\0"


def name_at(data, at):
    parts, end = [], None
    while data[at]:
        if data[at] >= 0xC0:
            end = end or at + 2
            at = (data[at] & 0x3F) << 8 | data[at + 1]
            continue
        parts.append(data[at + 1:at + 1 + data[at]].decode("latin1"))
        at += 1 + data[at]
    return ".".join(parts), end or at + 1


def show(data):
    _, flags, questions, answers, _, _ = struct.unpack(">6H", data[:12])
    words, at = [CODES[flags & 15]], 12
    if flags & 0x200:
        words.append("tc")
    for _ in range(questions):
        at = name_at(data, at)[1] + 4
    found = []
    for _ in range(answers):
        at = name_at(data, at)[1]
        kind, _, _, length = struct.unpack(">HHIH", data[at:at + 10])
        at += 10
        if kind in (1, 28):
            found.append(socket.inet_ntop(socket.AF_INET if kind == 1 else socket.AF_INET6, data[at:at + length]))
        else:
            found.append(name_at(data, at)[0] if kind == 12 else "?")
        at += length
    return " ".join(words + found)


def exact(s, n):
    data = b""
    while len(data) < n:
        more = s.recv(n - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def ask(args):
    tcp, half, edns = False, False, 0
    while args[0].startswith("--"):
        option = args.pop(0)
        half = half or option == "--half"
        tcp = tcp or option in ("--tcp", "--half")
        edns = int(args.pop(0)) if option == "--edns" else edns
    query = struct.pack(">6H", 0x1234, 0x100, 1, 0, 0, 1 if edns else 0)
    query += encode(args[1]) + struct.pack(">HH", TYPES[args[0]], 1)
    if edns:
        query += b"\0" + struct.pack(">HHIH", 41, edns, 0, 0)
    server = (args[2] if len(args) > 2 else "127.0.0.11", 53)
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM)
    s.settimeout(8)
    s.connect(server)
    if tcp:
        s.sendall(struct.pack(">H", len(query)) + query)
        if half:
            s.shutdown(socket.SHUT_WR)
        data = exact(s, struct.unpack(">H", exact(s, 2))[0])
    else:
        s.send(query)
        data = s.recv(65535)
    assert data[:2] == query[:2], "another id"
    print(show(data))


def send(args):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(0.3)
    s.connect(("127.0.0.11", 53))
    s.send(bytes.fromhex(args[0]))
    try:
        print(show(s.recv(65535)))
    except TimeoutError:
        print("none")


def answer(query, tcp, log):
    name, at = name_at(query, 12)
    kind = struct.unpack(">H", query[at:at + 2])[0]
    at += 4
    size = 65535 if tcp else 512
    if struct.unpack(">H", query[10:12])[0] and not tcp:
        size = struct.unpack(">H", query[at + 3:at + 5])[0]
    log.write(f"{'tcp' if tcp else 'udp'} {name}\n")
    log.flush()
    code, found, low = 0, [], name.lower()
    if low == "slow.test":
        return None
    if low == "refused.test":
        code = 5
    elif low == "big.test":
        found = [f"198.51.100.{i}" for i in range(100)]
    elif low.endswith(".up.test"):
        found = [f"192.0.2.{len(low.split('.')[0])}"]
    else:
        code = 3
    found = found if kind == 1 else []
    records = b"".join(b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 5, 4) + socket.inet_aton(a) for a in found)
    cut = len(records) + at > size
    flags = 0x8180 | code | (0x200 if cut else 0)
    head = query[:2] + struct.pack(">5H", flags, 1, 0 if cut else len(found), 0, 0)
    return head + query[12:at] + (b"" if cut else records)


def serve(args):
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    for s in (udp, tcp):
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((args[0], 53))
    tcp.listen(8)
    with open(args[1], "a") as log:
        print("ready", flush=True)
        while True:
            for s in select.select([udp, tcp], [], [])[0]:
                if s is udp:
                    query, peer = udp.recvfrom(65535)
                    reply = answer(query, False, log)
                    if reply:
                        udp.sendto(reply, peer)
                    continue
                c, _ = tcp.accept()
                try:
                    c.settimeout(2)
                    reply = answer(exact(c, struct.unpack(">H", exact(c, 2))[0]), True, log)
                    if reply:
                        c.sendall(struct.pack(">H", len(reply)) + reply)
                except (OSError, EOFError):
                    pass
                c.close()


{"ask": ask, "send": send, "serve": serve}[sys.argv[1]](sys.argv[2:])
