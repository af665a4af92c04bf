"""Images on their way: pull, push, save, load, and the list of many."""
import os
import pathlib
import shutil
import signal
import subprocess
import threading
import time

from contest import ENTER, HEAVY, RUNS, compiled, docker_pids, engines, has, measure, must, pss, quiet, report
from images import files_image, layers_image, many_images, pull_image

PORT = 5990
NAME = f"127.0.0.1:{PORT}/bench"


class Registry:
    """A docker-registry of the benchmark's own, on the same disk as everything."""

    def __init__(self, work):
        self.place, self.config = work / "registry", work / "registry.yml"
        self.config.write_text(f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {self.place}}}}}\n"
                               f"http: {{addr: '127.0.0.1:{PORT}'}}\n")

    def __enter__(self):
        self.process = subprocess.Popen(ENTER + ["docker-registry", "serve", str(self.config)],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        for _ in range(100):
            if quiet(["curl", "-sf", f"http://127.0.0.1:{PORT}/v2/"]).returncode == 0:
                return self
            time.sleep(0.05)
        raise SystemExit("bench: docker-registry did not start")

    def __exit__(self, *_):
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait()

    def wipe(self):
        self.__exit__()
        shutil.rmtree(self.place, ignore_errors=True)
        self.__enter__()

    def take(self, layout):
        skopeo("--dest-tls-verify=false", f"oci:{layout}:bench", f"docker://{NAME}")


def skopeo(*args):
    must(ENTER + ["skopeo", "copy", "--insecure-policy", *args])


def possible(title):
    if has("docker-registry") and has("skopeo"):
        return True
    print(f"\n{title}: skipped: needs docker-registry and skopeo")
    return False


class Stage:
    """What all contestants do with one image."""

    def __init__(self, keg, peers, work):
        self.keg, self.work, self.clis = keg, work, engines(keg, peers)

    def rest(self):
        """What was removed is gone, what was written is on the disk: whoever comes next doesn't pay for it."""
        layers = self.keg.data / "layers"
        while layers.exists() and any(entry.name.startswith(".trash-") for entry in layers.iterdir()):
            time.sleep(0.05)
        must(["sync", "-f", self.work])

    def forget(self, who):
        if who in self.clis:
            quiet(self.clis[who] + ["rmi", NAME])
        shutil.rmtree(self.work / "floor", ignore_errors=True)
        self.rest()

    def forget_all(self):
        for who in self.clis:
            self.forget(who)

    def lines(self, verb, *args):
        """verb with args for everybody; podman has to be told that the registry speaks HTTP."""
        http = {"podman": ["--tls-verify=false"]} if verb in ("pull", "push") else {}
        return {who: cli + [verb] + http.get(who, []) + list(args) for who, cli in self.clis.items()}

    def floor(self, layout):
        """All cores inflating and unpacking, from the page cache; with and without waiting for the disk."""
        program = compiled(self.work, "unpack", "-lisal", "-lpthread")
        blobs = sorted((layout / "blobs/sha256").iterdir(), key=lambda blob: -blob.stat().st_size)
        layers = [str(blob) for blob in blobs if blob.open("rb").read(2) == b"\x1f\x8b"]
        return {"floor": [program, f"{self.work}/floor", *layers],
                "synced": [program, "-s", f"{self.work}/floor", *layers]}


def pull(stage, layout, title):
    with Registry(stage.work) as registry:
        registry.take(layout)
        stage.forget_all()
        measure(title, stage.lines("pull", NAME) | stage.floor(layout), runs=HEAVY, before=stage.forget)
        report(f"{title}: peak memory of all processes, PSS",
               {who: [peak(stage, who, line)] for who, line in stage.lines("pull", NAME).items()}, "kB")
        stage.forget_all()


def descendants(pid):
    found = [pid]
    for task in pathlib.Path(f"/proc/{pid}/task").glob("*"):
        try:
            for child in (task / "children").read_text().split():
                found += descendants(int(child))
        except OSError:
            pass
    return found


def peak(stage, who, command):
    """The largest sum of what daemon and workers had at one moment, looked at every few milliseconds; of podman, which
    has no daemon, the command itself."""
    stage.forget(who)
    client = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    roots = {"keg": [stage.keg.process.pid], "docker": docker_pids() if who == "docker" else []}.get(who, [client.pid])
    ended, most = threading.Event(), 0
    threading.Thread(target=lambda: (client.wait(), ended.set())).start()
    while not ended.wait(0.003):
        most = max(most, pss([pid for root in roots for pid in descendants(root)]))
    return most


def bench_pull(keg, peers, work):
    if possible("pull"):
        pull(Stage(keg, peers, work), pull_image(work), "pull: 3 layers, 28,000 files")


def bench_layers(keg, peers, work):
    if possible("layers"):
        pull(Stage(keg, peers, work), layers_image(work), "pull: 60 small layers")


def bench_files(keg, peers, work):
    if possible("files"):
        pull(Stage(keg, peers, work), files_image(work), "pull: 100,000 files")


def fetched(stage, registry):
    """Everybody has the image."""
    registry.take(pull_image(stage.work))
    for line in stage.lines("pull", NAME).values():
        must(line)


def bench_push(keg, peers, work):
    if not possible("push"):
        return
    stage = Stage(keg, peers, work)
    with Registry(work) as registry:
        fetched(stage, registry)
        measure("push: 3 layers, 28,000 files, into an empty registry", stage.lines("push", NAME), runs=HEAVY,
                before=lambda _: (registry.wipe(), stage.rest()))
        stage.forget_all()


def bench_save(keg, peers, work):
    if not possible("save"):
        return
    stage, archive = Stage(keg, peers, work), work / "saved.tar"
    with Registry(work) as registry:
        fetched(stage, registry)
        measure("save: 3 layers, 28,000 files", stage.lines("save", "-o", str(archive), NAME), runs=HEAVY,
                before=lambda _: (archive.unlink(missing_ok=True), stage.rest()))
        archive.unlink()
        stage.forget_all()


def bench_load(keg, peers, work):
    if not possible("load"):
        return
    stage, layout, archive = Stage(keg, peers, work), pull_image(work), work / "archive.tar"

    def load(title):
        measure(f"load: 3 layers, 28,000 files, {title}", stage.lines("load", "-i", str(archive)), runs=HEAVY,
                before=stage.forget)
        stage.forget_all()
        archive.unlink()

    skopeo(f"oci:{layout}:bench", f"docker-archive:{archive}:{NAME}:latest")
    load("as docker saves it")
    skopeo(f"oci:{layout}:bench", f"oci-archive:{archive}:{NAME}:latest")
    must(keg.cli + ["load", "-i", archive])
    must(keg.cli + ["save", "-o", archive, NAME])
    load("layers compressed, as keg saves it")


def bench_images(keg, peers, work):
    stage, count = Stage(keg, peers, work), 1000
    archives, names = many_images(work, count)
    for archive in archives:
        for line in stage.lines("load", "-i", str(archive)).values():
            must(line)
    measure(f"images with {count} images", stage.lines("images"), runs=min(10, RUNS))
    for cli in stage.clis.values():
        for i in range(0, count, 100):
            must(cli + ["rmi"] + names[i:i + 100])
    for archive in archives:
        archive.unlink()


PARTS = {"pull": bench_pull, "layers": bench_layers, "files": bench_files, "push": bench_push, "save": bench_save,
         "load": bench_load, "images": bench_images}
