"""What the suites need beside their sources: helpers, built inside the checkouts, and images from Debian's packages."""
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

# what the suites' configure would find on any current Linux
CRUN_CONFIG = "#define HAVE_SECCOMP 1\n#define HAVE_ERROR_H 1\n#define HAVE_LINUX_IOPRIO_H 1\n"
USERS = [("root", 0, "/root"), ("daemon", 1, "/usr/sbin"), ("bin", 2, "/bin"), ("sys", 3, "/dev"), ("sync", 4, "/bin"),
         ("mail", 8, "/var/spool/mail"), ("www-data", 33, "/var/www"), ("operator", 37, "/var"), ("nobody", 65534, "/home")]
GROUPS = [("adm", 4), ("tty", 5), ("disk", 6), ("lp", 7)]


def run(*command, **options):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, **options)


def go_environment():
    return os.environ | {"GOFLAGS": "-mod=vendor", "GOTOOLCHAIN": "local"}


def mirror():
    """The Debian mirror that this machine itself uses."""
    for path in sorted(pathlib.Path("/etc/apt").glob("sources.list.d/*.sources")):
        for address in re.findall(r"(?m)^URIs: *(\S*/debian/*)$", path.read_text()):
            return address
    found = re.search(r"(?m)^deb (?:\[[^]]*\] )?(\S+) ", pathlib.Path("/etc/apt/sources.list").read_text())
    return found[1]


def pack(folder, image):
    """Uncompressed whatever its name says: tar looks, and every test unpacks it."""
    run("tar", "-C", folder, "-cf", f"{image}.part", ".")
    os.rename(f"{image}.part", image)


def make_busybox(image):
    """A tree like the busybox image's: one static program under all its names."""
    with tempfile.TemporaryDirectory() as root:
        for name in ("bin", "sbin", "usr/bin", "usr/sbin", "etc", "root", "tmp", "var/spool", "var/www", "dev",
                     "home", "lib", "lib64"):
            os.makedirs(f"{root}/{name}")
        os.chmod(root, 0o755)
        os.chmod(f"{root}/tmp", 0o1777)
        shutil.copy("/bin/busybox", f"{root}/bin/busybox")
        for name in subprocess.check_output(["/bin/busybox", "--list"], text=True).split():
            if name != "busybox":
                os.link(f"{root}/bin/busybox", f"{root}/bin/{name}")
        with open(f"{root}/etc/passwd", "w") as passwd, open(f"{root}/etc/group", "w") as group:
            for name, number, home in USERS:
                passwd.write(f"{name}:x:{number}:{number}:{name}:{home}:{'/bin/sh' if number == 0 else '/bin/false'}\n")
            for name, number in [(name, number) for name, number, _ in USERS] + GROUPS:
                group.write(f"{name}:x:{number}:\n")
        pack(root, image)


def make_debian(image):
    codename = re.search(r"VERSION_CODENAME=(\w+)", pathlib.Path("/etc/os-release").read_text())
    with tempfile.TemporaryDirectory() as root:
        os.chmod(root, 0o755)
        run("mmdebstrap", "--quiet", "--variant=essential", codename[1] if codename else "sid", f"{root}/tree", mirror())
        pack(f"{root}/tree", image)


def build_runc(source):
    run("make", "test-binaries", cwd=source, env=go_environment())
    architecture = subprocess.check_output(["go", "env", "GOARCH"], text=True).strip()
    data = pathlib.Path(source, "tests/integration/testdata")
    for name, make in (("busybox", make_busybox), ("debian", make_debian)):
        image = data / f"{name}-{architecture}.tar.xz"
        if not image.exists():
            make(image)


def build_crun(source):
    with tempfile.TemporaryDirectory() as include:
        pathlib.Path(include, "config.h").write_text(CRUN_CONFIG)
        run("gcc", "-static", "-O1", "-w", f"-I{include}", "-o", "tests/init", "tests/init.c", "-lseccomp", cwd=source)


def build_tools(source):
    run("make", "runtimetest", "validation-executables", cwd=source, env=go_environment())


def build(tools, runc, crun):
    for source, builder in ((tools, build_tools), (runc, build_runc), (crun, build_crun)):
        if source:
            builder(source)
