#!/usr/bin/env python3
"""A criu that speaks its RPC and does nothing: tells in $FAKE_CRIU_LOG what it was asked, a JSON object a line.

FAKE_CRIU_FAIL: the message with which dump and restore fail. FAKE_CRIU_MEM=1: memory can be tracked.
"""
import array
import json
import os
import socket
import sys

VERSION, DUMP, RESTORE, PRE_DUMP, NOTIFY, FEATURES = 10, 1, 2, 4, 6, 9


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return value, at


def decode(data):
    at, fields = 0, {}
    while at < len(data):
        key, at = varint(data, at)
        value, at = varint(data, at)
        if key & 7 == 2:
            value, at = data[at:at + value], at + value
        fields.setdefault(key >> 3, []).append(value)
    return fields


def put(number, value):
    def raw(n):
        out = b""
        while n >= 0x80:
            out, n = out + bytes([n & 0x7F | 0x80]), n >> 7
        return out + bytes([n])
    if isinstance(value, int):
        return raw(number << 3) + raw(value)
    return raw(number << 3 | 2) + raw(len(value)) + value


def log(**what):
    with open(os.environ["FAKE_CRIU_LOG"], "a") as f:
        print(json.dumps(what), file=f)


def pair(data):
    fields = decode(data)
    return [v[0].decode() if isinstance(v[0], bytes) else v[0] for _, v in sorted(fields.items())]


def options(data):
    o = decode(data)
    text = {10: "log_file", 13: "root", 14: "parent_img", 44: "freeze_cgroup", 51: "config_file", 53: "lsm_profile"}
    told = {name: o[n][0].decode() for n, name in text.items() if n in o}
    told.update({name: o[n][0] for n, name in {2: "pid", 3: "leave_running", 5: "tcp_established", 34: "cgroups_mode"}.items() if n in o})
    told["mounts"] = [pair(m) for m in o.get(23, [])]
    told["external"] = [e.decode() for e in o.get(37, [])]
    told["inherited"] = [pair(m) for m in o.get(27, [])]
    told["cgroups"] = [pair(m) for m in o.get(25, [])]
    told["joined"] = [pair(m) for m in o.get(39, [])]
    told["page_server"] = [pair(m) for m in o.get(11, [])]
    for name, n in (("images", 1), ("work", 17)):
        told[name] = os.readlink("/proc/self/fd/%d" % o[n][0])
    told["root_is_mount"] = any(line.split()[4] == told["root"] for line in open("/proc/self/mountinfo"))
    told["own_cgroup"] = open("/proc/self/cgroup").read()
    return told


def main():
    s = socket.socket(fileno=int(sys.argv[2]))
    request = decode(s.recv(1 << 20))
    kind = request[1][0]
    if kind == VERSION:
        s.send(put(1, kind) + put(2, 1) + put(10, put(1, 4) + put(2, int(os.environ.get("FAKE_CRIU_MINOR", "2")))))
        return
    if kind == FEATURES:
        s.send(put(1, kind) + put(2, 1) + put(8, put(1, int(os.environ.get("FAKE_CRIU_MEM", "0"))) + put(8, put(2, 0))))
        return
    log(kind=kind, **options(request[2][0]))
    if "FAKE_CRIU_FAIL" in os.environ:
        s.send(put(1, kind) + put(2, 0) + put(7, 5) + put(9, os.environ["FAKE_CRIU_FAIL"].encode()))
        sys.exit(1)
    for script in ["status-ready", "post-dump"] if kind == DUMP else []:
        s.send(put(1, NOTIFY) + put(2, 1) + put(5, put(1, script.encode())))
        answer = decode(s.recv(1 << 16))
        assert answer[1][0] == NOTIFY and answer[3][0] == 1
    if kind == RESTORE:
        restore(s)
        return
    s.send(put(1, kind) + put(2, 1))


def restore(s):
    """Instead of processes restored there is one that sleeps, as a sibling."""
    import ctypes
    clone_parent, sigchld = 0x8000, 17
    pid = ctypes.CDLL(None, use_errno=True).syscall(56, clone_parent | sigchld, 0, 0, 0, 0)  # clone(2) on x86_64
    if pid == 0:
        os.execvp("sleep", ["sleep", "100"])
    master, slave = os.openpty()
    for script, fds in (("setup-namespaces", []), ("orphan-pts-master", [master]), ("post-restore", [])):
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        s.sendmsg([put(1, NOTIFY) + put(2, 1) + put(5, put(1, script.encode()) + put(2, pid))], rights)
        assert decode(s.recv(1 << 16))[1][0] == NOTIFY
    s.send(put(1, RESTORE) + put(2, 1) + put(4, put(1, pid)))


main()
