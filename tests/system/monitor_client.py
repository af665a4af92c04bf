"""A kegd of the smallest kind: spawns keg-monitor and speaks its protocol (src/monitor/protocol.h)."""
import array
import json
import os
import select
import shutil
import socket
import tempfile
import time

PATIENCE = 20


def memfd(value):
    fd = os.memfd_create("config")
    os.write(fd, json.dumps(value).encode())
    return fd


class Error(Exception):
    def __init__(self, error):
        super().__init__(error["message"])
        self.kind = error["kind"]


class Connection:
    """One peer of a monitor: requests, their replies, events in between."""

    def __init__(self, sock):
        self.sock = sock
        self.events = []

    def packet(self):
        if not select.select([self.sock], [], [], PATIENCE)[0]:
            raise TimeoutError("no packet from the monitor")
        data, control, _, _ = self.sock.recvmsg(65536, socket.CMSG_SPACE(16 * 4))
        fds = array.array("i")
        for level, kind, payload in control:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                fds.frombytes(payload[:len(payload) // 4 * 4])
        if not data:
            raise EOFError("the monitor has gone")
        return json.loads(data), list(fds)

    def send(self, body, fds=()):
        control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        self.sock.sendmsg([json.dumps(body).encode()], control)

    def reply(self):
        while True:
            body, fds = self.packet()
            if "event" in body:
                self.events.append((body, fds))
            elif "error" in body:
                raise Error(body["error"])
            else:
                return body["ok"]

    def request(self, op, fds=(), **members):
        self.send({"op": op, **members}, fds)
        for fd in fds:
            os.close(fd)
        return self.reply()

    def event(self, name):
        while True:
            body, fds = self.events.pop(0) if self.events else self.packet()
            if body.get("event") == name:
                return body, fds
            if "error" in body:
                raise Error(body["error"])

    def attach(self, **members):
        ours, theirs = socket.socketpair()
        self.request("attach", fds=[os.dup(theirs.fileno())], **members)
        theirs.close()
        return ours

    def exec(self, exec_id, args, attach=None, tty=False, cwd="/", **members):
        ours, theirs = socket.socketpair()
        process = {"args": args, "cwd": cwd, "env": ["PATH=/bin:/sbin:/usr/bin"], "terminal": tty,
                   "user": {"uid": 0, "gid": 0}}
        fds = [memfd(process)] + ([os.dup(theirs.fileno())] if attach else [])
        self.request("exec", fds=fds, exec_id=exec_id, tty=tty, open_stdin=bool(attach and attach.get("stdin")),
                     attach=attach, **members)
        theirs.close()
        return ours


class Monitor(Connection):
    """A spawned keg-monitor with a RUN directory of its own."""

    def __init__(self, program):
        self.dir = tempfile.mkdtemp(prefix="keg-monitor-")
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        super().__init__(ours)
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.chdir(self.dir)
                os.dup2(theirs.fileno(), 3)
                os.set_inheritable(3, True)
                os.execv(program, [program])
            finally:
                os._exit(127)
        theirs.close()

    def start(self, config, **members):
        """Starts the container; a network namespace is accepted as it is."""
        body = {"op": "start", "id": os.path.basename(self.dir), "network": "inherit", **members}
        self.send(body, [memfd(config)])
        self.netns = None
        if body["network"] == "new":
            _, self.netns = self.event("network")
            self.send({"op": "network-ready"})
        return self.reply()

    def file(self, name):
        with open(os.path.join(self.dir, name)) as f:
            return json.load(f)

    def connect(self):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        sock.connect(os.path.join(self.dir, "monitor.sock"))
        return Connection(sock)

    def left(self):
        """Waits until the monitor has gone by itself."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.pid = 0
                return status == 0
            time.sleep(0.005)
        return False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.pid:
            try:
                self.request("signal", signal=9)
                self.left()
            except (Error, EOFError, OSError):
                pass
        if self.pid:
            os.kill(self.pid, 9)
            os.waitpid(self.pid, 0)
        shutil.rmtree(self.dir, ignore_errors=True)


def read_all(sock, until=None):
    data = b""
    while until is None or until not in data:
        if not select.select([sock], [], [], PATIENCE)[0]:
            raise TimeoutError(f"no more output after {data[-200:]!r}")
        piece = sock.recv(65536)
        if not piece:
            break
        data += piece
    return data
