#!/usr/bin/env bats
# kegd driven by the real docker client: what is printed, on which stream, and the exit status are those of Docker's own daemon.
# Expectations were taken from Docker 28.5 (tests/conformance/compare shows how). Clients differ in their own words from
# version to version: only what comes from the daemon is matched.

bats_require_minimum_version 1.5.0

setup_file() {
    load lib
    require root curl python3
    KEG_SKIP=$(missing docker)
    export KEG_SKIP
    [ -z "$KEG_SKIP" ] || return 0
    kegd_start
    export DOCKER_CONFIG=$KEG_ROOT/docker-config
    mkdir "$DOCKER_CONFIG"
    PYTHONPATH=$BATS_TEST_DIRNAME/../conformance PYTHONDONTWRITEBYTECODE=1 \
        python3 -c 'import images, sys; images.make(sys.argv[1])' "$KEG_ROOT/images.tar"
    DOCKER_HOST=$KEG_HOST docker load -q -i "$KEG_ROOT/images.tar"
}

teardown_file() {
    load lib
    kegd_stop
}

setup() {
    load lib
    [ -z "$KEG_SKIP" ] || skip "$KEG_SKIP"
    export DOCKER_HOST=$KEG_HOST
    WORK=$(mktemp -d "$KEG_ROOT/work.XXXXXX")
    cd "$WORK" || return 1
}

teardown() {
    local list
    list=$(docker ps -aq)
    # shellcheck disable=SC2086
    [ -z "$list" ] || docker rm -fv $list >/dev/null
    list=$(docker volume ls -q)
    # shellcheck disable=SC2086
    [ -z "$list" ] || docker volume rm $list >/dev/null
    list=$(docker network ls -q --filter type=custom)
    # shellcheck disable=SC2086
    [ -z "$list" ] || docker network rm $list >/dev/null
}

# Exit status, standard output and standard error of a docker command.
try() {
    status=0
    docker "$@" >out 2>err || status=$?
    output=$(cat out) error=$(cat err)
}

# is STATUS [OUTPUT]
is() {
    [ "$status" = "$1" ] && { [ $# = 1 ] || [ "$output" = "$2" ]; } && return
    printf 'status %s, out: %s\nerr: %s\n' "$status" "$output" "$error" >&2
    return 1
}

# refuses STATUS TEXT-OF-THE-DAEMON
refuses() {
    [ "$status" = "$1" ] && [[ $error == *"Error response from daemon: $2"* ]] && return
    printf 'status %s, err: %s\nexpected: %s\n' "$status" "$error" "$2" >&2
    return 1
}

field() { docker inspect -f "{{$2}}" "$1"; }

on_terminal() { "$BATS_TEST_DIRNAME/terminal.py" docker "$@"; }

# ---- run ----

@test "run: exit statuses of programs and of failures to start them" {
    try run --rm busybox true; is 0
    try run --rm busybox sh -c 'exit 42'; is 42
    try run --rm busybox sh -c 'kill -9 $$'; is 0 || is 137
    try run --rm busybox nosuchprogram
    refuses 127 ''; [[ $error == *'exec: "nosuchprogram": executable file not found in $PATH'* ]]
    try run --rm busybox /etc
    refuses 126 ''; [[ $error == *'exec: "/etc": is a directory'* ]]
    try run --rm --entrypoint /srv/broken app:1
    refuses 126 ''; [[ $error == *'exec: "/srv/broken": permission denied'* ]]
    try run --rm --memory 1m busybox true
    refuses 125 'Minimum memory limit allowed is 6MB'
}

@test "run: a container that could not be started stays, created" {
    try run --name broken busybox nosuchprogram; is 127
    [ "$(docker ps -a --format '{{.Names}} {{.Status}}')" = "broken Created" ]
    [ "$(field broken '.State.Status') $(field broken '.State.ExitCode') $(field broken '.State.Pid')" = "created 127 0" ]
    try start broken; is 1
}

@test "run: output, errors and input" {
    try run --rm busybox sh -c 'echo out; echo err >&2'
    is 0 out; [ "$error" = err ]
    [ "$(echo "hello in" | docker run --rm -i busybox cat)" = "hello in" ]
    [ "$(head -c 300000 /dev/zero | docker run --rm -i busybox wc -c)" = 300000 ]
    [ "$(docker run --rm busybox sh -c 'head -c 300000 /dev/zero' | wc -c)" = 300000 ]
    try run --rm -a stderr busybox sh -c 'echo out; echo err >&2'
    is 0 ''; [ "$error" = err ]
}

@test "run -it: a terminal, its size and its changes" {
    run on_terminal run --rm -it busybox sh <<'END'
expect / #
send tty; stty size\r
expect 24 80
expect / #
wait 0.5
size 101 33
wait 0.5
send stty size\r
expect 33 101
expect / #
send exit 5\r
END
    [ "$status" = 5 ]
    [[ $output == */dev/pts/0* ]]
}

@test "run -it: ctrl-c is the program's" {
    run on_terminal run --rm -it busybox sh -c 'trap "echo caught; exit 9" INT; echo ready; while :; do sleep 0.1; done' <<'END'
expect ready
send \x03
expect caught
END
    [ "$status" = 9 ]
}

@test "detach keys leave it running; attach comes back" {
    run on_terminal run -it --name cc busybox sh <<'END'
expect / #
send A=kept\r
expect / #
send \x10\x11
END
    [ "$status" = 0 ]
    [ "$(field cc .State.Running)" = true ]
    run on_terminal attach --detach-keys ctrl-a,x cc <<'END'
wait 0.3
send echo $A\r
expect kept
send \x01x
END
    [ "$(field cc .State.Running)" = true ]
    run on_terminal attach cc <<'END'
wait 0.3
send exit 4\r
END
    [ "$status" = 4 ]
}

@test "run -d -p: published, shown, taken back" {
    docker run -d --name web -p 127.0.0.1:18080:80 -p 18053:53/udp busybox \
        sh -c 'mkdir /w; echo page >/w/index.html; httpd -f -h /w -p 80'
    eventually curl -sf http://127.0.0.1:18080/
    [ "$(curl -s http://127.0.0.1:18080/)" = page ]
    [ "$(docker port web 80)" = 127.0.0.1:18080 ]
    [[ $(docker port web 53/udp) == 0.0.0.0:18053* ]]
    [[ $(docker ps --format '{{.Ports}}') == *"127.0.0.1:18080->80/tcp"* ]]
    try run -d --name second -p 127.0.0.1:18080:80 busybox sleep 60
    is 125; [[ $error == *"Bind for 127.0.0.1:18080 failed: port is already allocated"* ]]
    docker rm second
    docker stop -t 0 web
    [ "$(field web 'json .NetworkSettings.Ports')" = "{}" ]
    run ! curl -s --max-time 2 http://127.0.0.1:18080/
}

@test "run: environment, user, directory, entrypoint, hostname" {
    try run --rm -e A=1 -e B='two words' busybox sh -c 'echo $A $B $HOME'; is 0 "1 two words /root"
    try run --rm -u web busybox id; is 0 "uid=1000(web) gid=1000(web) groups=1000(web),2000(extra)"
    try run --rm -u 1000:2000 busybox id -g; is 0 2000
    try run --rm -u nobodyhere busybox id
    refuses 125 'unable to find user nobodyhere: no matching entries in passwd file'
    try run --rm -w /made/by/run busybox pwd; is 0 /made/by/run
    try run --rm -w relative busybox pwd
    refuses 125 "the working directory 'relative' is invalid, it needs to be an absolute path"
    try run --rm app:1; is 0 "entry: id -un
web"
    try run --rm --entrypoint echo app:1 a b; is 0 "a b"
    try run --rm --entrypoint "" app:1; refuses 125 'no command specified'
    try run --rm --hostname box.example.org busybox sh -c 'hostname; grep -c "box.example.org box" /etc/hosts'
    is 0 "box.example.org
1"
    try run --rm --add-host a:10.1.2.3 busybox grep 10.1.2.3 /etc/hosts; is 0 "10.1.2.3	a"
    try run --rm --dns 192.0.2.53 --dns-search example.org busybox grep -v '^#' /etc/resolv.conf
    is 0 "nameserver 192.0.2.53
search example.org"
}

@test "run: read-only, tmpfs, binds, volumes" {
    mkdir dir; echo data >dir/file
    try run --rm --read-only busybox touch /x; is 1; [[ $error == *"Read-only file system"* ]]
    try run --rm --tmpfs /run:size=1m,noexec busybox grep -c ' /run tmpfs .*noexec.*size=1024k' /proc/mounts; is 0 1
    try run --rm -v "$PWD/dir:/d" busybox cat /d/file; is 0 data
    try run --rm -v "$PWD/dir:/d:ro" busybox touch /d/x; is 1
    try run --rm -v "$PWD/missing:/d" busybox true; is 0; [ -d missing ]
    try run --rm --mount type=bind,src="$PWD/nothere",dst=/d busybox true
    refuses 125 "invalid mount config for type \"bind\": bind source path does not exist: $PWD/nothere"
    try run --rm -v vol:/d busybox sh -c 'echo kept >/d/x'; is 0
    try run --rm -v vol:/d:ro busybox cat /d/x; is 0 kept
    try run --rm -v seeded:/srv/data app:1 cat /srv/data/seed; is 0 "entry: cat /srv/data/seed
seed"
    docker run -d --name holder -v vol:/d busybox sleep 60
    try run --rm --volumes-from holder:ro busybox sh -c 'cat /d/x; touch /d/y'; is 1 kept
    try volume rm vol; refuses 1 'remove vol: volume is in use - ['
    [ "$(docker ps --filter volume=vol --format '{{.Names}}')" = holder ]
}

@test "run: limits" {
    try run --rm --ulimit nofile=100:200 busybox sh -c 'ulimit -n; ulimit -Hn'; is 0 "100
200"
    try run --rm --pids-limit 10 busybox sh -c 'for i in $(seq 30); do sleep 1 & done'
    [[ $error == *"can't fork"* ]]
    docker create --name cc --cpus 0.5 --cpuset-cpus 0 -m 64m --pids-limit 20 busybox
    [ "$(field cc .HostConfig.NanoCpus) $(field cc .HostConfig.Memory) $(field cc .HostConfig.MemorySwap) $(field cc .HostConfig.PidsLimit)" = \
        "500000000 67108864 134217728 20" ]
    try run --rm --cpus 0.5 --cpu-quota 1000 busybox true
    refuses 125 'Conflicting options: Nano CPUs and CPU Quota cannot both be set'
    try run --rm -m 64m --memory-swap 32m busybox true
    refuses 125 'Minimum memoryswap limit should be larger than memory limit, see usage'
    try run --rm --cpuset-cpus 9999 busybox true
    refuses 125 'Requested CPUs are not available - requested 9999, available: '
    try run --name hog -m 16m --memory-swap 16m busybox sh -c 'x=a; while :; do x=$x$x; done'
    is 137
    [ "$(field hog .State.OOMKilled)" = true ]
}

@test "run: capabilities and other security" {
    try run --rm busybox grep CapEff /proc/self/status; is 0 "CapEff:	00000000a80425fb"
    try run --rm --cap-drop ALL --cap-add chown busybox grep CapEff /proc/self/status; is 0 "CapEff:	0000000000000001"
    try run --rm -u web busybox grep CapEff /proc/self/status; is 0 "CapEff:	0000000000000000"
    try run --rm --cap-add NONSENSE busybox true; refuses 125 ''; [[ $error == *'unknown capability: "CAP_NONSENSE"'* ]]
    try run --rm busybox grep Seccomp: /proc/self/status; is 0 "Seccomp:	2"
    try run --rm --security-opt seccomp=unconfined --security-opt no-new-privileges busybox grep -E 'Seccomp:|NoNewPrivs' /proc/self/status
    is 0 "NoNewPrivs:	1
Seccomp:	0"
    try run --rm --privileged busybox sh -c 'mount -t tmpfs none /tmp && echo mounted'; is 0 mounted
    try run --rm busybox sh -c 'mount -t tmpfs none /tmp'; [ "$status" != 0 ]
    try run --rm --sysctl net.ipv4.ip_forward=0 busybox sysctl -n net.ipv4.ip_forward; is 0 0
    try run --rm --device /dev/null:/dev/mine busybox ls /dev/mine; is 0 /dev/mine
    try run --rm --init busybox sh -c 'cat /proc/1/cmdline | tr "\0" " "'; [[ $output == "/sbin/docker-init -- sh"* ]]
}

@test "run: namespaces of others" {
    docker run -d --name cc --ipc shareable busybox sleep 1234
    try run --rm --pid container:cc busybox sh -c 'ps | grep -c "[s]leep 1234"'; is 0 1
    try run --rm --network container:cc busybox hostname; is 0 "$(docker exec cc hostname)"
    try run --rm --network container:cc -p 80:80 busybox true
    refuses 125 'conflicting options: port publishing and the container type network mode'
    try run --rm --network container:cc --hostname x busybox true
    refuses 125 'conflicting options: hostname and the network mode'
    try run --rm --network container:nosuch busybox true; is 125
    try run --rm --network none busybox ls /sys/class/net; is 0 lo
    try run --rm --network nosuch busybox true
    refuses 125 'failed to set up container networking: network nosuch not found'
    try run --rm --uts host --hostname x busybox true; is 125
}

@test "names: conflicts and refusals" {
    docker create --name cc busybox
    try create --name cc busybox
    refuses 1 "Conflict. The container name \"/cc\" is already in use by container \"$(field cc .Id)\". You have to remove (or rename) that container to be able to reuse that name."
    try create --name 'bad name' busybox
    refuses 1 'Invalid container name (bad name), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed'
    docker create --name dd busybox
    try rename cc dd; [ "$status" = 1 ]; [[ $error == *'The container name "/dd" is already in use'* ]]
    try rename cc ee; is 0
    [ "$(field ee .Name)" = /ee ]
}

# ---- exec ----

@test "exec: statuses, users, directories, terminals" {
    docker run -d --name cc -e A=1 -w /tmp busybox sleep 60
    try exec cc sh -c 'echo out; echo err >&2; exit 3'; is 3 out; [ "$error" = err ]
    try exec cc sh -c 'kill -9 $$'; is 137
    try exec cc nosuchprogram; is 127; [[ $output$error == *'"nosuchprogram": executable file not found in $PATH'* ]]
    try exec cc /etc; is 126
    try exec nosuch true; refuses 1 'No such container: nosuch'
    try exec -w /etc -u web -e B=2 cc sh -c 'pwd; id -un; echo $A$B'; is 0 "/etc
web
12"
    try exec -u nobodyhere cc true; refuses 1 'unable to find user nobodyhere: no matching entries in passwd file'
    [ "$(echo in | docker exec -i cc cat)" = in ]
    try exec cc grep CapEff /proc/self/status; is 0 "CapEff:	00000000a80425fb"
    try exec --privileged cc grep Seccomp: /proc/self/status; is 0 "Seccomp:	0"
    docker exec -d cc touch /tmp/detached
    eventually docker exec cc test -e /tmp/detached
    run on_terminal exec -it cc sh <<'END'
expect #
send tty\r
expect /dev/pts/
expect #
send exit 5\r
END
    [ "$status" = 5 ]
    docker stop -t 0 cc
    try exec cc true; refuses 1 "container $(field cc .Id) is not running"
}

@test "exec: ends with its container" {
    docker run -d --name cc busybox sleep 60
    docker exec cc sleep 50 &
    local client=$!
    eventually docker exec cc sh -c 'ps | grep "[s]leep 50"'
    docker kill cc
    status=0
    wait $client || status=$?
    [ "$status" = 137 ]
}

# ---- logs, attach, wait ----

@test "logs: all, the end, times, following" {
    docker run --name cc busybox sh -c 'for i in 1 2 3 4 5; do echo line $i; done; sleep 0.2; echo err >&2; sleep 0.2; printf unfinished' >/dev/null 2>&1
    try logs cc; is 0 "line 1
line 2
line 3
line 4
line 5
unfinished"; [ "$error" = err ]
    try logs -n 1 cc; is 0 unfinished
    try logs -n 0 cc; is 0 ""
    try logs --since 1h cc; [[ $output == "line 1"* ]]
    try logs --until 2020-01-02 cc; is 0 ""
    docker logs -t cc 2>/dev/null | head -n 1 | grep -qE '^2[0-9]{3}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{9}Z line 1$'
    try logs nosuch; refuses 1 'No such container: nosuch'
    docker run -d --name dd busybox sh -c 'for i in 1 2 3; do echo $i; sleep 0.2; done'
    try logs -f dd; is 0 "1
2
3"
    docker run --name ee --log-driver none busybox echo x
    try logs ee; refuses 1 'configured logging driver does not support reading'
}

@test "attach: output until the end, signals, input" {
    docker run -d --name cc busybox sh -c 'sleep 0.5; echo out; echo err >&2; exit 3'
    try attach cc; is 3 out; [ "$error" = err ]
    docker run -d --name dd busybox sh -c 'trap "echo term; exit 8" TERM; while :; do sleep 0.1; done'
    docker attach dd >log 2>&1 &
    local client=$!
    sleep 0.5
    kill -TERM $client
    status=0
    wait $client || status=$?
    [ "$status $(cat log)" = "8 term" ]
    docker create --name ee -i busybox cat
    [ "$(echo through | docker start -ai ee)" = through ]
    try attach nosuch; refuses 1 'No such container: nosuch'
}

@test "wait: now, later, after removal" {
    docker run -d --name cc busybox sh -c 'sleep 0.3; exit 4'
    try wait cc; is 0 4
    try wait cc; is 0 4
    try wait nosuch; refuses 1 'No such container: nosuch'
    docker run -d --rm --name dd busybox sh -c 'sleep 0.3; exit 6'
    [ "$(curl -s --unix-socket "$KEG_ROOT/run/keg.sock" -X POST 'http://d/containers/dd/wait?condition=removed')" = '{"StatusCode":6}' ]
}

# ---- life ----

@test "stop, kill, restart, rm" {
    docker run -d --name cc busybox sh -c 'trap "exit 5" TERM; echo ready; while :; do sleep 0.1; done'
    eventually sh -c 'docker logs cc | grep ready'
    try stop cc; is 0 cc
    [ "$(field cc .State.ExitCode)" = 5 ]
    try stop cc; is 0 cc
    try restart -t 0 cc; is 0 cc
    try rm cc
    refuses 1 'cannot remove container "'; [[ $error == *'container is running: stop the container before removing or force remove'* ]]
    try kill -s NONSENSE cc; refuses 1 'cannot kill container: cc: invalid signal: NONSENSE'
    try kill cc; is 0 cc
    [ "$(field cc .State.ExitCode)" = 137 ]
    try kill cc; refuses 1 "cannot kill container: cc: container $(field cc .Id) is not running"
    try rm -f cc; is 0 cc
    try rm cc; refuses 1 'No such container: cc'
    docker create --name dd busybox
    try rm dd nosuch; is 1 dd; [[ $error == *'No such container: nosuch'* ]]
}

@test "pause and top" {
    docker run -d --name cc busybox sleep 1000
    try top cc -o pid,comm; is 0; [[ $output == *COMMAND*sleep* ]]
    try pause cc; is 0 cc
    [[ $(docker ps --format '{{.Status}}') == *"(Paused)" ]]
    try pause cc; refuses 1 "Container $(field cc .Id) is already paused"
    try exec cc true; refuses 1 'Container cc is paused, unpause the container before exec'
    try unpause cc; is 0 cc
    docker stop -t 0 cc
    try top cc; refuses 1 "container $(field cc .Id) is not running"
}

@test "ps: filters and columns" {
    docker run -d --name up --label a=1 -p 127.0.0.1:18200:80 busybox sleep 60
    docker run --name done0 busybox true
    docker run --name done3 --label a=2 busybox sh -c 'exit 3' || :
    docker create --name made -v vol:/v app:1
    local filter expected
    while IFS='|' read -r filter expected; do
        try ps -a --filter "$filter" --format '{{.Names}}'
        [ "$(echo "$output" | paste -sd ' ')" = "$expected" ] || { echo "$filter: $output, not $expected"; return 1; }
    done <<'END'
status=exited|done3 done0
status=created|made
status=running|up
exited=3|done3
name=done|done3 done0
name=^/done0$|done0
ancestor=busybox|done3 done0 up
ancestor=app:1|made
before=done3|done0 up
since=done0|made done3
label=a|done3 up
label=a=2|done3
volume=vol|made
network=bridge|made done3 done0 up
network=none|
publish=18200|up
health=none|made done3 done0 up
END
    try ps -a --filter nonsense=1; refuses 1 "invalid filter 'nonsense'"
    try ps -a --filter status=nonsense; refuses 1 "invalid filter 'status=nonsense'"
    try ps -a --format '{{.Names}} {{.Image}} {{.Command}} {{.State}}'
    is 0 "made app:1 \"/srv/entry id -un\" created
done3 busybox \"sh -c 'exit 3'\" exited
done0 busybox \"true\" exited
up busybox \"sleep 60\" running"
    [[ $(docker ps -a --filter name=done3 --format '{{.Status}}') == "Exited (3) "* ]]
    [ "$(docker ps -l --format '{{.Names}}')" = made ]
}

@test "inspect: fields, types, what is missing" {
    docker run -d --name cc busybox sleep 60
    [ "$(field cc '.State.Status') $(field cc '.Driver') $(field cc '.Platform')" = "running overlay2 linux" ]
    [[ $(field cc .NetworkSettings.IPAddress) == *.*.*.* ]]
    [ "$(field cc '.HostConfig.ShmSize') $(field cc '.HostConfig.RestartPolicy.Name') $(field cc 'json .HostConfig.PidsLimit')" = "67108864 no null" ]
    try inspect nosuch; is 1 "[]"
    [[ $error == *"No such object: nosuch"* ]]
    try inspect --type image cc; is 1
    docker inspect cc | python3 -c '
import json, sys
[c] = json.load(sys.stdin)
expected = {
    "Id": str, "Created": str, "Path": str, "Args": list, "State": dict, "Image": str, "ResolvConfPath": str, "HostnamePath": str,
    "HostsPath": str, "LogPath": str, "Name": str, "RestartCount": int, "Driver": str, "Platform": str, "MountLabel": str,
    "ProcessLabel": str, "AppArmorProfile": str, "ExecIDs": type(None), "HostConfig": dict, "GraphDriver": dict, "Mounts": list,
    "Config": dict, "NetworkSettings": dict,
}
wrong = {key: c.get(key, "missing") for key, kind in expected.items() if type(c.get(key, "missing")) is not kind}
wrong.update({key: "unexpected" for key in c.keys() - expected.keys()})
sys.exit(f"wrong: {wrong}" if wrong else 0)'
}

# ---- images ----

@test "images: list, tag, untag, refuse" {
    [ "$(docker images --format '{{.Repository}}:{{.Tag}}' | sort | paste -sd ' ')" = "app:1 busybox:latest" ]
    [ "$(docker images --filter label=maker=keg --format '{{.Repository}}')" = app ]
    [ "$(docker images --filter reference='*:latest' --format '{{.Repository}}')" = busybox ]
    try images --filter nonsense=1; refuses 1 "invalid filter 'nonsense'"
    try tag busybox mine:1; is 0
    try tag nosuch x; refuses 1 'No such image: nosuch:latest'
    docker create --name cc mine:1
    try rmi mine:1; is 0 "Untagged: mine:1"
    try rmi mine:1; refuses 1 'No such image: mine:1'
    try rmi app:nosuch; refuses 1 'No such image: app:nosuch'
    [ "$(docker history -q --no-trunc busybox | head -n 1)" = "$(docker images -q --no-trunc busybox)" ]
}

@test "images: import, in use, remove" {
    mkdir -p root/bin; cp /bin/busybox root/bin/sh; tar -C root -cf root.tar .
    try import -m 'a message' -c 'CMD ["sh","-c","echo cmd"]' -c 'ENV A=1 B="two words"' -c 'EXPOSE 80 53/udp' -c 'LABEL x=y' root.tar one:1
    is 0; [[ $output == sha256:* ]]
    [ "$(field one:1 'json .Config.Cmd') $(field one:1 'json .Config.Env') $(field one:1 'json .Config.ExposedPorts') $(field one:1 .Comment)" = \
        '["sh","-c","echo cmd"] ["A=1","B=two words"] {"53/udp":{},"80/tcp":{}} a message' ]
    try import -c 'RUN x' root.tar; refuses 1 'RUN is not a valid change command'
    try run --rm one:1; is 0 cmd
    docker tag one:1 one:2
    local id
    id=$(docker images -q one:1)
    try rmi "$id"; refuses 1 "conflict: unable to delete $id (must be forced) - image is referenced in multiple repositories"
    docker run -d --name cc one:1 sh -c 'sleep 60'
    try rmi one:1 one:2; is 1 "Untagged: one:1"
    [[ $error == *"conflict: unable to remove repository reference \"one:2\" (must force) - container $(field cc 'slice .Id 0 12') is using its referenced image $id"* ]]
    docker rm -f cc
    try rmi one:2; is 0; [[ $output == *"Untagged: one:2"*"Deleted: sha256:"* ]]
}

@test "images: save | load" {
    docker tag busybox saved:1
    docker save -o saved.tar saved:1 app:1
    tar xOf saved.tar manifest.json | python3 -c 'import json, sys; assert [m["RepoTags"] for m in json.load(sys.stdin)] == [["saved:1"], ["app:1"]]'
    docker rmi saved:1
    try load -i saved.tar; is 0 "Loaded image: saved:1
Loaded image: app:1"
    docker save busybox | docker load -q | grep -q 'Loaded image: busybox:latest'
    docker rmi saved:1
    try save nosuch; is 1
}

# ---- events, networks, volumes, system ----

@test "events: a life, filters, JSON" {
    local since until
    since=$(date +%s.%N)
    docker run --name cc --label a=1 busybox true
    docker rm cc
    docker volume create v1; docker volume rm v1
    docker network create n1; docker network rm n1
    docker tag busybox x:1; docker rmi x:1
    until=$(date +%s.%N)
    try events --since "$since" --until "$until" --format '{{.Type}} {{.Action}}'
    is 0 "container create
container attach
network connect
container start
network disconnect
container die
container destroy
volume create
volume destroy
network create
network destroy
image tag
image untag"
    try events --since "$since" --until "$until" --filter event=die --format '{{json .Actor.Attributes}}'
    is 0 '{"a":"1","execDuration":"0","exitCode":"0","image":"busybox","name":"cc"}'
    try events --since "$since" --until "$until" --filter label=a=1 --filter type=container --format '{{.Action}}'
    is 0 "create
attach
start
die
destroy"
}

@test "networks: predefined, made, used, removed" {
    try network ls --format '{{.Name}} {{.Driver}} {{.Scope}}'
    is 0 "bridge bridge local
host host local
none null local"
    docker network create --subnet 10.98.0.0/24 m1
    try network create m1; refuses 1 'network with name m1 already exists'
    try network create --subnet 10.98.0.0/24 o1; refuses 1 'invalid pool request: Pool overlaps with other one on this address space'
    try run --rm --network m1 --ip 10.98.0.77 busybox sh -c 'ip -o -4 addr show eth0 | grep -o "10.98.0.77/24"'; is 0 10.98.0.77/24
    docker run -d --name cc --network m1 busybox sleep 60
    [ "$(docker network inspect -f '{{range .Containers}}{{.Name}}{{end}}' m1)" = cc ]
    try network rm m1; is 1; [[ $error == *"has active endpoints"* ]]
    docker rm -f cc
    try network rm m1; is 0 m1
    try network rm bridge; [ "$status" = 1 ]; [[ $error == *"bridge is a pre-defined network and cannot be removed"* ]]
    try network inspect nosuch; is 1 "[]"; [[ $error == *"network nosuch not found"* ]]
}

@test "volumes: create, list, inspect, remove" {
    try volume create --label a=1 v1; is 0 v1
    try volume create v1; is 0 v1
    try volume create 'bad name'
    refuses 1 'create bad name: "bad name" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed.'
    try volume ls --filter label=a=1 --format '{{.Name}} {{.Driver}} {{.Scope}}'; is 0 "v1 local local"
    try volume ls -q --filter dangling=true; is 0 v1
    [ -d "$(docker volume inspect -f '{{.Mountpoint}}' v1)" ]
    try volume inspect nosuch; is 1 "[]"; [[ $error == *"no such volume"* ]]
    try volume rm v1; is 0 v1
}

@test "containers reach each other and published ports" {
    docker run -d --name server -p 18500:80 busybox sh -c 'echo page >/tmp/index.html; httpd -f -h /tmp -p 80'
    local address gateway
    address=$(field server .NetworkSettings.IPAddress) gateway=$(field server .NetworkSettings.Gateway)
    eventually curl -sf http://127.0.0.1:18500/
    [ "$(curl -s --max-time 3 "http://$address/")" = page ]
    try run --rm busybox wget -qO- "http://$address/"; is 0 page
    try run --rm busybox wget -qO- "http://$gateway:18500/"; is 0 page
}

@test "version and info" {
    [ "$(docker version --format '{{.Server.APIVersion}} {{.Server.MinAPIVersion}} {{.Server.Os}}')" = "1.51 1.24 linux" ]
    [ "$(docker info --format '{{.Driver}} {{.LoggingDriver}} {{.OSType}} {{.Swarm.LocalNodeState}}')" = "overlay2 json-file linux inactive" ]
    [ "$(docker info --format '{{.Plugins.Network}}')" = "[bridge host ipvlan macvlan null]" ]
    [ "$(curl -s --unix-socket "$KEG_ROOT/run/keg.sock" http://d/v1.24/_ping)" = OK ]
    [[ $(curl -s --unix-socket "$KEG_ROOT/run/keg.sock" http://d/v1.99/info) == *'client version 1.99 is too new. Maximum supported API version is 1.51'* ]]
}
