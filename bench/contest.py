"""What the benchmarks share: contestants, rounds in turns, medians and ratios."""
import os
import pathlib
import shlex
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parent.parent
BUILD = (TOP / os.environ.get("BUILD", "build")).resolve()
RUNS = int(os.environ.get("KEG_BENCH_RUNS", "40"))
ENTER = shlex.split(os.environ.get("KEG_BENCH_ENTER", ""))
DOCKER_HOST = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")


def quiet(command, **more):
    return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, **more)


def must(command, **more):
    done = quiet(command, **more)
    if done.returncode:
        raise SystemExit(f"bench: {shlex.join(map(str, command))}: {done.stderr.decode().strip()}")


def output(command):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout.strip()


def has(program):
    return quiet(ENTER + ["sh", "-c", f"command -v {program}"]).returncode == 0


class Peers:
    """What is here to be measured beside keg: name -> command prefix."""

    def __init__(self):
        env = ["env", f"DOCKER_HOST={DOCKER_HOST}", "PODMAN_IGNORE_CGROUPSV1_WARNING=1"]
        self.engines, self.runtimes = {}, {}
        docker = ENTER + env + ["docker"]
        if has("docker") and quiet(docker + ["version"]).returncode == 0:
            self.engines["docker"] = docker
        if has("podman"):
            self.engines["podman"] = ENTER + env + ["podman"]
        for name in ("crun", "runc"):
            if has(name):
                self.runtimes[name] = ENTER + [name]
        self.bwrap = ENTER + ["bwrap"] if has("bwrap") else None


def memory_directory(work):
    """A new directory on a tmpfs, which /run is on a usual host; else in work."""
    for place in ("/run", "/dev/shm"):
        if output(["stat", "-f", "-c", "%T", place]) == "tmpfs":
            return pathlib.Path(tempfile.mkdtemp(prefix="keg-bench.", dir=place))
    return pathlib.Path(tempfile.mkdtemp(dir=work))


class Keg:
    """A private kegd."""

    def __init__(self, work):
        self.memory = memory_directory(work)
        self.run, self.data = self.memory / "run", work / "data"
        self.log = open(work / "kegd.log", "wb")
        os.environ["KEG_HOST"] = f"unix://{self.run}/keg.sock"
        self.cli = [str(BUILD / "keg")]
        self.process = subprocess.Popen([BUILD / "kegd", "--data-root", self.data, "--exec-root", self.run],
                                        stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL)
        for _ in range(200):
            if quiet(self.cli + ["version"]).returncode == 0:
                return
            time.sleep(0.05)
        raise SystemExit(f"bench: kegd did not start: see {self.log.name}")

    def stop(self):
        ids = output(self.cli + ["ps", "-aq"]).split()
        if ids:
            quiet(self.cli + ["rm", "-f"] + ids)
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
        shutil.rmtree(self.memory, ignore_errors=True)


SETTLE_S = 0.1  # engines clean up after their answer; who comes next shouldn't pay for it
HEAVY = min(3, RUNS)  # rounds of what takes seconds: without one to warm up


def measure(title, contestants, runs=None, before=None):
    """contestants: name -> command. Prints a table; keg's row is the measure of the ratios."""
    times = {name: [] for name in contestants}
    for name, command in contestants.items() if runs != HEAVY else ():  # once, to warm up and to see that it works
        if before:
            before(name)
        must(command)
    for turn in range(runs or RUNS):
        order = list(contestants.items())
        for name, command in order[turn % len(order):] + order[:turn % len(order)]:
            if before:
                before(name)
            time.sleep(SETTLE_S)
            start = time.perf_counter()
            done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                  stdin=subprocess.DEVNULL)
            times[name].append(time.perf_counter() - start)
            if done.returncode:
                raise SystemExit(f"bench: {name}: exit {done.returncode}")
    report(title, {name: [t * 1000 for t in values] for name, values in times.items()}, "ms")


def report(title, values, unit):
    print(f"\n{title}")
    base, base_best = statistics.median(values["keg"]), min(values["keg"])
    for name, rows in values.items():
        median = statistics.median(rows)
        spread = ""
        if len(rows) >= 4:
            low, _, high = statistics.quantiles(rows, n=4)
            spread = f"[{low:.2f} … {high:.2f}]"
        print(f"  {name:<10} {median:10.2f} {unit} {spread:<24} best {min(rows):10.2f}"
              f"  × keg: {median / base:7.2f} {min(rows) / base_best:7.2f}")
    sys.stdout.flush()


def engines(keg, peers):
    return {"keg": keg.cli} | peers.engines


def compiled(work, name, *more):
    """A program of this folder."""
    must(["cc", "-O2", "-D_GNU_SOURCE", "-iquote", TOP / "src", "-o", work / name, TOP / f"bench/{name}.c", *more])
    return str(work / name)


def pss(pids):
    total = 0
    for pid in pids:
        try:
            for line in open(f"/proc/{pid}/smaps_rollup"):
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
        except OSError:
            pass
    return total


def pids_named(*names):
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if (entry / "comm").read_text().strip() in names:
                    found.append(int(entry.name))
            except OSError:
                pass
    return found


def docker_pids():
    """dockerd, who listens behind DOCKER_HOST, and its containerd."""
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(DOCKER_HOST.removeprefix("unix://"))
        dockerd = struct.unpack("3i", s.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
    return [dockerd] + [pid for pid in pids_named("containerd")
                        if f"\nPPid:\t{dockerd}\n" in pathlib.Path(f"/proc/{pid}/status").read_text()]


