"""System tests of keg-monitor with the real runtime: monitor_checks.py CHECK PROGRAM-DIRECTORY ROOTFS. See monitor.bats."""
import fcntl
import glob
import itertools
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import termios
import time

from monitor_client import Error, Monitor, PATIENCE, read_all

BUILD, ROOTFS = sys.argv[2], sys.argv[3]
PROGRAM = os.path.join(BUILD, "keg-monitor")
CGROUP = f"/keg-monitor-test-{os.getpid()}"
COUNTER = itertools.count()
ALL = {"stdin": True, "stdout": True, "stderr": True}


def config(args, tty=False, namespaces=("pid", "ipc", "uts", "mount"), mounts=(), **process):
    nosuid = ["nosuid", "noexec", "nodev"]
    return {
        "ociVersion": "1.2.0",
        "process": {"terminal": tty, "user": {"uid": 0, "gid": 0}, "args": args, "cwd": "/",
                    "env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"], **process},
        "root": {"path": ROOTFS},
        "hostname": "box",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc", "options": nosuid},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
            {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
             "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]},
            *mounts,
        ],
        "linux": {"namespaces": [{"type": ns} for ns in namespaces], "cgroupsPath": f"{CGROUP}-{next(COUNTER)}"},
    }


def sh(script, **more):
    return config(["/bin/sh", "-c", script], **more)


def cgroups_left():
    return glob.glob(f"/sys/fs/cgroup/**{CGROUP}*", recursive=True) + glob.glob(f"/sys/fs/cgroup/*{CGROUP}*")


def expect_error(kind, call):
    try:
        call()
    except Error as error:
        assert error.kind == kind, f"{error.kind}: {error}"
        return
    raise AssertionError(f"no error, but {kind} was expected")


def check_run():
    """Output, both streams logged, the exit code in the event and on disk, nothing left."""
    with Monitor(PROGRAM) as m:
        client = m.attach(**ALL)
        log = os.path.join(m.dir, "log")
        reply = m.start(sh("echo pid $$; hostname; ls /proc/self/fd; echo bad >&2; exit 42"),
                        log={"driver": "json-file", "path": log})
        assert reply["pid"] > 0 and reply["started_at"] > 0, reply
        event, _ = m.event("exit")
        assert event["exit_code"] == 42 and not event["oom_killed"], event
        output = read_all(client).decode()
        assert "pid 1\nbox\n0\n1\n2\n3\n" in output and "bad\n" in output, output  # 3: ls reads the directory
        records = [json.loads(line) for line in open(log)]
        assert "".join(r["log"] for r in records if r["stream"] == "stdout") == output.replace("bad\n", "")
        assert [r["log"] for r in records if r["stream"] == "stderr"] == ["bad\n"]
        state = m.file("exit.json")
        assert state["status"] == "stopped" and state["exit_code"] == 42, state
        assert m.left()
        assert not os.path.exists(os.path.join(m.dir, "monitor.sock"))
    assert not cgroups_left(), cgroups_left()


def check_overlay():
    """A stack of layers: writes go to the upper one."""
    with Monitor(PROGRAM) as m:
        for name in ("upper", "work"):
            os.mkdir(os.path.join(m.dir, name))
        c = sh("echo new >/made")
        del c["root"]
        m.start(c, overlay={"lower": [ROOTFS], "upper": m.dir + "/upper", "work": m.dir + "/work"})
        assert m.event("exit")[0]["exit_code"] == 0
        assert open(m.dir + "/upper/made").read() == "new\n"
        assert not os.path.exists(ROOTFS + "/made")
        assert m.left()


def check_terminal():
    """An interactive shell: PID 1, size, resize, detach and attach again, exit code."""
    with Monitor(PROGRAM) as m:
        client = m.attach(**ALL)
        m.start(config(["/bin/sh"], tty=True), tty=True, open_stdin=True, console_size=[30, 90])
        client.sendall(b"stty size; echo $$\r")
        read_all(client, b"30 90\r\n1\r\n")
        m.request("resize", height=40, width=120)
        client.sendall(b"stty size; tty\r")
        read_all(client, b"40 120\r\n/dev/")
        client.sendall(b"echo par\x10\x11")
        assert m.event("detach")[0].get("exec_id") is None
        assert not client.recv(1000).endswith(b"\x10")
        client = m.attach(**ALL)
        client.sendall(b"tial; exit 6\r")
        assert b"partial\r\n" in read_all(client)
        assert m.event("exit")[0]["exit_code"] == 6
        assert m.left()


def check_failed_starts():
    """127, 126 and a wrong configuration: an error, no container, no trace, no monitor."""
    for kind, bad in (("no program", config(["/nonexistent"])), ("cannot invoke", config(["/etc"])),
                      ("no program", config(["nowhere"]))):
        with Monitor(PROGRAM) as m:
            client = m.attach(**ALL)
            expect_error(kind, lambda c=bad: m.start(c))
            assert read_all(client) == b""
            assert m.left()
            assert not os.path.exists(os.path.join(m.dir, "exit.json"))
    with Monitor(PROGRAM) as m:
        expect_error("invalid", lambda: m.start({"process": 5}))
        assert m.left()
    assert not cgroups_left(), cgroups_left()


def check_network():
    """The namespace and a socket in it come before the start; lo is up; the container is in it."""
    for namespaces in (("pid", "mount", "uts"), ("pid", "mount", "uts", "user")):
        with Monitor(PROGRAM) as m:
            client = m.attach(**ALL)
            c = sh("readlink /proc/self/ns/net; cat /proc/net/dev | grep -c :; ping -c1 -w2 127.0.0.1 >/dev/null; echo $?",
                   namespaces=namespaces, capabilities={k: ["CAP_NET_RAW"] for k in ("bounding", "effective", "permitted")})
            if "user" in namespaces:
                for key in ("uidMappings", "gidMappings"):
                    c["linux"][key] = [{"containerID": 0, "hostID": 0, "size": 65536}]
            m.start(c, network="new")
            assert len(m.netns) == 2, m.netns
            inode = os.fstat(m.netns[0]).st_ino
            assert inode != os.stat("/proc/self/ns/net").st_ino
            with socket.socket(fileno=m.netns[1]) as netlink:
                netlink.send(struct.pack("=LHHLLBxHiLL", 32, 18, 0x301, 1, 0, 0, 0, 0, 0, 0))  # RTM_GETLINK, dump
                assert b"lo\0" in netlink.recv(65536)
            lines = read_all(client).decode().split()
            assert lines[0] == f"net:[{inode}]" and lines[2] == "0", lines
            assert m.event("exit")[0]["exit_code"] == 0
            assert m.left()
            os.close(m.netns[0])


def check_network_refused():
    """kegd can't furnish the network: start fails with its error; kegd dies meanwhile: nothing stays."""
    with Monitor(PROGRAM) as m:
        m.send({"op": "start", "id": "x", "network": "new"}, [memfd_config()])
        m.event("network")
        m.send({"op": "network-ready", "error": {"kind": "conflict", "message": "port is taken"}})
        expect_error("conflict", m.reply)
        assert m.left()
    with Monitor(PROGRAM) as m:
        m.send({"op": "start", "id": "x", "network": "new"}, [memfd_config()])
        m.event("network")
        m.sock.close()
        assert m.left()
    assert not cgroups_left(), cgroups_left()


def memfd_config():
    from monitor_client import memfd
    return memfd(sh("sleep 60"))


def check_exec():
    """Exec sessions: streams, exit codes, 126 and 127, terminal and its size, background children, signals."""
    with Monitor(PROGRAM) as m:
        m.start(sh("sleep 600"))
        client = m.exec("e1", ["/bin/sh", "-c", "cat; hostname; exit 3"], attach=ALL)
        client.sendall(b"through\n")
        client.shutdown(socket.SHUT_WR)
        assert read_all(client) == b"through\nbox\n"
        event, _ = m.event("exec-exit")
        assert event.pop("time") > 0
        assert event == {"event": "exec-exit", "exec_id": "e1", "exit_code": 3}, event
        expect_error("no program", lambda: m.exec("e2", ["/nonexistent"], attach=ALL))
        expect_error("cannot invoke", lambda: m.exec("e3", ["/etc"], attach=ALL))
        client = m.exec("e4", ["/bin/sh"], attach=ALL, tty=True)
        m.request("resize", exec_id="e4", height=12, width=34)
        client.sendall(b"stty size\r")
        read_all(client, b"12 34\r\n")
        client.sendall(b"exit 9\r")
        read_all(client)
        assert m.event("exec-exit")[0]["exit_code"] == 9
        begin = time.monotonic()
        client = m.exec("e5", ["/bin/sh", "-c", "sleep 30 & echo on"], attach=ALL)
        assert read_all(client) == b"on\n"
        assert time.monotonic() - begin < 10
        m.exec("e6", ["/bin/sh", "-c", "kill -9 $$"])
        while (event := m.event("exec-exit")[0])["exec_id"] != "e6":
            pass
        assert event["exit_code"] == 137, event
        m.request("signal", signal=int(signal.SIGKILL))
        assert m.event("exit")[0]["exit_code"] == 137
        assert m.left()
    assert not cgroups_left(), cgroups_left()


def check_exec_groups():
    """What an exec leaves behind is found, ended on demand, with its process or its client; controllers given on are no obstacle."""
    with Monitor(PROGRAM) as m:
        m.start(sh("sleep 600", namespaces=("pid", "ipc", "uts", "mount", "cgroup"),
                   mounts=[{"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["rw"]}]))
        leaves = ["/bin/sh", "-c", "(setsid sleep 601 & setsid sleep 602 &) </dev/null >/dev/null 2>&1; exit 4"]

        def leave(exec_id, left, **members):
            m.exec(exec_id, leaves, **members)
            event, _ = m.event("exec-exit")
            assert event["exit_code"] == 4 and event.get("left", False) == left, event
            pids = m.request("exec-left", exec_id=exec_id)["pids"]
            assert len(pids) == (2 if left else 0), pids
            return pids

        for pid in leave("e1", True):
            end = time.monotonic() + PATIENCE
            while not (line := open(f"/proc/{pid}/cmdline").read()).startswith("sleep\0" + "60"):
                assert time.monotonic() < end, line
        assert m.request("state")["execs"]["e1"]["left"]
        assert m.request("exec-left", exec_id="e1", end=True)["pids"] == []
        assert "left" not in m.request("state")["execs"]["e1"]
        leave("e2", False, ends_with="process")
        if os.path.exists("/sys/fs/cgroup/cgroup.controllers"):  # v2: the container gives its controllers on
            client = m.exec("e3", ["/bin/sh", "-c", "cd /sys/fs/cgroup && mkdir leaf && for p in $(cat cgroup.procs); do echo $p >leaf/cgroup.procs; done;"
                            "echo $$ >leaf/cgroup.procs; echo +pids >cgroup.subtree_control && cat cgroup.subtree_control"], attach=ALL)
            assert b"pids" in read_all(client)
            assert m.event("exec-exit")[0]["exit_code"] == 0
            m.request("exec-left", exec_id="e3")
        for pid in leave("e4", True):
            os.kill(pid, signal.SIGKILL)
        client = m.exec("e5", ["/bin/sh", "-c", "setsid sleep 603 & echo on; sleep 604"], attach=ALL, ends_with="client")
        read_all(client, b"on\n")
        client.close()
        event, _ = m.event("exec-exit")
        assert event["exec_id"] == "e5" and event["exit_code"] == 137 and "left" not in event, event
        expect_error("not found", lambda: m.request("exec-left", exec_id="nobody"))
        m.request("signal", signal=int(signal.SIGKILL))
        m.event("exit")
        assert m.left()
    assert not cgroups_left(), cgroups_left()


def check_kegd_killed():
    """SIGKILL for kegd with a terminal attached and an exec open: both go on; a new kegd hears the end."""
    client, theirs = socket.socketpair()
    exec_client, exec_theirs = socket.socketpair()
    ready, report = os.pipe()
    kegd = os.fork()
    if kegd == 0:
        os.setpgid(0, 0)
        m = Monitor(PROGRAM)
        m.request("attach", fds=[theirs.fileno()], **ALL)
        m.start(config(["/bin/sh"], tty=True), tty=True, open_stdin=True)
        from monitor_client import memfd
        process = {"args": ["/bin/sh"], "cwd": "/", "env": ["PATH=/bin"], "terminal": True, "user": {"uid": 0, "gid": 0}}
        m.request("exec", fds=[memfd(process), exec_theirs.fileno()], exec_id="e", tty=True, open_stdin=True, attach=ALL)
        os.write(report, json.dumps([m.dir, m.pid]).encode())
        time.sleep(PATIENCE * 2)
        os._exit(0)
    theirs.close()
    exec_theirs.close()
    directory, pid = json.loads(os.read(ready, 1000))
    os.killpg(kegd, signal.SIGKILL)
    os.waitpid(kegd, 0)
    client.sendall(b"echo still $((40 + 2))\r")
    read_all(client, b"still 42\r\n")
    exec_client.sendall(b"echo exec $((40 + 3)); exit 4\r")
    assert b"exec 43\r\n" in read_all(exec_client)
    m = Monitor.__new__(Monitor)
    m.dir, m.pid = directory, 0
    new = m.connect()
    state = new.request("watch")
    assert state["status"] == "running" and state["execs"]["e"]["exit_code"] == 4, state
    client.sendall(b"exit 8\r")
    assert new.event("exit")[0]["exit_code"] == 8
    read_all(client)
    assert m.file("exit.json")["exit_code"] == 8
    deadline = time.monotonic() + PATIENCE
    while os.path.exists(f"/proc/{pid}/exe") and time.monotonic() < deadline:
        time.sleep(0.01)
    m.__exit__()


def check_oom():
    """The OOM killer's work is told, at once and at the end."""
    with Monitor(PROGRAM) as m:
        c = sh("dd if=/dev/zero of=/dev/null bs=200M; tail /dev/zero; sleep 1; exit 5")
        c["linux"]["resources"] = {"memory": {"limit": 8 << 20, "swap": 8 << 20}}
        m.start(c)
        m.event("oom")
        event, _ = m.event("exit")
        assert event["oom_killed"], event
        assert m.left()


def check_init():
    """keg-init as PID 1: reaps, passes signals on, gives its program's exit code."""
    with Monitor(PROGRAM) as m:
        client = m.attach(**ALL)
        m.start(config(["/sbin/docker-init", "--", "/bin/sh", "-c",
                        "trap 'exit 11' TERM; (sleep 0 &); echo as $$; while :; do sleep 0.05; done"],
                       mounts=[{"destination": "/sbin/docker-init", "type": "bind", "options": ["bind", "ro"],
                                "source": os.path.join(BUILD, "keg-init")}]))
        read_all(client, b"as 2\n")
        m.request("signal", signal=int(signal.SIGTERM))
        assert m.event("exit")[0]["exit_code"] == 11
        assert m.left()


def check_environment():
    """What a program gets from its monitor: no signal mask, no ignored signals, its own session, oom_score_adj."""
    own = open("/proc/self/oom_score_adj").read()
    script = "grep -E 'Sig(Blk|Ign)' /proc/self/status; cat /proc/self/oom_score_adj; ls -l /proc/self/fd | wc -l"
    with Monitor(PROGRAM) as m:
        client = m.attach(**ALL)
        m.start(sh(script + "; sleep 600"))
        lines = read_all(client, b"\n5\n").decode().split("\n")
        exec_lines = read_all(m.exec("e", ["/bin/sh", "-c", script], attach=ALL), b"\n5\n").decode().split("\n")
        for got in (lines, exec_lines):
            assert got[0].split()[1].strip("0") == "" and got[1].split()[1].strip("0") == "", got
            assert got[2] + "\n" == own, got


def check_memory():
    """300 kB a monitor, when there are many; also when much was written, and never quite nothing is."""
    monitors = [Monitor(PROGRAM) for _ in range(20)]
    much = "seq 100000; while sleep 0.3; do echo a line now and then; done"
    try:
        for i, m in enumerate(monitors):
            m.start(sh(much if i % 2 else "sleep 600", tty=False), network="new",
                    log={"driver": "local" if i % 4 == 1 else "json-file", "path": m.dir + "/log"})
        read_all(monitors[0].exec("e", ["/bin/echo", "x"], attach=ALL))
        time.sleep(5)
        sizes = []
        for m in monitors:
            with open(f"/proc/{m.pid}/smaps_rollup") as f:
                sizes.append(next(int(line.split()[1]) for line in f if line.startswith("Pss:")))
        print(f"# PSS of a monitor: {sum(sizes) / len(sizes):.0f} kB", file=sys.stderr)
        assert max(sizes) <= 300, sizes
    finally:
        for m in monitors:
            m.__exit__()
    assert not cgroups_left(), cgroups_left()


def check_log_speed():
    """Much output: every line is recorded, in a time that a plain copy allows to judge."""
    count = 1000000
    with Monitor(PROGRAM) as m:
        data = os.path.join(ROOTFS, "lines")
        with open(data, "wb") as f:
            f.write(b"".join(b"%07d %s\n" % (i, b"x" * 91) for i in range(count)))
        begin = time.monotonic()
        subprocess.run(["cat", data], stdout=open(m.dir + "/copy", "wb"), check=True)
        copied = time.monotonic()
        m.start(config(["/bin/cat", "/lines"]), log={"driver": "json-file", "path": m.dir + "/log"})
        assert m.event("exit")[0]["exit_code"] == 0
        logged = time.monotonic()
        os.unlink(data)
        ratio = (logged - copied) / (copied - begin)
        print(f"# 100 MB: {logged - copied:.2f} s, {ratio:.1f} times a copy", file=sys.stderr)
        last = ("", "")
        with open(m.dir + "/log") as f:
            for number, line in enumerate(f):
                record = json.loads(line) if number % 97 == 0 else None
                assert line.startswith('{"log":"%07d ' % number), line
                if record:
                    stamp = (record["time"][:19], record["time"][20:-1].ljust(9, "0"))
                    assert stamp > last and record["log"].endswith("x\n"), line
                    last = stamp
        assert number == count - 1
        assert ratio < 30


def check_many():
    """Starts and ends one after the other leave no process, cgroup, mount or file."""
    mounts = open("/proc/self/mountinfo").read()
    for i in range(50):
        with Monitor(PROGRAM) as m:
            client = m.attach(**ALL)
            m.start(sh(f"echo {i}; exit {i}"), network="new")
            assert read_all(client) == b"%d\n" % i
            assert m.event("exit")[0]["exit_code"] == i
            assert m.left()
            for fd in m.netns:
                os.close(fd)
    assert not cgroups_left(), cgroups_left()
    assert open("/proc/self/mountinfo").read() == mounts
    children = open(f"/proc/self/task/{os.getpid()}/children").read()
    assert children == "", children


if __name__ == "__main__":
    globals()["check_" + sys.argv[1]]()
