# keg-runtime's command line: what runc's callers rely on beyond running a container (runtime.bats).

setup_file() {
    load lib
    load bundle
    require root python3
    bundles_begin command
    cp "$KEG_BUILD/keg-runtime" "$DIR/runc"
    ln -s runc "$DIR/crun"
}

teardown_file() {
    load bundle
    bundles_end
}

setup() {
    load lib
    load bundle
    bundle_begin
}

teardown() {
    local id
    for id in $(rt list -q); do rt delete --force "$id"; done
    bundle_end
}

in_background() { sh_args "$1" && rt run --detach --bundle "$BUNDLE" "${@:2}" "$ID" >"$BUNDLE/out" 2>&1 3>&-; }

# A unix socket that prints "NAME N": the text it is sent and how many descriptors come along; with a file, what arrives.
listen() { # stream|datagram PATH [FILE]
    python3 -c 'import array, socket, sys
kind = socket.SOCK_STREAM if sys.argv[1] == "stream" else socket.SOCK_DGRAM
s = socket.socket(socket.AF_UNIX, kind)
s.bind(sys.argv[2])
s.settimeout(20)
if kind == socket.SOCK_STREAM:
    s.listen(1)
    s, _ = s.accept()
while True:
    data, extra, _, _ = s.recvmsg(4096, socket.CMSG_SPACE(64))
    fds = array.array("i")
    for level, kind_, d in extra: fds.frombytes(d)
    for fd in fds: socket.os.close(fd)
    if not data: break
    print(data.decode(), len(fds), flush=True)
    if data.startswith(b"pidfd") or data.startswith(b"BARRIER"): break' "$1" "$2" >"${3:-$BUNDLE/heard}" 3>&- &
    eventually test -S "$2"
}

@test "help and version are told under the name of the program" {
    run "$DIR/runc" --version
    [ "$status" = 0 ]
    [[ ${lines[0]} =~ ^runc\ version\ [0-9]+\.[0-9]+\.[0-9]+ ]]
    [[ ${lines[1]} == commit:* && ${lines[2]} == "spec: 1."* ]]
    run "$DIR/runc" --help
    [ "${lines[0]}" = NAME: ]
    [ "${lines[1]}" = "   runc - Open Container Initiative runtime" ]
    run "$DIR/crun" exec --help
    [[ $output == *"Usage: crun [OPTION...] exec CONTAINER cmd"* ]]
    run rt kill -h
    [[ ${lines[1]} == *"keg-runtime kill"* ]]
    run rt nonsense --help
    must_fail 3 "No help topic for 'nonsense'"
    run rt nonsense
    must_fail 3 "No help topic for 'nonsense'"
    run rt run --nonsense "$ID"
    must_fail 1 'flag provided but not defined: --nonsense'
}

@test "spec writes what runc does, once" {
    run rt spec --bundle "$BUNDLE"
    must_fail 1 'File config.json exists. Remove it first'
    rm "$BUNDLE/config.json"
    rt spec --bundle "$BUNDLE" --rootless
    config '
kinds = [n["type"] for n in c["linux"]["namespaces"]]
assert "user" in kinds and "network" not in kinds, kinds
assert c["linux"]["uidMappings"] == [{"containerID": 0, "hostID": 0, "size": 1}]
assert "resources" not in c["linux"]
assert [m["type"] for m in c["mounts"] if m["destination"] == "/sys"] == ["none"]'
}

@test "messages name command and program; execve's own come plain; --log has them too" {
    in_container true
    config 'c["process"]["args"] = ["/nothing/here"]'
    run rt --log "$BUNDLE/log" --log-format json run --bundle "$BUNDLE" "$ID"
    must_fail 1 'keg-runtime run failed: exec: "/nothing/here": stat /nothing/here: no such file or directory'
    grep -q '"level":"error","msg":"keg-runtime run failed: exec' "$BUNDLE/log"
    printf '#!/no/such/interpreter\n' >"$DIR/rootfs/script"
    chmod +x "$DIR/rootfs/script"
    config 'c["process"]["args"] = ["/script"]'
    run rt run --bundle "$BUNDLE" "$ID"
    [ "$status" = 1 ]
    [ "$output" = "exec /script: no such file or directory" ]
    run rt --log-format yaml list
    must_fail 1 'invalid log-format: yaml'
}

@test "--debug tells the stages, and never in the container's output" {
    sh_args 'echo said >&2'
    run rt --debug --log "$BUNDLE/log" run --bundle "$BUNDLE" "$ID"
    [ "$status" = 0 ]
    [ "$output" = said ]
    grep -q 'level=debug msg="nsexec container setup"' "$BUNDLE/log"
    grep -q 'level=debug msg="child process in init()"' "$BUNDLE/log"
}

@test "ids: letters, digits and _+-. only, no dot in front" {
    local id
    for id in . .. .hidden 'two words' a/b ''; do
        run rt run --bundle "$BUNDLE" "$id"
        must_fail 1 'invalid container ID format'
    done
    run rt state 'a/b'
    must_fail 1 "invalid character '/' in the container ID"
}

@test "state and list have runc's members in runc's order" {
    in_background 'sleep 100'
    run rt state "$ID"
    [ "$(sed -n 's/^  "\([a-zA-Z]*\)".*/\1/p' <<<"$output" | tr '\n' ' ')" = "ociVersion id pid status bundle rootfs created owner " ]
    run rt list --format json
    [[ $output == '[{"ociVersion":"1.3.0","id":"'$ID'","pid":'* ]]
    [[ $output == *'"owner":"root"}]' ]]
    run rt list
    [[ ${lines[0]} =~ ^ID\ +PID\ +STATUS\ +BUNDLE\ +CREATED\ +OWNER$ ]]
    [[ ${lines[1]} =~ ^$ID\ +[0-9]+\ +running\ +$BUNDLE\ +20.*Z\ +root$ ]]
    run rt list --quiet
    [ "$output" = "$ID" ]
    run rt list --format yaml
    must_fail 1 'invalid format option'
}

@test "ps is the host's ps with the container's lines" {
    [ -z "$(missing ps)" ] || skip "$(missing ps)"
    in_background 'sleep 100 & sleep 200'
    run rt ps "$ID"
    [ "$status" = 0 ]
    [[ ${lines[0]} =~ ^UID\ +PID\ +PPID ]]
    [ "${#lines[@]}" = 4 ] || [ "${#lines[@]}" = 3 ]
    run rt ps "$ID" -e -o pid,args
    [[ ${lines[0]} =~ PID\ +COMMAND ]]
    [[ $output == *"sleep 100"* ]]
    run rt ps --format json "$ID"
    [[ $output =~ ^\[[0-9]+,[0-9]+(,[0-9]+)?\]$ ]]
    rt kill "$ID" KILL
    eventually is_stopped
    run rt ps "$ID"
    [ "$status" = 0 ]
    [ "${#lines[@]}" = 1 ]
}

@test "events prints statistics once, or until the end" {
    in_background 'sleep 100'
    run rt events --stats "$ID"
    [ "$status" = 0 ]
    python3 -c 'import json, sys
e = json.loads(sys.argv[1])
assert list(e) == ["type", "id", "data"] and e["type"] == "stats", e
assert list(e["data"]) == ["cpu", "cpuset", "memory", "pids", "blkio", "hugetlb", "intel_rdt", "network_interfaces"], list(e["data"])
assert e["data"]["pids"]["current"] >= 1
assert set(e["data"]["memory"]["usage"]) >= {"limit", "failcnt", "usage"}
assert "kernel" in e["data"]["cpu"]["usage"]' "$output"
    rt events --interval 50ms "$ID" >"$BUNDLE/events" 3>&- &
    eventually grep -q '"type":"stats"' "$BUNDLE/events"
    rt delete --force "$ID"
    wait $!
    run rt events "$ID"
    must_fail 1 'container does not exist'
}

@test "events tells when memory ran out" {
    config 'c["linux"]["resources"]["memory"] = {"limit": 16 << 20, "swap": 16 << 20}'
    in_background 'sleep 100'
    rt events "$ID" >"$BUNDLE/events" 3>&- &
    for _ in $(seq 5); do # the first may come before it listens
        run rt exec "$ID" sh -c 'x=$(head -c 100000000 /dev/zero | tr "\0" x); echo ${#x}'
        [ "$status" != 0 ]
        ! grep -q oom "$BUNDLE/events" || break
        sleep 0.5
    done
    eventually grep -q "{\"type\":\"oom\",\"id\":\"$ID\"}" "$BUNDLE/events"
    rt delete --force "$ID"
    wait $!
}

@test "kill takes names, numbers and real-time signals; --all forgives what has ended" {
    in_background 'trap "echo got >/tmp/got" USR1; while :; do sleep 0.1; done'
    sleep 0.2
    rt kill "$ID" SIGUSR1
    eventually test -e "$DIR/rootfs/tmp/got"
    rm "$DIR/rootfs/tmp/got"
    rt kill "$ID" 10
    eventually test -e "$DIR/rootfs/tmp/got"
    rm "$DIR/rootfs/tmp/got"
    rt kill "$ID" rtmin+1
    run rt kill "$ID" NOSUCH
    must_fail 1 'unknown signal "NOSUCH"'
    run rt kill "$ID" 99
    must_fail 1 'unknown signal "99"'
    rt kill "$ID" KILL
    eventually is_stopped
    run rt kill "$ID" 0
    must_fail 1 'container not running'
    rt kill --all "$ID" KILL
}
nobody_in() { [ -z "$(cat "$1")" ]; }
is_stopped() { [ "$(status)" = stopped ]; }

@test "without a pid namespace KILL and delete reach everybody, also when init is gone" {
    config 'c["linux"]["namespaces"] = [n for n in c["linux"]["namespaces"] if n["type"] != "pid"]'
    in_background 'sleep 300 & sleep 301 & exec sleep 302'
    local pids procs
    procs=$(find /sys/fs/cgroup -maxdepth 4 -path "*/$ID/cgroup.procs" | head -n 1)
    kill -9 "$(pid)"
    eventually is_stopped
    [ "$(wc -l <"$procs")" = 2 ]
    rt kill "$ID" KILL
    eventually nobody_in "$procs"
    run rt kill "$ID" KILL
    must_fail 1 'container not running'
    rt delete "$ID"
    in_background 'sleep 300 & exec sleep 302'
    kill -9 "$(pid)"
    eventually is_stopped
    rt delete "$ID"
    [ ! -e "$procs" ]
}

@test "delete: what was never started, what was paused, what matches; never what runs" {
    sh_args 'sleep 100'
    rt create --bundle "$BUNDLE" "$ID" >/dev/null 2>&1 3>&-
    rt delete "$ID"
    in_background 'sleep 100'
    run rt delete "$ID"
    must_fail 1 "cannot delete container $ID that is not stopped: running"
    rt pause "$ID"
    [ "$(status)" = paused ]
    rt delete --force "$ID"
    run rt delete "$ID"
    must_fail 1 'container does not exist'
    rt delete --force "$ID"
    for n in one two other; do rt run --detach --bundle "$BUNDLE" "$ID-$n" >/dev/null 2>&1 3>&-; done
    rt delete --force --regex -- "-(one|two)$"
    [ "$(rt list -q)" = "$ID-other" ]
}

@test "a created container ends by SIGTERM" {
    sh_args 'sleep 100'
    rt create --bundle "$BUNDLE" "$ID" >/dev/null 2>&1 3>&-
    rt kill "$ID" TERM
    eventually is_stopped
    run rt start "$ID"
    must_fail 1 'cannot start a container that is stopped'
}

@test "a created container's process holds nothing of the host's" {
    sh_args 'sleep 100'
    rt create --bundle "$BUNDLE" "$ID" </dev/null >/dev/null 2>&1 7</etc/passwd 3>&-
    local link
    for link in /proc/"$(pid)"/fd/*; do
        case $(readlink "$link") in
        /dev/null | socket:* | pipe:*) ;;
        *) echo "$link -> $(readlink "$link")" >&2; return 1 ;;
        esac
    done
}

@test "exec: exit statuses, --pid-file, --process from a pipe" {
    in_background 'sleep 100'
    run rt exec "$ID" sh -c 'exit 42'
    [ "$status" = 42 ]
    run rt exec "$ID" no-such-program
    must_fail 255 'exec failed: exec: "no-such-program": executable file not found in $PATH'
    run rt exec no-such-container true
    must_fail 255 'exec failed: container does not exist'
    run rt exec --pid-file /no/such/directory/pid "$ID" true
    must_fail 255 'write /no/such/directory/pid'
    run rt exec --process <(echo '{"args": ["echo", "from a pipe"], "cwd": "/", "env": ["PATH=/bin"]}') "$ID"
    [ "$output" = "from a pipe" ]
}

@test "exec: --user keeps the group unless it names one, --additional-gids, --cap" {
    config 'c["process"]["user"] = {"uid": 0, "gid": 7}'
    in_background 'sleep 100'
    run rt exec --user 33 "$ID" sh -c 'id -u; id -g; echo $HOME'
    [ "$output" = $'33\n7\n/var/www' ]
    run rt exec --user 33:34 -g 50 --additional-gids 51 "$ID" id -G
    [ "$output" = "34 50 51" ]
    run rt exec --user web "$ID" true
    must_fail 255 'user "web" is not UID or UID:GID'
    run rt exec --cap CAP_SYS_PTRACE --cap CAP_KILL "$ID" grep -E '^Cap(Eff|Inh|Amb)' /proc/self/status
    [[ $output == *"CapInh:	0000000000000000"*"CapEff:	0000000020080420"*"CapAmb:	0000000000000000"* ]]
}

@test "exec: in a paused container only when told so, in a stopped one never" {
    in_background 'sleep 100'
    rt pause "$ID"
    run rt exec "$ID" true
    must_fail 255 'cannot exec in a paused container (use --ignore-paused to override)'
    rt exec --detach --ignore-paused "$ID" touch /tmp/late >/dev/null 2>&1 3>&- &
    rt resume "$ID"
    wait $!
    eventually test -e "$DIR/rootfs/tmp/late"
    rm "$DIR/rootfs/tmp/late"
    rt kill "$ID" KILL
    eventually is_stopped
    run rt exec "$ID" true
    must_fail 255 'cannot exec in a stopped container'
}

@test "exec --cgroup: groups below the container's own" {
    in_background 'sleep 100'
    local own controller=
    own=$(find /sys/fs/cgroup -maxdepth 3 -name "$ID" | grep -E '/pids/|^/sys/fs/cgroup/keg-runtime/' | head -n 1)
    [[ $own != */pids/* ]] || controller=pids:
    mkdir "$own/below"
    run rt exec --cgroup "${controller}below" "$ID" cat /proc/self/cgroup
    [ "$status" = 0 ]
    [[ $output == */below* ]]
    rmdir "$own/below"
    run rt exec --cgroup .. "$ID" true
    must_fail 255 '.. is not a sub cgroup path'
    run rt exec --cgroup "${controller}none" "$ID" true
    must_fail 255 '/none/cgroup.procs: no such file or directory'
    run rt exec --cgroup nonsense:/ "$ID" true
    must_fail 255 'unknown controller nonsense'
    rt exec --cgroup / "$ID" true
}

@test "variables that are named twice count once, the last one; HOME is never empty" {
    config 'c["process"]["env"] = ["ONE=1", "PATH=/bin", "ONE=2", "HOME="]'
    in_container env
    [ "$(sort <<<"$output" | grep -v '^\(PWD\|SHLVL\|_\|OLDPWD\)=' | tr '\n' ' ')" = "HOME=/root ONE=2 PATH=/bin " ]
}

@test "LISTEN_FDS come before --preserve-fds; descriptors that aren't there are no error" {
    sh_args 'echo $LISTEN_FDS $LISTEN_PID; cat /proc/self/fd/3 /proc/self/fd/5; ls /proc/self/fd | wc -w'
    echo three >"$BUNDLE/3"
    echo five >"$BUNDLE/5"
    output=$(LISTEN_FDS=1 LISTEN_PID=77 rt run --preserve-fds 2 --bundle "$BUNDLE" "$ID" 3<"$BUNDLE/3" 4<&- 5<"$BUNDLE/5" 6<"$BUNDLE/5")
    [ "$output" = $'1 1\nthree\nfive\n6' ]
}

@test "descriptors of processes go to --pidfd-socket and to the annotation's receiver" {
    listen stream "$BUNDLE/sock"
    in_background 'sleep 100' --pidfd-socket "$BUNDLE/sock"
    eventually grep -q '^pidfd 1$' "$BUNDLE/heard"
    rm "$BUNDLE/sock" "$BUNDLE/heard"
    listen stream "$BUNDLE/sock"
    rt exec --pidfd-socket "$BUNDLE/sock" "$ID" true
    eventually grep -q '^pidfd 1$' "$BUNDLE/heard"
    rt delete --force "$ID"
    rm "$BUNDLE/sock" "$BUNDLE/heard"
    listen stream "$BUNDLE/sock"
    config "c['annotations'] = {'run.oci.pidfd_receiver': '$BUNDLE/sock'}"
    in_background 'sleep 100'
    eventually grep -q '^pidfd 1$' "$BUNDLE/heard"
}

@test "NOTIFY_SOCKET: readiness and the main process reach the manager, nothing else" {
    listen datagram "$BUNDLE/manager"
    cat >"$DIR/rootfs/notify.py" <<'PY'
PY
    rm "$DIR/rootfs/notify.py"
    config "c['mounts'] += [{'destination': d, 'type': 'bind', 'source': d, 'options': ['rbind', 'ro']} for d in ('/usr', '/lib', '/lib64') if __import__('os').path.isdir(d)]"
    config 'c["process"]["args"] = ["/usr/bin/python3", "-c", """
import os, socket, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.connect(os.environ["NOTIFY_SOCKET"])
s.send(b"STATUS=warming up")
s.send(b"MAINPID=1")
s.send(b"STATUS=x\\nREADY=1")
time.sleep(100)"""]'
    NOTIFY_SOCKET="$BUNDLE/manager" rt run --detach --bundle "$BUNDLE" "$ID" >"$BUNDLE/out" 2>&1 3>&-
    [ "$(cat "$BUNDLE/heard")" = "READY=1 0
MAINPID=$(pid) 0
BARRIER=1 1" ]
}

@test "NOTIFY_SOCKET that nobody listens on is a warning" {
    sh_args 'echo $NOTIFY_SOCKET; ls -d /run/notify'
    NOTIFY_SOCKET=$BUNDLE/nobody run rt run --bundle "$BUNDLE" "$ID"
    [ "$status" = 0 ]
    [[ $output == *level=warning*"connect to NOTIFY_SOCKET $BUNDLE/nobody"* ]]
    [[ $output == *$'/run/notify/notify.sock\n/run/notify' ]]
}

@test "the terminal goes to --console-socket, and needs one where it is detached" {
    config 'c["process"]["terminal"] = True'
    run rt create --bundle "$BUNDLE" "$ID"
    must_fail 1 'cannot allocate tty if keg-runtime will detach without setting console socket'
    listen stream "$BUNDLE/sock"
    config 'c["process"]["args"] = ["sleep", "100"]'
    rt run --detach --bundle "$BUNDLE" --console-socket "$BUNDLE/sock" "$ID" 3>&-
    eventually grep -q '^/dev/ptmx 1$' "$BUNDLE/heard"
    run rt run --console-socket "$BUNDLE/sock" --bundle "$BUNDLE" "$ID-2"
    must_fail 1 'cannot use console socket'
}

@test "an attached terminal leaves line ends as they are" {
    config 'c["process"]["terminal"] = True; c["process"]["args"] = ["sh", "-c", "echo one; echo two"]'
    run rt run --bundle "$BUNDLE" "$ID"
    [ "$output" = $'one\ntwo' ]
}

@test "--config names another configuration; --cgroup-manager is known" {
    mkdir "$BUNDLE/conf"
    config 'c["process"]["args"] = ["echo", "other"]; json.dump(c, open(bundle + "/conf/other.json", "w")); c["process"]["args"] = ["false"]'
    cd "$BUNDLE"
    run rt --cgroup-manager cgroupfs run --config conf/other.json "$ID"
    [ "$status" = 0 ]
    [ "$output" = other ]
    run rt run -f conf/other.json "$ID"
    [ "$output" = other ]
    run rt --cgroup-manager nonsense run "$ID"
    must_fail 1 '"nonsense" is not cgroupfs'
}

@test "hooks: what they say is in the error; theirs is the caller's environment unless they name one" {
    config 'c["hooks"] = {"createRuntime": [{"path": "/bin/true"}, {"path": "/bin/sh", "args": ["sh", "-c", "echo out; echo bad >&2; exit 3"]}]}'
    in_container true
    must_fail 1 'error running createRuntime hook #1: exit status 3, stdout: out, stderr: bad'
    config 'c["hooks"] = {"prestart": [{"path": "/bin/sh", "args": ["sh", "-c", "[ \"$MARK\" = here ]"]}]}'
    MARK=here in_container 'exit 5'
    [ "$status" = 5 ]
    config 'c["hooks"] = {"prestart": [{"path": "/bin/sh", "env": ["A=b"], "args": ["sh", "-c", "[ -z \"$MARK\" ]"]}]}'
    MARK=here in_container 'exit 6'
    [ "$status" = 6 ]
    config 'c["process"]["env"] += ["ONE=two"]; c["hooks"] = {"startContainer": [{"path": "/bin/sh", "args": ["sh", "-c", "[ $ONE = two ] && [ -n \"$HOME\" ]"]}]}'
    in_container 'exit 7'
    [ "$status" = 7 ]
}

@test "hooks of the host's side find the root under its path in the container's mount namespace; createContainer starts in it" {
    mkdir -p "$BUNDLE/src" "$DIR/rootfs/into"
    echo there >"$BUNDLE/src/file"
    config "c['hooks'] = {
        'createRuntime': [{'path': '/bin/sh', 'args': ['sh', '-c', 'pid=\$(sed \"s/.*\\\\\"pid\\\\\":\\\\([0-9]*\\\\).*/\\\\1/\"); nsenter -m -t \$pid mount --bind $BUNDLE/src $DIR/rootfs/into']}],
        'createContainer': [{'path': '/bin/sh', 'args': ['sh', '-c', 'touch ./made']}]}"
    in_container 'cat /into/file; ls /made'
    [ "$status" = 0 ]
    [ "$output" = $'there\n/made' ]
    rm "$DIR/rootfs/made"
    rmdir "$DIR/rootfs/into"
}

@test "limits that are no numbers are errors, not no limits" {
    config 'c["linux"]["resources"] = {"pids": {"limit": "5"}}'
    in_container true
    must_fail 1 'resources.pids.limit: expected a whole number'
    config 'c["linux"]["resources"] = {}'
    in_background 'sleep 100'
    for resources in '{"memory": "1g"}' '{"memory": {"limit": "1g"}}' '{"devices": {}}'; do
        run rt update --resources <(echo "$resources") "$ID"
        must_fail 1 'invalid configuration: resources.'
    done
}

@test "a limit of memory that is too low to start is named" {
    config 'c["linux"]["resources"] = {"memory": {"limit": 4096, "swap": 4096}}'
    in_container true
    must_fail 1 memory
}

@test "what can't be printed is an error" {
    for command in list features; do
        run sh -c '"$0" --root "$1" '$command' >/dev/full' "$KEG_BUILD/keg-runtime" "$ROOT"
        must_fail 1 'write to standard output: no space left on device'
    done
}

@test "list tells of containers whose state can't be read, and lists the others" {
    in_background 'sleep 100'
    mkdir "$ROOT/damaged"
    echo '{' >"$ROOT/damaged/state.json"
    run rt list
    rm -r "$ROOT/damaged"
    [ "$status" = 0 ]
    [[ $output == *level=warning*"container damaged: "*"invalid JSON"* ]]
    [[ $output == *"$ID"*running* ]]
}

@test "poststop hooks all run, and a failing one is only a warning" {
    config "c['hooks'] = {'poststop': [{'path': '/bin/false'}, {'path': '/bin/touch', 'args': ['touch', '$BUNDLE/second']}]}"
    in_container 'exit 4'
    [ "$status" = 4 ]
    [[ $output == *"level=warning"*"poststop hook failed with exit code 1"* ]]
    [ -e "$BUNDLE/second" ]
}

@test "hooks' output goes where annotations want it" {
    config "c['annotations'] = {'run.oci.hooks.stdout': '$BUNDLE/o', 'run.oci.hooks.stderr': '$BUNDLE/e'}
c['hooks'] = {'prestart': [{'path': '/bin/sh', 'args': ['sh', '-c', 'echo one; echo two >&2']}]}"
    in_container true
    [ "$status" = 0 ]
    [ "$(cat "$BUNDLE/o")" = one ]
    [ "$(cat "$BUNDLE/e")" = two ]
}

@test "a console socket whose queue is full is an error soon" {
    config 'c["process"]["terminal"] = True'
    python3 - "$BUNDLE/full.sock" "$BUNDLE/ready" >/dev/null 2>&1 3>&- <<'END' &
import socket, sys, time
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen(0)
clients = []
for _ in range(8):
    c = socket.socket(socket.AF_UNIX)
    c.setblocking(False)
    try:
        c.connect(sys.argv[1])
    except BlockingIOError:
        break
    clients.append(c)
open(sys.argv[2], "w").close()
time.sleep(60)
END
    local server=$!
    eventually test -e "$BUNDLE/ready"
    run timeout 20 "$KEG_BUILD/keg-runtime" --root "$BUNDLE/state" create -b "$BUNDLE" --console-socket "$BUNDLE/full.sock" "$ID"
    kill "$server"
    echo "$output"
    [ "$status" = 1 ]
    [[ "$output" == *"full.sock"* ]]
    [ ! -e "$BUNDLE/state/$ID" ]
}
