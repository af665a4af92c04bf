#!/usr/bin/python3
"""python3-docker against the engine at DOCKER_HOST, which has the image busybox: containers, execs, streams, networks, volumes,
events. Each function is a test; prints "ok NAME" a line, and ends with 1 when one fails."""
import socket
import struct
import sys
import threading
import traceback

import docker

client = docker.from_env(timeout=20)


def sleeper(**options):
    return client.containers.run("busybox", "sleep 1000", detach=True, **options)


def run_gives_output():
    assert client.containers.run("busybox", ["echo", "hello"], remove=True) == b"hello\n"
    try:
        client.containers.run("busybox", ["sh", "-c", "echo bad >&2; exit 3"], remove=True)
    except docker.errors.ContainerError as error:
        assert error.exit_status == 3 and error.stderr == b"bad\n", (error.exit_status, error.stderr)
    else:
        raise AssertionError("no error")


def life():
    c = sleeper(name="py-life", labels={"a": "b"}, environment={"X": "y"}, mem_limit="64m", restart_policy={"Name": "no"})
    assert c.status == "created" and c.name == "py-life"
    c.reload()
    assert c.status == "running" and c.attrs["HostConfig"]["Memory"] == 64 << 20
    c.pause()
    c.reload()
    assert c.status == "paused"
    c.unpause()
    c.rename("py-renamed")
    assert client.containers.get("py-renamed").id == c.id
    assert [x.id for x in client.containers.list(filters={"label": "a=b"})] == [c.id]
    c.update(mem_limit="128m", memswap_limit="256m")
    c.restart(timeout=0)
    c.kill()
    assert c.wait()["StatusCode"] == 137
    c.start()
    c.stop(timeout=0)
    c.remove()
    try:
        client.containers.get("py-renamed")
    except docker.errors.NotFound:
        return
    raise AssertionError("still there")


def logs():
    c = client.containers.run("busybox", ["sh", "-c", "for i in 1 2 3; do echo line $i; done; echo e >&2"], detach=True)
    c.wait()
    assert c.logs(stderr=False) == b"line 1\nline 2\nline 3\n"
    assert c.logs(stdout=False) == b"e\n"
    assert c.logs(tail=2).endswith(b"e\n") or c.logs(tail=2) == b"e\nline 3\n"
    assert b"".join(c.logs(stream=True, follow=True, stderr=False)) == b"line 1\nline 2\nline 3\n"
    assert c.logs(stderr=False, timestamps=True).splitlines()[2].split(b" ", 1)[1] == b"line 3"


def execs():
    c = sleeper()
    assert c.exec_run("echo hi").output == b"hi\n"
    result = c.exec_run(["sh", "-c", "echo out; echo err >&2; exit 5"], demux=True)
    assert result.exit_code == 5 and result.output == (b"out\n", b"err\n"), result
    assert b"".join(c.exec_run("seq 3", stream=True).output) == b"1\n2\n3\n"
    assert c.exec_run("sh -c 'echo $V; pwd; id -u'", environment={"V": "w"}, workdir="/tmp", user="1000").output == b"w\n/tmp\n1000\n"
    made = client.api.exec_create(c.id, "cat", stdin=True)["Id"]
    sock = client.api.exec_start(made, socket=True)
    raw = sock._sock
    raw.sendall(b"through\n")
    raw.shutdown(socket.SHUT_WR)
    data = b""
    while True:
        more = raw.recv(4096)
        if not more:
            break
        data += more
    assert data == struct.pack(">BxxxI", 1, 8) + b"through\n", data
    sock.close()
    assert client.api.exec_inspect(made)["ExitCode"] == 0


def attach():
    c = client.containers.create("busybox", "cat", stdin_open=True)
    sock = c.attach_socket(params={"stdin": 1, "stdout": 1, "stream": 1})
    c.start()
    sock._sock.sendall(b"x\n")
    assert sock._sock.recv(100) == struct.pack(">BxxxI", 1, 2) + b"x\n"
    sock.close()
    c.kill()
    c = client.containers.create("busybox", ["sh", "-c", "echo a; echo b"])
    stream = c.attach(stream=True)
    c.start()
    assert b"".join(stream) == b"a\nb\n"


def networks():
    n = client.networks.create("py-net", driver="bridge", labels={"l": "1"}, ipam=docker.types.IPAMConfig(
        pool_configs=[docker.types.IPAMPool(subnet="10.97.0.0/24", gateway="10.97.0.1", aux_addresses={"p": "10.97.0.9"})]))
    web = sleeper(name="py-web", network="py-net")
    other = sleeper(name="py-other")
    n.connect(other, aliases=["friend"], ipv4_address="10.97.0.50")
    n.reload()
    assert sorted(c.name for c in n.containers) == ["py-other", "py-web"]
    assert b"10.97.0.50" in web.exec_run("nslookup friend").output
    n.disconnect(other)
    assert web.exec_run("nslookup friend").exit_code != 0
    assert [x.name for x in client.networks.list(filters={"label": "l=1"})] == ["py-net"]
    web.remove(force=True)
    n.remove()


def volumes():
    v = client.volumes.create("py-vol", labels={"v": "1"})
    client.containers.run("busybox", ["sh", "-c", "echo kept > /v/f"], volumes={"py-vol": {"bind": "/v", "mode": "rw"}}, remove=True)
    assert client.containers.run("busybox", "cat /v/f", volumes={"py-vol": {"bind": "/v", "mode": "ro"}}, remove=True) == b"kept\n"
    assert v.name in [x.name for x in client.volumes.list()]
    v.remove()


def ports():
    c = client.containers.run("busybox", "sleep 1000", ports={"80/tcp": ("127.0.0.1", None), "53/udp": 15353}, detach=True)
    c.reload()
    assert c.ports["53/udp"][0]["HostPort"] == "15353" and int(c.ports["80/tcp"][0]["HostPort"]) > 0


def events():
    seen, stream = [], client.events(decode=True, filters={"type": "container"})
    reader = threading.Thread(target=lambda: [seen.append(e["Action"]) for e in stream])
    reader.start()
    client.containers.run("busybox", "true", remove=True)
    for _ in range(100):
        if "destroy" in seen:
            break
        threading.Event().wait(0.05)
    stream.close()
    reader.join(5)
    assert seen == ["create", "start", "die", "destroy"], seen


def images_and_system():
    image = client.images.get("busybox")
    assert "busybox:latest" in image.tags
    image.tag("py-tagged", tag="1")
    assert client.images.get("py-tagged:1").id == image.id
    client.images.remove("py-tagged:1")
    assert client.ping() and client.info()["OSType"] == "linux" and client.version()["ApiVersion"]
    assert "Layers" in client.df() or "Images" in client.df()


def top_and_prune():
    c = sleeper()
    assert any("sleep" in p[-1] for p in c.top()["Processes"])
    c.remove(force=True)
    client.containers.create("busybox", "true")
    assert client.containers.prune()["ContainersDeleted"]


tests = [run_gives_output, life, logs, execs, attach, networks, volumes, ports, events, images_and_system, top_and_prune]
failed = 0
for test in tests:
    try:
        test()
        print("ok", test.__name__)
    except Exception:
        failed = 1
        print("not ok", test.__name__)
        traceback.print_exc(file=sys.stdout)
    for leftover in client.containers.list(all=True):
        leftover.remove(force=True, v=True)
sys.exit(failed)
