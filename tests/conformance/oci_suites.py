"""The three suites: how each is run, and what its output means. A verdict is pass, fail, skip (the suite's own decision), or
quiet: the program ended well without having claimed anything."""
import contextlib
import os
import pathlib
import pty
import re
import select
import signal
import subprocess
import tempfile
import time

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SILENCE_LIMIT = 150  # seconds
HARNESS = ("bats-exec-", "bats-core", "test_")  # in the command line of what runs the tests


def on_terminal(command, folder, environment):
    """Runs a command with a controlling terminal, as the suites want it. Gives what it printed.

    A test that says nothing for too long loses its processes, then the whole run ends."""
    pid, master = pty.fork()
    if pid == 0:
        os.chdir(folder)
        os.execvpe(command[0], command, environment)
    output, end, ended, warned = b"", time.monotonic() + SILENCE_LIMIT, False, False
    while True:
        if select.select([master], [], [], 0 if ended else 0.2)[0]:
            try:
                chunk = os.read(master, 65536)
            except OSError:  # the last one closed its side
                chunk = b""
            output += chunk
            if chunk:
                end, warned = time.monotonic() + SILENCE_LIMIT, False
                continue
        if ended:  # what a failed test left behind may keep the terminal open
            break
        ended = os.waitpid(pid, os.WNOHANG)[0] == pid
        if not ended and time.monotonic() > end and not warned:
            end_leftovers(HARNESS)
            end, warned = time.monotonic() + SILENCE_LIMIT / 4, True
        elif not ended and time.monotonic() > end:
            os.killpg(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            output += b"\nnot ok 9999 the rest: no word for too long\n"
            ended = True
    os.close(master)
    return output.decode(errors="replace").replace("\r", "")


def numbered(results):
    """Tests of the same name in one file get a number."""
    seen = {}
    for name, *rest in results:
        seen[name] = seen.get(name, 0) + 1
        yield name if seen[name] == 1 else f"{name} ({seen[name]})", *rest


class Suite:
    def __init__(self, source, runtime):
        self.source, self.runtime = os.path.abspath(source), runtime

    def run(self, names, log):
        for file in self.files():
            if names and not any(file.startswith(name) for name in names):
                continue
            output, results = self.run_file(file)
            end_leftovers()
            log.write(f"# === {self.name} {file}\n{output}\n")
            log.flush()
            for test, verdict, word in numbered(results):
                yield (f"{file}: {test}" if test else file), verdict, " ".join(word.split())

    def called(self, name):
        """The runtime under the name that a suite expects in messages."""
        link = pathlib.Path(os.environ["TMPDIR"], name)
        if not link.is_symlink():
            link.symlink_to(self.runtime)
        return str(link)

    def environment(self, **more):
        return {"PATH": PATH, "HOME": "/root", "TERM": "xterm", "TMPDIR": os.environ["TMPDIR"]} | more


class Tools(Suite):
    """runtime-tools: one program a directory, TAP; some print something only when they are unhappy, and end with 0 then too."""
    name = "runtime-tools"

    def files(self):
        return sorted(path.parent.name for path in pathlib.Path(self.source, "validation").glob("*/*.t"))

    def run_file(self, file):
        done = subprocess.run(["timeout", "-k", "5", "60", f"validation/{file}/{file}.t"], cwd=self.source, text=True,
                              errors="replace", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              env=self.environment(RUNTIME=self.runtime))
        good = len(re.findall(r"(?m)^ *ok ", done.stdout))
        bad = re.findall(r"(?m)^ *not ok \d+ (?:- )?(.*)", done.stdout)
        if not bad and good == 0 and re.search(r'(?m)^ *"error": ', done.stdout):
            bad = re.findall(r'(?m)^ *"error": "(.*)"', done.stdout)
        if done.returncode or bad:
            word = "; ".join(dict.fromkeys(bad)) or (done.stdout.strip().splitlines() or [""])[-1]
            return done.stdout, [("", "fail", word)]
        return done.stdout, [("", "pass" if good else "quiet", "")]


class Runc(Suite):
    """runc: bats."""
    name = "runc"

    def files(self):
        return sorted(path.name for path in pathlib.Path(self.source, "tests/integration").glob("*.bats"))

    def run_file(self, file):
        output = on_terminal(["bats", "--tap", f"tests/integration/{file}"], self.source,
                             self.environment(RUNC=self.called("runc"), GOFLAGS="-mod=vendor"))
        results = []
        for verdict, test, word in re.findall(r"(?m)^(ok|not ok) \d+ (.*?)(?: # (skip.*|timeout.*))?$", output):
            skipped = word.startswith("skip")
            results.append((test, "skip" if skipped else "pass" if verdict == "ok" else "fail", word.removeprefix("skip")))
        return output, results


class Crun(Suite):
    """crun: one Python program a subject, TAP."""
    name = "crun"

    def files(self):
        return sorted(path.name for path in pathlib.Path(self.source, "tests").glob("test_*.py"))

    def run_file(self, file):
        output = on_terminal(["python3", file], f"{self.source}/tests",
                             self.environment(OCI_RUNTIME=self.called("crun"), INIT=f"{self.source}/tests/init"))
        results = []
        for verdict, test, word in re.findall(r"(?m)^(ok|not ok) \d+ (?:- )?(.*?)(?: #(.*))?$", output):
            skip = re.match(r" *SKIP:? *(.*?)(?: *# [0-9.]+s)?$", word)
            results.append((test, "skip" if skip else "pass" if verdict == "ok" else "fail", skip[1] if skip else ""))
        return output, results


def suites(tools, runc, crun, runtime):
    for source, suite in ((tools, Tools), (runc, Runc), (crun, Crun)):
        if source:
            yield suite(source, runtime)


def isolated():
    return "KEG_ISOLATED" in os.environ


def isolate(command):
    """Runs the command by `isolated`, which is beside this, with a TMPDIR of its own; gives its status."""
    with tempfile.TemporaryDirectory(prefix="oci-suites.") as temporary:
        os.chmod(temporary, 0o755)
        return subprocess.run([pathlib.Path(__file__).with_name("isolated"), *command],
                              env=os.environ | {"TMPDIR": temporary}).returncode


def hierarchies():
    """Where cgroup v1 hierarchies are mounted. In `isolated` these are our own groups."""
    for line in pathlib.Path("/proc/mounts").read_text().splitlines():
        _, point, kind, _ = line.split(" ", 3)
        if kind == "cgroup":
            yield pathlib.Path(point)


def command_lines(pid):
    """Its own, and its parent's when that is what prints the results."""
    with contextlib.suppress(OSError):
        parent = re.search(r"(?m)^PPid:\s*(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1]
        own, above = (pathlib.Path(f"/proc/{of}/cmdline").read_text(errors="replace") for of in (pid, parent))
        return own + above if "bats-format" in above else own
    return ""


def end_leftovers(but=()):
    """Ends what failed tests left running in our groups, but for command lines with one of those words, and removes their
    groups, so that what follows begins clean."""
    points = list(hierarchies())
    for point in points:
        for state in point.glob("**/freezer.state"):
            if state.parent != point:
                state.write_text("THAWED")
    for _ in range(20):
        left = {int(pid) for point in points for procs in point.glob("**/cgroup.procs") for pid in procs.read_text().split()}
        left = [pid for pid in left - {0, 1, os.getpid()} if not any(word in command_lines(pid) for word in but)]
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if not left:
            break
        time.sleep(0.1)
    for point in points:
        for folder, _, _ in sorted(os.walk(point), reverse=True):
            with contextlib.suppress(OSError):
                os.rmdir(folder)
