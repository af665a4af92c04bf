#!/usr/bin/env python3
"""The directions of the house: a folder of src/ includes only itself and what stands below it in ORDER.

Also: every include of ours carries its folder, and every header compiles by itself (with --compile CC FLAGS…)."""
import pathlib
import re
import subprocess
import sys

# folder: the folders it may include. To add a folder: a row here and in ARCHITECTURE.md.
ALLOWED = {
    "base": [],
    "tar": ["base"],
    "sys": ["base"],
    "runtime": ["sys", "base"],
    "storage": ["sys", "tar", "base"],
    "image": ["storage", "sys", "tar", "base"],
    "network": ["sys", "base"],
    "volume": ["sys", "base"],
    "monitor": ["runtime", "sys", "base"],
    "engine": ["volume", "network", "image", "storage", "runtime", "sys", "base"],
    "api": ["engine", "base"],
    "daemon": ["api", "engine", "base"],
    "tls": ["base"],
    "cli": ["tar", "base"],
    "bin": None,  # mains: anything
}
EXCEPTIONS = {
    ("engine", "monitor/protocol.h"),  # how others speak to a monitor
}


def check_file(path, src):
    folder = path.relative_to(src).parts[0]
    for number, line in enumerate(path.read_text().splitlines(), 1):
        match = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
        if not match:
            continue
        included = match.group(1)
        target = included.split("/")[0]
        where = f"{path}:{number}"
        if "/" not in included or not (src / included).exists():
            yield f'{where}: "{included}" must be given from src/, with its folder'
        elif ALLOWED.get(folder, []) is None or target == folder or (folder, included) in EXCEPTIONS:
            continue
        elif target not in ALLOWED.get(folder, []):
            yield f"{where}: {folder} must not include {target}"


def check_header(path, src, compiler):
    unit = f'#include "{path.relative_to(src)}"\n'
    run = subprocess.run(compiler + ["-iquote", str(src), "-fsyntax-only", "-x", "c", "-"], input=unit, text=True,
                         capture_output=True)
    if run.returncode:
        yield f"{path}: does not compile by itself:\n{run.stderr}"


def main():
    src = pathlib.Path(sys.argv[1])
    files = sorted(p for p in src.rglob("*.[ch]"))
    faults = [fault for p in files for fault in check_file(p, src)]
    folders = {p.relative_to(src).parts[0] for p in files}
    faults += [f"src/{f}: no row in tests/house/includes.py" for f in sorted(folders - ALLOWED.keys())]
    if "--compile" in sys.argv:
        compiler = sys.argv[sys.argv.index("--compile") + 1:]
        faults += [fault for p in files if p.suffix == ".h" for fault in check_header(p, src, compiler)]
    print("\n".join(faults) if faults else f"{len(files)} files: every include goes the allowed way")
    sys.exit(1 if faults else 0)


main()
