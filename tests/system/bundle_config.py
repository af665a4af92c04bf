"""Changes bundles' config.json for the tests (bundle.bash): one interpreter for a whole file, because starting one for each change
takes longer than the container does.

bundle_config.py DIRECTORY: serves requests written to DIRECTORY/config.ask, each "bundle\\0code\\0more code", one after the other;
what went wrong, or nothing, is the answer in DIRECTORY/config.answer. Ends when it is killed, or the directory is gone.
"""
import json
import sys
import traceback


def change(bundle, code, more):
    path = bundle + "/config.json"
    with open(path) as file:
        c = json.load(file)
    linux = c.get("linux") or {}
    names = {"json": json, "bundle": bundle, "c": c, "p": c.get("process"), "linux": linux, "mounts": c.get("mounts"),
             "resources": linux.get("resources")}
    exec(more, names)
    exec(code, names)
    with open(path, "w") as file:
        json.dump(names["c"], file)


def main(directory):
    while True:
        with open(directory + "/config.ask") as ask:
            request = ask.read()
        wrong = ""
        try:
            change(*request.split("\0"))
        except Exception:
            wrong = traceback.format_exc()
        with open(directory + "/config.answer", "w") as answer:
            answer.write(wrong)


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except FileNotFoundError:
        pass
