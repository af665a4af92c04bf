#!/usr/bin/env python3
"""Takes the power from kegd again and again while images come and go, and compares what it has afterwards with what it had
acknowledged.

    powercut.py kill ROUNDS      kegd and everything that it has started are killed at a random moment of a pull, load,
                                 commit or rmi; the next kegd opens the same store
    powercut.py drop ROUNDS FS   kegd's store is on a disk (tests/system/tools/unflushed.c, with that file system) that
                                 loses what wasn't flushed; another kegd opens what the disk holds after the cut

Needs $KEG_ROOT with powercut/base.tar (the image base), powercut/l0.tar … (images l0 …), $KEG_BUILD, $REGISTRY that has p0 ….
Every image says its own name in /marker. $KEG_SEED repeats a run's choices. Exit status 1: something was wrong, and was
said."""
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time

ROOT, BUILD, REGISTRY = os.environ["KEG_ROOT"], os.environ["KEG_BUILD"], os.environ["REGISTRY"]
SOURCES, KEEP, START_TIMEOUT = 4, 5, 30

problems = []


def problem(text):
    problems.append(text)
    print(f"PROBLEM: {text}", flush=True)


class Kegd:
    def __init__(self, data, run):
        self.data, self.run, self.log, self.process = data, run, f"{ROOT}/powercut.log", None
        self.env = dict(os.environ, KEG_HOST=f"unix://{run}/keg.sock")

    def keg(self, *words, timeout=120):
        """(exit status, standard output, standard error)"""
        try:
            done = subprocess.run([f"{BUILD}/keg", *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout,
                                  env=self.env, check=False)
        except subprocess.TimeoutExpired:
            problem(f"keg {' '.join(words)} did not end within {timeout} s")
            return 124, "", "timeout"
        return done.returncode, done.stdout.strip(), done.stderr.strip()

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([f"{BUILD}/kegd", "--data-root", self.data, "--exec-root", self.run, "--bridge", "none"],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        end = time.monotonic() + START_TIMEOUT
        while self.keg("version")[0] != 0:
            if self.process.poll() is not None or time.monotonic() > end:
                problem(f"the store does not open again (exit status {self.process.returncode})")
                with open(self.log, encoding="utf-8", errors="replace") as log:
                    print("".join(log.readlines()[-10:]))
                return False
            time.sleep(0.005)
        return True

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def kill_all(self):
        """kegd and whatever it has started, at one moment."""
        os.kill(self.process.pid, signal.SIGSTOP)
        pids = [self.process.pid]
        for pid in pids:
            try:
                for task in os.listdir(f"/proc/{pid}/task"):
                    with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as f:
                        pids += [int(child) for child in f.read().split()]
            except OSError:
                pass
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        self.process.wait()
        return len(pids) - 1


class Promises:
    """What was acknowledged: images and containers that are there (with what /marker says), those that are gone, and those
    whose fate isn't known."""

    def __init__(self):
        self.lock = threading.Condition()
        self.sure, self.gone, self.pending, self.containers = {}, set(), {}, set()
        self.closed, self.running = False, 0

    def begin(self, name, marker):
        with self.lock:
            while self.closed:
                self.lock.wait()
            if name in self.pending:
                return False
            self.sure.pop(name, None)
            self.gone.discard(name)
            self.pending[name] = marker
            self.running += 1
            return True

    def end(self, name, there):
        """there None: not acknowledged"""
        with self.lock:
            self.running -= 1
            if there is None:
                return
            marker = self.pending.pop(name)
            if there:
                self.sure[name] = marker
            else:
                self.gone.add(name)

    def settle(self, listed):
        """What is there after the cut is there."""
        with self.lock:
            for name, marker in self.pending.items():
                if name in listed:
                    self.sure[name] = marker
                else:
                    self.gone.add(name)
            self.pending = {}


class Work:
    """Pulls, loads, commits and removes."""

    def __init__(self, kegd, promises, chance):
        self.kegd, self.promises, self.chance, self.count = kegd, promises, chance, 0
        self.done = {}

    def choose(self, kind=None):
        """(kind, name, marker, command)"""
        with self.promises.lock:
            names = [n for n in self.promises.sure if n != "base:latest"]
        if kind is None:
            kind = self.chance.choice(["pull", "load", "commit", "rmi"])
        if kind == "rmi" and not names:
            kind = "pull"
        if len(names) > KEEP:
            kind = "rmi"
        number = self.chance.randrange(SOURCES)
        if kind == "rmi":
            name = self.chance.choice(names)
            return kind, name, self.promises.sure.get(name), ["rmi", name]
        if kind == "pull":
            return kind, f"{REGISTRY}/p{number}:latest", f"p{number}", ["pull", "-q", f"{REGISTRY}/p{number}"]
        if kind == "load":
            return kind, f"l{number}:latest", f"l{number}", ["load", "-q", "-i", f"{ROOT}/powercut/l{number}.tar"]
        self.count += 1
        return kind, f"c{self.count}:latest", "source", ["commit", "source", f"c{self.count}"]

    def step(self, kind=None):
        kind, name, marker, command = self.choose(kind)
        if not self.promises.begin(name, marker):
            return
        status, _, error = self.kegd.keg(*command)
        there = None if status else kind != "rmi"
        if status and "No such image" in error:
            there = False
        self.promises.end(name, there)
        if status == 0:
            self.done[kind] = self.done.get(kind, 0) + 1

    def loop(self, stop):
        while not stop.is_set():
            self.step()


def look(kegd, promises, chance, what):
    """Everything acknowledged is there, nothing else is, the check finds nothing."""
    status, out, error = kegd.keg("images", "-a", "--format", "{{.Repository}}:{{.Tag}}")
    if status:
        problem(f"{what}: images: {error}")
        return
    listed = set(out.split())
    for name in promises.sure:
        if name not in listed:
            problem(f"{what}: {name} was acknowledged, and isn't there")
    for name in promises.gone & listed:
        problem(f"{what}: {name} was removed, and is there")
    for name in listed - set(promises.sure) - set(promises.pending):
        problem(f"{what}: {name} is there, and nobody made it")
    status, out, error = kegd.keg("system", "check")
    if status or "nothing found" not in out:
        problem(f"{what}: system check: {out} {error}")
    wanted = dict(promises.sure, **promises.pending)
    run = [n for n in promises.pending if n in listed] + chance.sample(sorted(promises.sure), min(2, len(promises.sure)))
    for name in run:
        if name not in listed:
            continue
        status, out, error = kegd.keg("run", "--rm", "--network", "none", name, "cat", "/marker")
        if status or out != wanted[name]:
            problem(f"{what}: a container of {name}: {out!r} {error!r} (exit status {status})")
    names = set(kegd.keg("ps", "-a", "--format", "{{.Names}}")[1].split())
    for name in promises.containers - names:
        problem(f"{what}: container {name} was acknowledged, and isn't there")
    promises.settle(listed)


def prepare(kegd, promises):
    if kegd.keg("load", "-q", "-i", f"{ROOT}/powercut/base.tar")[0]:
        problem("the image base can't be loaded")
        sys.exit(1)
    promises.sure["base:latest"] = "base"
    kegd.keg("run", "--name", "source", "--network", "none", "base", "sh", "-c",
             "echo source >/marker; for i in 1 2 3 4 5 6 7 8 9; do head -c 30000 /dev/urandom >/r$i; done; rm -r /root")
    promises.containers.add("source")


# ---- kill ----

def kill_rounds(rounds, chance):
    kegd, promises, durations, killed, caught = Kegd(f"{ROOT}/kill", f"{ROOT}/killrun"), Promises(), {}, {}, 0
    if not kegd.start():
        return
    prepare(kegd, promises)
    work = Work(kegd, promises, chance)
    for kind in ("pull", "load", "commit", "rmi"):  # how long each takes
        begun = time.monotonic()
        work.step(kind)
        durations[kind] = time.monotonic() - begun
    for i in range(rounds):
        kind = ("pull", "load", "commit", "rmi")[i % 4]
        threads = [threading.Thread(target=work.step, args=[kind])]
        if chance.random() < 0.4:
            threads.append(threading.Thread(target=work.step))
        for thread in threads:
            thread.start()
        time.sleep(chance.random() * durations[kind] * 1.3)
        workers = kegd.kill_all()
        for thread in threads:
            thread.join()
        killed[kind] = killed.get(kind, 0) + 1
        caught += workers > 0
        if not kegd.start():
            return
        look(kegd, promises, chance, f"round {i} ({kind})")
        if problems:
            break
    print(f"killed in {killed}; in {caught} rounds with workers; acknowledged in between: {work.done}")
    kegd.keg("rm", "-f", "source")
    kegd.stop()


# ---- drop ----

class Disk:
    """A file system on a disk that can be cut."""

    def __init__(self, kind):
        self.kind, self.dir, self.after = kind, f"{ROOT}/disk", None
        self.fuse, self.mnt, self.scratch = f"{self.dir}/fuse", f"{self.dir}/mnt", os.environ.get("KEG_SCRATCH") or f"{self.dir}/scratch"
        for path in (self.fuse, self.mnt, f"{self.dir}/after", self.scratch):
            os.makedirs(path, exist_ok=True)
        self.server = subprocess.Popen([f"{BUILD}/tests/unflushed", self.fuse, "400", self.scratch], stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)
        while not os.path.exists(f"{self.fuse}/disk"):
            time.sleep(0.01)
        self.loop = sh(f"losetup -f --show {self.fuse}/disk")
        sh({"ext4": "mkfs.ext4 -q -F", "btrfs": "mkfs.btrfs -q -f", "xfs": "mkfs.xfs -q -f"}[kind] + f" {self.loop}")
        sh(f"mount -t {kind} {self.loop} {self.mnt}")

    def cut(self, seed, percent):
        """Mounts what is left; the directory."""
        with open(f"{self.fuse}/cut", "w", encoding="ascii") as f:
            f.write(f"{self.scratch}/cut {seed} {percent}")
        self.after = sh(f"losetup -f --show {self.scratch}/cut")
        sh(f"mount -t {self.kind}{' -o nouuid' if self.kind == 'xfs' else ''} {self.after} {self.dir}/after")
        return f"{self.dir}/after"

    def uncut(self):
        sh(f"umount {self.dir}/after; losetup -d {self.after}; rm {self.scratch}/cut")
        self.after = None

    def end(self):
        """However far it came."""
        for command in (f"umount -l {self.dir}/after", f"losetup -d {self.after}" if self.after else "true", f"umount -l {self.mnt}",
                        f"losetup -d {self.loop}", f"umount {self.fuse}"):
            subprocess.run(command, shell=True, stderr=subprocess.DEVNULL, check=False)
        self.server.wait()
        subprocess.run(["rm", "-rf", self.dir], check=False)


def sh(command):
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command}: {done.stderr}")
    return done.stdout.strip()


def make_container(kegd, promises, i):
    name = f"made{i}"
    if kegd.keg("create", "--name", name, "--network", "none", "base", "cat", "/marker")[0] == 0:
        promises.containers.add(name)
    return name


def after_cut(place, held, containers, name, chance, what):
    """What another kegd finds on the disk after a cut."""
    promises, kegd = Promises(), Kegd(f"{place}/data", f"{ROOT}/afterrun")
    promises.sure, gone, promises.pending = json.loads(held)
    promises.gone, promises.containers = set(gone), containers
    if not kegd.start():
        return
    look(kegd, promises, chance, what)
    status, out, error = kegd.keg("start", "-a", name)
    if status or out != "base":
        problem(f"{what}: container {name}: {out!r} {error!r}")
    kegd.stop()


def cut_once(disk, kegd, promises, chance, i):
    name, percent = make_container(kegd, promises, i), chance.choice([0, 0, 30, 70, 95])
    with promises.lock:  # nothing is acknowledged between here and the cut, nothing begins until it was looked at
        promises.closed = True
        held = json.dumps([promises.sure, sorted(promises.gone), promises.pending])
        place = disk.cut(i, percent)
    after_cut(place, held, promises.containers, name, chance, f"cut {i} ({percent} % of the unflushed kept)")
    disk.uncut()
    kegd.keg("rm", name)
    promises.containers.discard(name)
    with promises.lock:
        promises.closed = False
        promises.lock.notify_all()
    return percent


def drop_rounds(rounds, disk, chance):
    promises, cuts, stop = Promises(), {}, threading.Event()
    kegd = Kegd(f"{disk.mnt}/data", f"{ROOT}/droprun")
    if not kegd.start():
        return
    prepare(kegd, promises)
    work = Work(kegd, promises, chance)
    threads = [threading.Thread(target=work.loop, args=[stop], daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    for i in range(rounds):
        time.sleep(chance.random() * 0.4)
        percent = cut_once(disk, kegd, promises, chance, i)
        cuts[percent] = cuts.get(percent, 0) + 1
        if problems:
            break
    stop.set()
    for thread in threads:
        thread.join()
    print(f"{disk.kind}: cuts by percentage kept of what was unflushed: {cuts}; acknowledged in between: {work.done}")
    kegd.keg("rm", "-f", "source")
    kegd.stop()


def main():
    seed = int(os.environ.get("KEG_SEED") or random.randrange(1 << 30))
    print(f"KEG_SEED={seed}", flush=True)
    chance = random.Random(seed)
    if sys.argv[1] == "kill":
        kill_rounds(int(sys.argv[2]), chance)
    else:
        disk = Disk(sys.argv[3])
        try:
            drop_rounds(int(sys.argv[2]), disk, chance)
        finally:
            disk.end()
    return 1 if problems else 0


sys.exit(main())
