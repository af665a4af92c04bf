#!/usr/bin/env python3
"""A crowd of clients, on raw sockets, because it is about how they behave.

    crowd.py calls CONTAINER N          N execs and attaches, eight at a time; most clients leave in the middle
    crowd.py followers CONTAINER N      N clients follow its logs and the events; each has to get what comes; prints kegd's PSS in kB

Needs $KEG_ROOT and $KEGD_PID. Exit status 1: something was wrong, and was said."""
import json
import os
import random
import selectors
import socket
import sys
import threading
import time

SOCKET = os.environ["KEG_ROOT"] + "/run/keg.sock"
PATIENCE_S = 60


def connect():
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(PATIENCE_S)
    s.connect(SOCKET)
    return s


def send(s, method, path, body=None, upgrade=False):
    data = json.dumps(body).encode() if body is not None else b""
    head = f"{method} {path} HTTP/1.1\r\nHost: keg\r\n"
    if upgrade:
        head += "Connection: Upgrade\r\nUpgrade: tcp\r\n"
    if body is not None:
        head += f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n"
    s.sendall(head.encode() + b"\r\n" + data)


def head_of(s):
    data = b""
    while b"\r\n\r\n" not in data:
        more = s.recv(4096)
        if not more:
            raise RuntimeError(f"no answer: {data!r}")
        data += more
    head, _, rest = data.partition(b"\r\n\r\n")
    return int(head.split()[1]), head, rest


def call(method, path, body=None):
    with connect() as s:
        send(s, method, path, body)
        status, head, rest = head_of(s)
        length = next((int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
        while len(rest) < length:
            rest += s.recv(65536)
    if status >= 300:
        raise RuntimeError(f"{method} {path}: {status} {rest!r}")
    return json.loads(rest) if rest else None


def an_exec(container, turn):
    words = [["true"], ["echo", "x"], ["cat"], ["sh", "-c", "echo begun; cat"], ["no-such-program"]][turn % 5]
    tty = turn % 2 == 0 and "cat" not in words[-1]  # with a terminal it would go on without its client
    made = call("POST", f"/containers/{container}/exec", {"Cmd": words, "AttachStdin": True, "AttachStdout": True,
                                                           "AttachStderr": True, "Tty": tty})
    if turn % 7 == 0:
        return  # never started
    with connect() as s:
        send(s, "POST", f"/exec/{made['Id']}/start", {"Tty": tty}, upgrade=True)
        if turn % 3 == 0:
            return  # not even the answer is waited for
        status, _, _ = head_of(s)
        if status not in (101, 200, 400, 404):
            raise RuntimeError(f"exec start: {status}")
        if turn % 3 == 1:
            s.sendall(b"some input\n")
            s.recv(10)
        # and leaves; what reads sees the end of its input


def an_attach(container, turn):
    with connect() as s:
        send(s, "POST", f"/containers/{container}/attach?stream=1&stdout=1&stdin={turn % 2}&logs={turn % 3 // 2}", upgrade=True)
        if turn % 3 == 0:
            return
        status, _, _ = head_of(s)
        if status != 101:
            raise RuntimeError(f"attach: {status}")
        if turn % 2:
            s.sendall(b"a line\n")


def calls(container, n):
    problems = []

    def worker(first):
        for turn in range(first, n, 8):
            try:
                (an_attach if turn % 4 == 3 else an_exec)(container, turn)
            except (BrokenPipeError, ConnectionResetError):
                pass  # the program was quicker
            except (OSError, RuntimeError) as e:
                problems.append(f"turn {turn}: {e}")
    threads = [threading.Thread(target=worker, args=(i,)) for i in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return problems


def kegd_pss():
    with open(f"/proc/{os.environ['KEGD_PID']}/smaps_rollup") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("Pss:"))


class Follower:
    def __init__(self, path):
        self.path, self.seen, self.s = path, b"", connect()
        send(self.s, "GET", path)


def followers(container, n):
    word, number = f"word-{random.randrange(1 << 30)}", call("GET", f"/containers/{container}/json")["Id"]
    everybody = [Follower(f"/containers/{number}/logs?follow=1&stdout=1&tail=1" if i % 2 else
                          f"/events?filters=%7B%22container%22%3A%5B%22{number}%22%5D%7D") for i in range(n)]
    selector = selectors.DefaultSelector()
    # the answer's head says that it is followed
    for f in everybody:
        _, _, f.seen = head_of(f.s)
        selector.register(f.s, selectors.EVENT_READ, f)
    with connect() as s:
        send(s, "POST", f"/containers/{container}/attach?stream=1&stdin=1", upgrade=True)
        head_of(s)
        s.sendall(f"{word}\n".encode())
        call("POST", f"/containers/{container}/rename?name={word}")
        waiting, until = set(everybody), time.monotonic() + PATIENCE_S
        while waiting and time.monotonic() < until:
            for key, _ in selector.select(1):
                more = key.fileobj.recv(65536)
                key.data.seen += more
                if word.encode() in key.data.seen:
                    waiting.discard(key.data)
                if not more:
                    selector.unregister(key.fileobj)
    call("POST", f"/containers/{word}/rename?name={container}")
    print(kegd_pss())
    for f in everybody:
        f.s.close()
    return [f"{f.path} never told of {word}: {f.seen[-200:]!r}" for f in waiting]


def main():
    what, container, n = sys.argv[1], sys.argv[2], int(sys.argv[3])
    problems = {"calls": calls, "followers": followers}[what](container, n)
    for p in problems[:20]:
        print(p, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
