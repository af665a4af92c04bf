#!/usr/bin/env python3
"""Calls every operation of Docker's API on a daemon, and looks whether the answers are what its description says.

    operations.py SOCKET [--versions] [--verbose]

The daemon is private, and has the image busybox. What is compared with is operations.json (openapi.py makes it): status codes,
types, members that have to be there, and that there are no others. --versions calls what only reads with every version of the
API, too. Ends with a line "N operations, N calls, N failures"; fails if there are any, or an operation was never called.
"""
import base64
import http.client
import io
import json
import os
import pathlib
import re
import socket
import sys
import tarfile

TABLE = json.loads((pathlib.Path(__file__).parent / "operations.json").read_text())
OPERATIONS = {(o["method"], o["path"]): o for o in TABLE["operations"]}
TYPES = TABLE["types"]
VERSIONS = [f"v1.{n}" for n in range(24, 52)]

# What is answered though the description of this version doesn't have it: Docker's daemon does so as well, or an extension.
MORE = {
    "EventMessage": {"from", "id", "status"},
    "GET /exec/{id}/json 200": {"LeftPids"},
}
# Members that Docker's daemon has as null, though their types don't say so: not set, not known yet.
NULL = {"MemorySwappiness", "OomKillDisable", "ExitCode"}
# Codes that Docker's daemon has, and its description hasn't.
UNSAID = {("POST", "/networks/create"): {409}, ("GET", "/images/{name}/get"): {404}}
# Codes that go without saying: a request that can't be understood, and what isn't there in keg.
ALWAYS = {400, 500}
NOT_IMPLEMENTED = {("POST", "/build"), ("POST", "/session"), ("POST", "/plugins/pull"), ("POST", "/plugins/create"),
                   ("GET", "/plugins/privileges"), ("POST", "/swarm/init"), ("POST", "/swarm/join"), ("GET", "/images/search")}


class Connection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("keg", timeout=30)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Checker:
    """Collects where a value isn't of its type."""

    def __init__(self):
        self.wrong = []

    def say(self, where, what):
        self.wrong.append(f"{where}: {what}")

    def check(self, value, kind, where):
        null = kind.endswith("?")
        kind = kind.rstrip("?")
        if value is None:
            # lists, maps and objects that are nothing are null in Go
            if not null and kind[0] not in "[{@" and kind not in ("any", "object") and where.rsplit(".", 1)[-1] not in NULL:
                self.say(where, "null")
            return
        if kind[0] == "@":
            self.check_object(value, kind[1:], where)
        elif kind[0] == "[":
            self.check_kind(value, list, where)
            for i, item in enumerate(value if isinstance(value, list) else []):
                self.check(item, kind[1:-1], f"{where}[{i}]")
        elif kind[0] == "{":
            self.check_kind(value, dict, where)
            for key, item in (value.items() if isinstance(value, dict) else ()):
                self.check(item, kind[1:-1], f"{where}.{key}")
        elif kind.startswith("string("):
            if value not in kind[7:-1].split("|"):
                self.say(where, f"{value!r} is none of {kind}")
        elif kind != "any":
            self.check_kind(value, {"string": str, "integer": int, "number": (int, float), "boolean": bool,
                                    "object": dict}[kind], where)

    def check_kind(self, value, kinds, where):
        if not isinstance(value, kinds) or (isinstance(value, bool) and kinds is not bool):
            self.say(where, f"{value!r} is no {kinds}")

    def check_object(self, value, name, where):
        members = TYPES[name]
        if isinstance(members, str):
            self.check(value, members, where)
            return
        if not isinstance(value, dict):
            self.say(where, f"{value!r} is no {name}")
            return
        known = {k.rstrip("*"): v for k, v in members.items()}
        for key in members:
            if key.endswith("*") and key[:-1] not in value:
                self.say(where, f"{key[:-1]} is missing ({name})")
        for key, item in value.items():
            if key in known:
                self.check(item, known[key], f"{where}.{key}")
            elif key not in MORE.get(name, ()):
                self.say(where, f"{key} isn't in {name}")


class Suite:
    def __init__(self, path, verbose):
        self.path, self.verbose = path, verbose
        self.called, self.calls, self.failures = set(), 0, []

    def ask(self, method, url, body=None, kind="application/json"):
        connection = Connection(self.path)
        headers = {}
        if body is not None:
            headers["Content-Type"] = kind
            body = body if isinstance(body, bytes) else json.dumps(body).encode()
        connection.request(method, url, body, headers)
        answer = connection.getresponse()
        data = b"" if answer.status == 101 else answer.read()
        connection.close()
        return answer, data

    def fail(self, what, why):
        self.failures.append(f"{what}: {why}")
        print(f"FAIL {what}: {why}")

    def call(self, method, path, query="", body=None, expect=None, **names):
        """One operation; the answer's JSON, where it is."""
        operation = OPERATIONS[method, path]
        url = re.sub(r"{(\w+)}", lambda m: names[m.group(1)], path)
        answer, data = self.ask(method, "/v1.51" + url + ("?" + query if query else ""), body,
                                "application/x-tar" if isinstance(body, bytes) else "application/json")
        what = f"{method} {url}{'?' + query if query else ''}"
        self.called.add((method, path))
        self.calls += 1
        if self.verbose:
            print(what, answer.status)
        documented = {int(s) for s in operation["answers"]} | ALWAYS | UNSAID.get((method, path), set())
        if (method, path) in NOT_IMPLEMENTED:
            documented.add(501)
        if answer.status not in documented:
            self.fail(what, f"{answer.status} isn't one of {sorted(documented)}: {data[:200]}")
        if expect is not None and answer.status not in (expect if isinstance(expect, tuple) else (expect,)):
            self.fail(what, f"{answer.status} and not {expect}: {data[:300]}")
        return self.check_answer(what, answer, data, operation)

    def check_answer(self, what, answer, data, operation):
        kind = operation["answers"].get(str(answer.status), "")
        if answer.status >= 400 and answer.status != 101:
            kind = "" if operation["method"] == "HEAD" else "@ErrorResponse"
        if "json" not in (answer.getheader("Content-Type") or "") or not data:
            if data and kind not in ("", "string") and operation["method"] != "HEAD":
                self.fail(what, f"{answer.getheader('Content-Type')} where {kind} was to be")
            return None
        try:
            value = json.loads(data)
        except ValueError:  # a stream of several
            return [json.loads(line) for line in data.decode().splitlines() if line.strip()]
        if kind:
            checker = Checker()
            checker.check(value, kind, "")
            for wrong in checker.wrong:
                self.fail(what, wrong)
        return value


def archive(name="f", content=b"x"):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    return data.getvalue()


CONTAINER = {
    "Image": "busybox", "Cmd": ["sh", "-c", "echo out; echo err >&2; exec sleep 1000"], "Env": ["A=b"], "Labels": {"l": "1"},
    "Hostname": "host", "User": "0", "StopTimeout": 1, "ExposedPorts": {"80/tcp": {}}, "Volumes": {"/anonymous": {}},
    "Healthcheck": {"Test": ["CMD", "true"], "Interval": 1000000000},
    "HostConfig": {"Binds": ["named:/named"], "Memory": 64 << 20, "PortBindings": {"80/tcp": [{"HostPort": "0"}]},
                   "Tmpfs": {"/t": ""}, "RestartPolicy": {"Name": "no"}, "Ulimits": [{"Name": "nofile", "Soft": 64, "Hard": 64}],
                   "ExtraHosts": ["x:1.2.3.4"], "CapAdd": ["NET_ADMIN"], "LogConfig": {"Type": "json-file", "Config": {}}},
}


def containers(s):
    made = s.call("POST", "/containers/create", "name=one", CONTAINER, 201)
    one = made["Id"]
    s.call("POST", "/containers/create", "name=one", CONTAINER, 409)
    s.call("POST", "/containers/create", "", {"Image": "nothing"}, 404)
    s.call("POST", "/containers/create", "name=%20", CONTAINER, 400)
    s.call("GET", "/containers/{id}/json", "size=1", id="one", expect=200)
    s.call("GET", "/containers/{id}/stats", "stream=false", id="one", expect=200)
    s.call("POST", "/containers/{id}/start", id="one", expect=204)
    s.call("POST", "/containers/{id}/start", id="one", expect=304)
    for query in ("", "all=1&size=1", "limit=1", 'filters={"label":["l=1"]}', 'filters={"status":["running"]}'):
        s.call("GET", "/containers/json", query, expect=200)
    s.call("GET", "/containers/json", 'filters={"nonsense":["x"]}', expect=400)
    s.call("GET", "/containers/{id}/json", id="one", expect=200)
    for query in ("", "ps_args=aux"):
        s.call("GET", "/containers/{id}/top", query, id="one", expect=200)
    s.call("GET", "/containers/{id}/logs", "stdout=1&stderr=1&timestamps=1&tail=10", id="one", expect=200)
    s.call("GET", "/containers/{id}/stats", "stream=false&one-shot=1", id="one", expect=200)
    s.call("GET", "/containers/{id}/stats", "stream=false", id="one", expect=200)
    s.call("POST", "/containers/{id}/resize", "h=10&w=20", id="one", expect=200)
    s.call("PUT", "/containers/{id}/archive", "path=/", archive(), id="one", expect=200)
    s.call("PUT", "/containers/{id}/archive", "path=/f", archive(), id="one", expect=400)
    s.call("HEAD", "/containers/{id}/archive", "path=/f", id="one", expect=200)
    s.call("GET", "/containers/{id}/archive", "path=/f", id="one", expect=200)
    s.call("GET", "/containers/{id}/changes", id="one", expect=200)
    s.call("POST", "/containers/{id}/update", "", {"Memory": 65 << 20, "MemorySwap": 130 << 20}, id="one", expect=200)
    s.call("POST", "/containers/{id}/pause", id="one", expect=204)
    s.call("GET", "/containers/{id}/json", id="one", expect=200)
    s.call("POST", "/containers/{id}/unpause", id="one", expect=204)
    attach(s)
    execs(s)
    s.call("POST", "/commit", "container=one&repo=made&tag=1&comment=c&author=a&pause=0", {}, 201)
    s.call("POST", "/containers/{id}/rename", "name=two", id="one", expect=204)
    s.call("POST", "/containers/create", "name=other", {"Image": "busybox", "Cmd": ["sh", "-c", "exit 3"]}, 201)
    s.call("POST", "/containers/{id}/rename", "name=other", id="two", expect=409)
    s.call("POST", "/containers/{id}/rename", "name=one", id="two", expect=204)
    s.call("POST", "/containers/{id}/restart", "t=0", id="one", expect=204)
    s.call("POST", "/containers/{id}/stop", "t=0", id="one", expect=204)
    s.call("POST", "/containers/{id}/stop", id="one", expect=304)
    s.call("POST", "/containers/{id}/kill", id="one", expect=409)
    s.call("POST", "/containers/{id}/start", id="one", expect=204)
    s.call("DELETE", "/containers/{id}", id="one", expect=409)
    s.call("POST", "/containers/{id}/kill", "signal=KILL", id="one", expect=204)
    s.call("POST", "/containers/{id}/start", id="other", expect=204)
    s.call("POST", "/containers/{id}/wait", "condition=not-running", id="other", expect=200)
    s.call("POST", "/containers/{id}/wait", "condition=nonsense", id="other", expect=400)
    s.call("GET", "/containers/{id}/json", id="other", expect=200)
    s.call("GET", "/containers/{id}/export", id="other", expect=200)
    s.call("GET", "/containers/json", "all=1", expect=200)
    s.call("DELETE", "/containers/{id}", "v=1&force=1", id="one", expect=204)
    s.call("POST", "/containers/prune", expect=200)
    return one


def attach(s):
    """Answers that leave HTTP: their status, and that the stream works, is all there is to see."""
    s.call("POST", "/containers/{id}/attach", "logs=1&stdout=1&stderr=1", id="one", expect=200)
    connection = Connection(s.path)
    connection.request("GET", "/v1.51/containers/one/attach/ws?stdout=1&logs=1", headers={
        "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode()})
    answer = connection.getresponse()
    if answer.status != 101:
        s.fail("attach/ws", f"{answer.status}: {answer.read()}")
    connection.close()
    s.call("GET", "/containers/{id}/attach/ws", id="one", expect=400)


def execs(s):
    made = s.call("POST", "/containers/{id}/exec", "", {"Cmd": ["echo", "hi"], "AttachStdout": True}, id="one", expect=201)
    s.call("GET", "/exec/{id}/json", id=made["Id"], expect=200)
    s.call("POST", "/exec/{id}/start", "", {"Detach": False, "Tty": False}, id=made["Id"], expect=200)
    s.call("GET", "/exec/{id}/json", id=made["Id"], expect=200)
    s.call("POST", "/exec/{id}/start", "", {}, id=made["Id"], expect=409)
    s.call("POST", "/exec/{id}/resize", "h=1&w=1", id=made["Id"], expect=404)
    s.call("POST", "/containers/{id}/exec", "", {"Cmd": []}, id="one", expect=400)
    for method, path in (("GET", "/exec/{id}/json"), ("POST", "/exec/{id}/start"), ("POST", "/exec/{id}/resize")):
        s.call(method, path, "h=1&w=1" if "resize" in path else "", {} if "start" in path else None, id="0" * 64, expect=404)


def images(s):
    for query in ("", "all=1", "digests=1", "shared-size=1", 'filters={"reference":["busybox"]}'):
        s.call("GET", "/images/json", query, expect=200)
    s.call("GET", "/images/json", 'filters={"nonsense":["x"]}', expect=400)
    s.call("GET", "/images/{name}/json", name="busybox", expect=200)
    s.call("GET", "/images/{name}/history", name="busybox", expect=200)
    s.call("POST", "/images/{name}/tag", "repo=again&tag=1", name="busybox", expect=201)
    s.call("POST", "/images/{name}/tag", "repo=UPPER", name="busybox", expect=400)
    saved, data = s.ask("GET", "/v1.51/images/busybox/get")
    if saved.status != 200:
        s.fail("save", saved.status)
    s.call("GET", "/images/{name}/get", name="busybox", expect=200)
    s.call("GET", "/images/get", "names=busybox&names=again:1", expect=200)
    s.call("POST", "/images/load", "quiet=1", data, 200)
    s.call("POST", "/images/create", "fromSrc=-&repo=imported", archive(), 200)
    s.call("POST", "/images/create", "fromImage=localhost:1/nothing&tag=1", expect=(404, 500))
    s.call("POST", "/images/{name}/push", "tag=1", name="localhost:1/nothing", expect=200)
    s.call("GET", "/distribution/{name}/json", name="localhost:1/nothing:1", expect=(401, 403, 404, 500))
    s.call("GET", "/images/search", "term=localhost:1/x", expect=(500, 501, 400))
    s.call("POST", "/auth", "", {"serveraddress": "localhost:1", "username": "a", "password": "b"}, (401, 500))
    s.call("DELETE", "/images/{name}", name="again:1", expect=200)
    s.call("DELETE", "/images/{name}", name="imported", expect=200)
    s.call("POST", "/images/prune", 'filters={"dangling":["true"]}', expect=200)
    s.call("POST", "/build", expect=501)
    s.call("POST", "/build/prune", expect=200)


def volumes_and_networks(s):
    s.call("POST", "/volumes/create", "", {"Name": "vv", "Labels": {"l": "1"}}, 201)
    s.call("POST", "/volumes/create", "", {"Name": "../v"}, 400)
    for query in ("", 'filters={"dangling":["true"]}', 'filters={"label":["l"]}', 'filters={"name":["v"]}', 'filters={"driver":["local"]}'):
        s.call("GET", "/volumes", query, expect=200)
    s.call("GET", "/volumes", 'filters={"nonsense":["x"]}', expect=400)
    s.call("GET", "/volumes/{name}", name="vv", expect=200)
    s.call("PUT", "/volumes/{name}", "version=1", {}, name="vv", expect=503)
    s.call("DELETE", "/volumes/{name}", name="vv", expect=204)
    s.call("POST", "/volumes/prune", 'filters={"all":["true"]}', expect=200)
    s.call("POST", "/networks/create", "", {"Name": "n", "Labels": {"l": "1"}, "Options": {}}, 201)
    s.call("POST", "/networks/create", "", {"Name": "n"}, (409, 400, 500))
    for query in ("", 'filters={"name":["n"]}', 'filters={"driver":["bridge"]}', 'filters={"type":["custom"]}', 'filters={"scope":["local"]}'):
        s.call("GET", "/networks", query, expect=200)
    s.call("GET", "/networks", 'filters={"nonsense":["x"]}', expect=400)
    s.call("GET", "/networks/{id}", "verbose=1", id="n", expect=200)
    s.call("POST", "/containers/create", "name=net", {"Image": "busybox", "Cmd": ["sleep", "1000"]}, 201)
    s.call("POST", "/containers/{id}/start", id="net", expect=204)
    s.call("POST", "/networks/{id}/connect", "", {"Container": "net", "EndpointConfig": {"Aliases": ["a"]}}, id="n", expect=200)
    s.call("GET", "/networks/{id}", id="n", expect=200)
    s.call("GET", "/containers/{id}/json", id="net", expect=200)
    s.call("POST", "/networks/{id}/disconnect", "", {"Container": "net", "Force": True}, id="n", expect=200)
    s.call("DELETE", "/networks/{id}", id="bridge", expect=403)
    s.call("DELETE", "/networks/{id}", id="n", expect=204)
    s.call("POST", "/networks/prune", expect=200)
    s.call("DELETE", "/containers/{id}", "force=1", id="net", expect=204)


def system(s):
    for method, path in (("GET", "/_ping"), ("HEAD", "/_ping"), ("GET", "/version"), ("GET", "/info")):
        s.call(method, path, expect=200)
    for query in ("", "type=container", "type=image&type=volume", "type=build-cache"):
        s.call("GET", "/system/df", query, expect=200)
    s.call("GET", "/system/df", "type=nonsense", expect=400)
    events = s.call("GET", "/events", "since=0&until=2", expect=200)
    events = s.call("GET", "/events", 'since=1h&until=0s&filters={"type":["container"]}')
    for event in events or ():
        checker = Checker()
        checker.check(event, "@EventMessage", "event")
        for wrong in checker.wrong:
            s.fail("events", wrong)
    s.call("GET", "/events", "since=nonsense", expect=400)
    s.call("GET", "/events", 'filters={"nonsense":["x"]}&since=1&until=2', expect=200)
    s.call("GET", "/events", "since=5&until=1", expect=400)
    s.call("POST", "/session", expect=501)


def strangers(s):
    """What has a name in its path, with one that nobody has; and all that a daemon without swarm and plugins refuses."""
    for method, path in OPERATIONS:
        swarm = re.match(r"/(swarm|nodes|services|tasks|secrets|configs)", path)
        plugins = path.startswith("/plugins")
        if swarm:
            s.call(method, path, "version=1", {} if method == "POST" else None, id="nobody", expect=(503, 501))
        elif plugins:
            s.call(method, path, "remote=x&name=x", [] if path.endswith(("set", "pull", "upgrade")) else None, name="nobody",
                   expect=(200, 404, 501))
        elif path.startswith(("/containers/{id}", "/images/{name}/", "/volumes/{name}", "/networks/{id}")) or \
                (method, path) == ("DELETE", "/images/{name}"):
            body = None if path.endswith("/start") else {"Container": "nobody", "Cmd": ["x"], "EndpointConfig": {}} if method == "POST" else \
                archive() if "archive" in path else {} if method == "PUT" else None
            query = {"archive": "path=/", "rename": "name=x", "resize": "h=1&w=1", "logs": "stdout=1", "tag": "repo=x",
                     "nobody": "version=1"}.get(path.rsplit("/", 1)[1], "version=1")
            if (method, path) in {("GET", "/containers/{id}/attach/ws"), ("PUT", "/volumes/{name}"), ("POST", "/images/{name}/push"),
                                  ("GET", "/images/{name}/get")}:
                s.call(method, path, query, body, id="nobody", name="nobody")
            else:
                s.call(method, path, query, body, id="nobody", name="nobody", expect=404)


def versions(s):
    """What only reads, with every version: an answer that can be understood, and what older ones lack or had."""
    s.call("POST", "/containers/create", "name=old", CONTAINER, 201)
    s.call("POST", "/containers/{id}/start", id="old", expect=204)
    paths = ["/_ping", "/version", "/info", "/containers/json?all=1", "/containers/old/json", "/containers/old/top",
             "/containers/old/stats?stream=false&one-shot=1", "/images/json", "/images/busybox/json", "/images/busybox/history",
             "/volumes", "/volumes/named", "/networks", "/networks/bridge", "/containers/old/changes"]
    for version in VERSIONS:
        for path in paths:
            answer, data = s.ask("GET", f"/{version}{path}")
            s.calls += 1
            if answer.status != 200:
                s.fail(f"{version} {path}", f"{answer.status} {data[:200]}")
            elif path != "/_ping":
                check_version(s, int(version[3:]), path, json.loads(data))
    for version in ("v1.23", "v1.52", "v2.0", "v1.051x"):
        answer, _ = s.ask("GET", f"/{version}/info")
        if answer.status not in (400, 404):
            s.fail(version, f"{answer.status} for a version that isn't there")
    s.call("DELETE", "/containers/{id}", "force=1&v=1", id="old", expect=204)


# A member of an answer, and the versions that have it.
SINCE = [
    ("/containers/old/json", "ImageManifestDescriptor", 48, 99),
    ("/containers/json?all=1", "0.ImageManifestDescriptor", 48, 99),
    ("/images/json", "0.VirtualSize", 24, 43), ("/images/busybox/json", "VirtualSize", 24, 43),
    ("/images/busybox/json", "ContainerConfig", 24, 44), ("/images/busybox/json", "Descriptor", 48, 99),
    ("/info", "DiscoveredDevices", 50, 99), ("/info", "FirewallBackend", 49, 99), ("/info", "BridgeNfIptables", 24, 49),
    ("/info", "RuncCommit.Expected", 24, 48), ("/info", "Containerd", 46, 99), ("/info", "KernelMemory", 24, 41),
    ("/info", "Runtimes.runc.status", 44, 99), ("/images/busybox/json", "Config.Tty", 24, 49),
]


def member(value, path):
    for key in path.split("."):
        if isinstance(value, list):
            value = value[int(key)] if int(key) < len(value) else None
        elif isinstance(value, dict):
            value = value.get(key)
    return value


def check_version(s, minor, path, value):
    for where, key, first, last in SINCE:
        if where == path and not first <= minor <= last and member(value, key) is not None:
            s.fail(f"v1.{minor} {path}", f"has {key}, which is of 1.{first} to 1.{last}")


def main():
    s = Suite(sys.argv[1], "--verbose" in sys.argv)
    strangers(s)
    containers(s)
    images(s)
    volumes_and_networks(s)
    system(s)
    if "--versions" in sys.argv:
        versions(s)
    for method, path in sorted(set(OPERATIONS) - s.called):
        s.fail(f"{method} {path}", "was never called")
    print(f"{len(s.called)} operations, {s.calls} calls, {len(s.failures)} failures")
    sys.exit(bool(s.failures))


main()
