#!/usr/bin/env python3
"""Kills kegd at random moments while clients are busy with it, again and again, and compares what it has afterwards with
what it had acknowledged.

    crash_load.py ROUNDS REGISTRY        REGISTRY: host:port of tests/system/fake_registry.py

Needs $KEG_ROOT, $KEG_HOST, $KEG_BUILD and the image busybox; kegd must run, its pid in $KEG_ROOT/kegd.pid. $KEG_SEED
repeats a run's choices. At the end kegd runs, and all that the clients made is removed. Exit status 1: something was
wrong, and was said."""
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time

ROOT, BUILD = os.environ["KEG_ROOT"], os.environ["KEG_BUILD"]
CLIENTS, KILL_WITHIN, START_TIMEOUT = 5, 0.3, 20
PULLED = ["ok/oci", "ok/more", "ok/docker", "ok/zstd", "ok/plain"]
SLEEPER, SHORT = ["sleep", "100000"], ["sh", "-c", "sleep 0.1; exit 5"]

problems = []


def problem(text):
    problems.append(text)
    print(text, flush=True)


def keg(*words, stdin=None, timeout=60):
    """(exit status, standard output, standard error)"""
    try:
        done = subprocess.run([f"{BUILD}/keg", *words], stdin=stdin or subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        problem(f"keg {' '.join(words)} did not end within {timeout} s")
        return 124, "", "timeout"
    return done.returncode, done.stdout.strip(), done.stderr.strip()


class Kegd:
    """The daemon, killed and replaced."""

    def __init__(self):
        with open(f"{ROOT}/kegd.pid", encoding="ascii") as f:
            self.pid, self.process = int(f.read()), None

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)
        if self.process:
            self.process.wait()
        while os.path.exists(f"/proc/{self.pid}/exe"):
            time.sleep(0.005)

    def start(self):
        with open(f"{ROOT}/kegd.log", "ab") as log:
            self.process = subprocess.Popen(
                [f"{BUILD}/kegd", "--data-root", f"{ROOT}/data", "--exec-root", f"{ROOT}/run", "--pidfile",
                 f"{ROOT}/kegd.pid"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        self.pid = self.process.pid
        end = time.monotonic() + START_TIMEOUT
        while keg("version")[0] != 0:
            if self.process.poll() is not None or time.monotonic() > end:
                problem(f"kegd does not come up again (exit status {self.process.returncode})")
                sys.exit(1)
            time.sleep(0.01)


class Promises:
    """What was acknowledged. A thing is 'sure' between the acknowledgement that it is there and the request to remove it,
    and 'gone' from the acknowledgement of the removal on."""

    def __init__(self):
        self.lock = threading.Lock()
        self.sure = {kind: {} for kind in ("container", "image", "volume", "network")}
        self.gone = {kind: set() for kind in self.sure}

    def made(self, kind, name, value=None):
        with self.lock:
            self.gone[kind].discard(name)
            self.sure[kind][name] = value

    def take(self, kind, chance, wanted=lambda value: True):
        """Something that was made, no longer counted on: the caller is about to remove it. None when there is none."""
        with self.lock:
            names = [n for n, value in self.sure[kind].items() if wanted(value)]
            name = chance.choice(names) if names else None
            if name:
                del self.sure[kind][name]
            return name

    def removed(self, kind, name):
        with self.lock:
            self.gone[kind].add(name)

    def some(self, kind, chance, wanted):
        with self.lock:
            names = [n for n, value in self.sure[kind].items() if wanted(value)]
        return chance.choice(names) if names else None


class Client(threading.Thread):
    """Does one thing after another until told to stop; notes what was acknowledged."""
    count = 0

    def __init__(self, promises, registry, chance):
        super().__init__()
        self.promises, self.registry, self.chance, self.stop = promises, registry, chance, False

    def name(self):
        with self.promises.lock:
            Client.count += 1
            return f"crash{Client.count}"

    def run(self):
        actions = [self.create, self.run_detached, self.run_short, self.run_removed, self.run_removed_later, self.exec,
                   self.remove, self.remove, self.import_image, self.load_image, self.pull_image, self.remove_image,
                   self.volume, self.remove_volume, self.network, self.remove_network, self.stop_start]
        while not self.stop:
            self.chance.choice(actions)()

    def container(self, verb, value, *words):
        name = self.name()
        status, out, _ = keg(verb, *words[:-1], "--name", name, "busybox", *words[-1])
        if status == 0:
            self.promises.made("container", name, dict(value, id=out))

    def create(self):
        self.container("create", {"status": "created"}, SLEEPER)

    def run_detached(self):
        network = self.chance.choice([["--network", "none"], [], ["-v", "/anonymous"]])
        self.container("run", {"status": "running"}, "-d", *network, SLEEPER)

    def run_short(self):
        self.container("run", {"status": "exited", "code": 5}, "-d", SHORT)

    def run_removed(self):
        name = self.name()
        if keg("run", "--rm", "--name", name, "busybox", "true")[0] == 0:
            self.promises.removed("container", name)

    def run_removed_later(self):
        name = self.name()
        if keg("run", "-d", "--rm", "--name", name, "busybox", *SHORT)[0] == 0:
            self.promises.removed("container", name)  # by the time of the check

    def exec(self):
        name = self.promises.some("container", self.chance, lambda v: v["status"] == "running")
        if not name:
            return
        status, out, error = keg("exec", name, "echo", "here")
        if status == 0 and out != "here":
            problem(f"exec in {name}: {out!r} {error!r}")

    def stop_start(self):
        """Either way it is there afterwards, and what it does is not known until both are acknowledged."""
        name = self.promises.take("container", self.chance, lambda v: v["status"] == "running")
        if not name:
            return
        if keg("stop", "-t", "0", name)[0] == 0 and keg("start", name)[0] == 0:
            self.promises.made("container", name, {"status": "running"})
        else:
            self.promises.made("container", name, {"status": "any"})

    def remove(self):
        name = self.promises.take("container", self.chance)
        if name and keg("rm", "-f", "-v", name)[0] == 0:
            self.promises.removed("container", name)

    def import_image(self):
        name = self.name()
        with open(f"{ROOT}/crash/import.tar", "rb") as tar:
            if keg("import", "-c", f"LABEL n={name}", "-", name, stdin=tar)[0] == 0:
                self.promises.made("image", f"{name}:latest")

    def load_image(self):
        name = f"loaded{self.chance.randrange(4)}"
        status, _, _ = keg("load", "-q", "-i", f"{ROOT}/crash/{name}.tar")
        if status == 0 and keg("tag", f"{name}:latest", own := self.name())[0] == 0:
            self.promises.made("image", f"{own}:latest")

    def pull_image(self):
        name = f"{self.registry}/{self.chance.choice(PULLED)}"
        if keg("pull", "-q", name)[0] == 0 and keg("tag", name, own := self.name())[0] == 0:
            self.promises.made("image", f"{own}:latest")

    def remove_image(self):
        name = self.promises.take("image", self.chance)
        if name and keg("rmi", name)[0] == 0:
            self.promises.removed("image", name)

    def volume(self):
        name = self.name()
        if keg("volume", "create", name)[0] == 0:
            self.promises.made("volume", name)

    def remove_volume(self):
        name = self.promises.take("volume", self.chance)
        if name and keg("volume", "rm", name)[0] == 0:
            self.promises.removed("volume", name)

    def network(self):
        name = self.name()
        if keg("network", "create", name)[0] == 0:
            self.promises.made("network", name)

    def remove_network(self):
        name = self.promises.take("network", self.chance)
        if name and keg("network", "rm", name)[0] == 0:
            self.promises.removed("network", name)


def lines(*words):
    status, out, error = keg(*words)
    if status != 0:
        problem(f"keg {' '.join(words)}: {error}")
    return out.split("\n") if out else []


LISTINGS = {
    "container": ["ps", "-a", "--format", "{{.Names}}"],
    "image": ["images", "--format", "{{.Repository}}:{{.Tag}}"],
    "volume": ["volume", "ls", "-q"],
    "network": ["network", "ls", "--format", "{{.Name}}"],
}


def check_listing(promises, kind):
    there = set(lines(*LISTINGS[kind]))
    for name in promises.sure[kind]:
        if name not in there:
            problem(f"{kind} {name} was acknowledged and is not there")
    if kind == "container":  # those that remove themselves may be doing so
        end = time.monotonic() + 5
        while there & promises.gone[kind] and time.monotonic() < end:
            time.sleep(0.05)
            there = set(lines(*LISTINGS[kind]))
    for name in there & promises.gone[kind]:
        problem(f"{kind} {name} was removed and is there again")
    return there


def check_inspect(kind, names):
    """What inspect says about them; one that is not there any more by now has removed itself."""
    names = sorted(n for n in names if n and not n.startswith("<none>"))
    if not names:
        return []
    status, out, error = keg(kind, "inspect", *names)
    if status != 0 and not set(names) <= set(lines(*LISTINGS[kind])):
        return check_inspect(kind, set(names) & set(lines(*LISTINGS[kind])))
    if status != 0:
        problem(f"{kind} inspect: {error}")
        return []
    return json.loads(out)


def wait_for_short(name):
    status, out, error = keg("wait", name, timeout=20)
    if status != 0 or out != "5":
        problem(f"container {name} ended with 5, but wait says {out} {error}")


def check_containers(promises, details, chance):
    for detail in details:
        name, state = detail["Name"].lstrip("/"), detail["State"]
        wanted = promises.sure["container"].get(name)
        if not wanted or wanted["status"] == "any":
            continue
        if "id" in wanted and wanted["id"] != detail["Id"]:
            problem(f"container {name} was {wanted['id']} and is {detail['Id']}")
        if wanted["status"] == "running" and not (state["Running"] and os.path.exists(f"/proc/{state['Pid']}/exe")):
            problem(f"container {name} was running, and is {state}")
        if wanted["status"] == "exited":
            wait_for_short(name)
        if wanted["status"] == "created" and chance.random() < 0.3:
            status, _, error = keg("start", name)
            if status != 0:
                problem(f"container {name} cannot be started: {error}")
            wanted["status"] = "running"


def check_images(promises, chance):
    """One of the imported ones works."""
    name = promises.some("image", chance, lambda value: True)
    if not name:
        return
    status, _, error = keg("create", "--name", "probe", name, "true")
    if status != 0:
        problem(f"no container can be made of image {name}: {error}")
    keg("rm", "-f", "probe")


def check(promises, chance):
    for kind in LISTINGS:
        there = check_listing(promises, kind)
        details = check_inspect(kind, there)
        if kind == "container":
            check_containers(promises, details, chance)
    check_images(promises, chance)
    running = promises.some("container", chance, lambda v: v["status"] == "running")
    if running and keg("exec", running, "true")[0] != 0:
        problem(f"exec in {running} fails after the restart")


def prepare():
    os.makedirs(f"{ROOT}/crash", exist_ok=True)
    subprocess.run(["tar", "-C", f"{ROOT}/busybox", "-cf", f"{ROOT}/crash/import.tar", "bin", "etc"], check=True)
    for i in range(4):
        with open(f"{ROOT}/crash/file", "wb") as f:
            f.write(random.Random(i).randbytes(300000))
        subprocess.run(["tar", "-C", f"{ROOT}/crash", "-cf", f"{ROOT}/crash/file.tar", "file"], check=True)
        for words in (["import", f"{ROOT}/crash/file.tar", f"loaded{i}"],
                      ["save", "-o", f"{ROOT}/crash/loaded{i}.tar", f"loaded{i}"], ["rmi", f"loaded{i}"]):
            status, _, error = keg(*words)
            if status != 0:
                problem(f"keg {' '.join(words)}: {error}")


def clean_up():
    keep = {"bridge", "host", "none"}
    containers = lines("ps", "-aq")
    if containers:
        status, _, error = keg("rm", "-f", "-v", *containers)
        if status != 0:
            problem(f"rm -f: {error}")
    for kind, words in (("image", ["rmi", "-f"]), ("volume", ["volume", "rm"]), ("network", ["network", "rm"])):
        names = [n for n in lines(*LISTINGS[kind]) if n not in keep and n != "busybox:latest" and "<none>" not in n]
        if names:
            status, _, error = keg(*words, *names)
            if status != 0:
                problem(f"{' '.join(words)}: {error}")
    keg("image", "prune", "-f")


def main():
    rounds, registry = int(sys.argv[1]), sys.argv[2]
    seed = int(os.environ.get("KEG_SEED", random.randrange(1 << 32)))
    print(f"KEG_SEED={seed}", flush=True)
    chance, promises = random.Random(seed), Promises()
    prepare()
    kegd = Kegd()
    for number in range(rounds):
        clients = [Client(promises, registry, random.Random(chance.random())) for _ in range(CLIENTS)]
        for client in clients:
            client.start()
        time.sleep(chance.uniform(0, KILL_WITHIN))
        kegd.kill()
        for client in clients:
            client.stop = True
        for client in clients:
            client.join()
        kegd.start()
        before = len(problems)
        check(promises, chance)
        if len(problems) > before:
            print(f"… in round {number}", flush=True)
        if len(problems) > 20:
            break
        if number % 10 == 9:
            clean_up()
            promises = Promises()
    clean_up()
    kegd_check(kegd)
    return 1 if problems else 0


def kegd_check(kegd):
    """The last kegd goes on for the test after us: it must not be our child."""
    kegd.process.returncode = 0


if __name__ == "__main__":
    sys.exit(main())
