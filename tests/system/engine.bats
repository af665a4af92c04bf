#!/usr/bin/env bats
# The engine through a real kegd: the life of containers, their logs and execs, and what a killed kegd leaves.

bats_require_minimum_version 1.5.0

setup_file() {
    load lib
    require root curl jq python3
    kegd_start --log-level debug
    image_busybox
    keg run --rm --network none busybox true # makes what stays: the image's init layer
}

teardown_file() {
    setup
    kegd_stop
}

setup() {
    load lib
    KEGD_PID=$(cat "$KEG_ROOT/kegd.pid")
    before=$(leftovers)
}

teardown() {
    local ids
    ids=$(keg ps -aq)
    # shellcheck disable=SC2086
    [ -z "$ids" ] || keg rm -fv $ids >/dev/null
}

post() { # PATH [JSON]
    api POST "$1" -H 'Content-Type: application/json' ${2:+-d "$2"}
}

# Nothing is left of the test. A monitor goes a moment after its container.
is_clean() {
    diff <(echo "$before") <(leftovers) >"$KEG_ROOT/left"
}

field() { # CONTAINER JQ
    api GET "/containers/$1/json" | jq -r "$2"
}

restart_kegd() {
    kegd_kill KILL
    kegd_start --log-level debug
}

# ---- create ----

@test "create: refusals in Docker's words" {
    run post "/containers/create" '{"Image":"nope"}'
    [[ $output == *"No such image: nope:latest"* ]]
    run post "/containers/create?name=a%20b" '{"Image":"busybox"}'
    [[ $output == *"Invalid container name (a b), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"* ]]
    run post "/containers/create" '{"Image":"busybox","HostConfig":{"Memory":1000}}'
    [[ $output == *"Minimum memory limit allowed is 6MB"* ]]
    run post "/containers/create" '{"Image":"busybox","HostConfig":{"Memory":"x"}}'
    [[ $output == *"HostConfig.Memory must be a whole number"* ]]
    run post "/containers/create" '{"Image":"busybox","HostConfig":{"Links":["a:b"]}}'
    [[ $output == *"could not get container for a: No such container: a"* ]]
    run post "/containers/create" '{"Image":"busybox","WorkingDir":"x"}'
    [[ $output == *"it needs to be an absolute path"* ]]
    [ "$(keg ps -aq)" = "" ]
}

@test "create: a name is taken once" {
    first=$(post "/containers/create?name=web" '{"Image":"busybox"}' | jq -r .Id)
    run post "/containers/create?name=/web" '{"Image":"busybox"}'
    [[ $output == *"The container name \\\"/web\\\" is already in use by container \\\"$first\\\""* ]]
    [ "$(field "${first:0:12}" .Name)" = /web ]
    [ "$(field web .State.Status)" = created ]
}

@test "create: merges the image's configuration" {
    keg create --name cc -e A=1 -e PATH=/bin -w /tmp --label l=v busybox >/dev/null
    [ "$(field cc '.Config.Env|join(" ")')" = "A=1 PATH=/bin" ]
    [ "$(field cc '.Config.Cmd|join(" ")')" = sh ]
    [ "$(field cc .Config.Labels.l)" = v ]
    [ "$(field cc .Config.Hostname)" = "$(field cc '.Id[0:12]')" ]
    [ "$(field cc .HostConfig.NetworkMode)" = bridge ]
}

# ---- running ----

@test "run: output, exit codes, streams apart" {
    run keg run --rm --network none busybox sh -c 'echo out; exit 7'
    [ "$status" = 7 ]
    [ "$output" = out ]
    out=$(keg run --rm --network none busybox sh -c 'echo out; echo err >&2' 2>/dev/null)
    [ "$out" = out ]
    err=$(keg run --rm --network none busybox sh -c 'echo out; echo err >&2' 2>&1 >/dev/null)
    [ "$err" = err ]
    eventually is_clean
}

@test "run: every byte of a quick program reaches the client that attached first" {
    for i in $(seq 30); do
        [ "$(keg run --rm --network none busybox echo "$i")" = "$i" ]
    done
}

@test "run: programs that can't be run" {
    run -127 keg run --rm --network none busybox nope
    [ "$status" = 127 ]
    [[ $output == *"executable file not found"* ]]
    run keg run --rm --network none busybox /etc/passwd
    [ "$status" = 126 ]
    [[ $output == *"permission denied"* ]]
    keg create --name cc --network none busybox nope >/dev/null
    run keg start cc
    [ "$status" != 0 ]
    [ "$(field cc .State.ExitCode)" = 127 ]
    [ "$(field cc .State.Status)" = created ]
    keg rm cc
    eventually is_clean
}

@test "run: stdin, and its end" {
    [ "$(echo hello | keg run --rm -i --network none busybox cat)" = hello ]
    [ "$(head -c 3000000 /dev/zero | keg run --rm -i --network none busybox wc -c)" = 3000000 ]
}

@test "run: what the container sees of itself" {
    run keg run --rm --network none --hostname here busybox sh -c 'hostname; echo $HOSTNAME $HOME; echo $$; cat /etc/hostname'
    [ "${lines[0]}" = here ]
    [ "${lines[1]}" = "here /root" ]
    [ "${lines[2]}" = 1 ]
    [ "${lines[3]}" = here ]
}

@test "users: names, numbers, groups; and nothing that only looks like a number" {
    run_id() { keg run --rm --network none -u "$1" busybox id; }
    [ "$(run_id web)" = "uid=1000(web) gid=1000(web) groups=1000(web),2000(extra)" ]
    [ "$(run_id 1000)" = "uid=1000(web) gid=1000(web) groups=1000(web),2000(extra)" ]
    [ "$(run_id 1000:1)" = "uid=1000(web) gid=1(daemon) groups=1(daemon)" ]
    [ "$(run_id 4711)" = "uid=4711 gid=0(root) groups=0(root)" ]
    [ "$(run_id daemon:extra)" = "uid=1(daemon) gid=2000(extra) groups=2000(extra)" ]
    for bad in 01 +1 -1 4294967296 2147483648 0:01 nobody-here 1:nope; do
        run run_id "$bad"
        [ "$status" = 125 ]
    done
}

@test "limits and security reach the program" {
    [ "$(keg run --rm --network none busybox sh -c 'ulimit -Sn')" = 1024 ]
    [ "$(keg run --rm --network none --ulimit nofile=100:200 busybox sh -c 'ulimit -Sn; ulimit -Hn' | tr '\n' ' ')" = "100 200 " ]
    [ "$(keg run --rm --network none busybox grep Seccomp: /proc/self/status | tr -dc 0-9)" = 2 ]
    [ "$(keg run --rm --network none --security-opt seccomp=unconfined busybox grep Seccomp: /proc/self/status | tr -dc 0-9)" = 0 ]
    [ "$(keg run --rm --network none --cap-drop ALL busybox grep CapEff /proc/self/status | cut -f2)" = 0000000000000000 ]
    [ "$(keg run --rm --network none busybox grep CapInh /proc/self/status | cut -f2)" = 0000000000000000 ]
    [ "$(keg run --rm --network none --security-opt no-new-privileges busybox grep NoNewPrivs /proc/self/status | tr -dc 0-9)" = 1 ]
    run keg run --rm --network none --read-only busybox touch /x
    [ "$status" != 0 ]
    run keg run --rm --network none busybox sh -c 'echo 1 > /proc/sysrq-trigger'
    [ "$status" != 0 ]
}

@test "namespaces are shared where that is asked for" {
    keg run -d --name aa --network none --ipc shareable busybox sleep 100 >/dev/null
    [ "$(keg run --rm --network container:aa busybox readlink /proc/self/ns/net)" = "$(keg exec aa readlink /proc/self/ns/net)" ]
    [ "$(keg run --rm --network none --pid container:aa busybox readlink /proc/self/ns/pid)" = "$(keg exec aa readlink /proc/self/ns/pid)" ]
    keg exec aa touch /dev/shm/shared
    keg run --rm --network none --ipc container:aa busybox ls /dev/shm/shared
    [ "$(keg run --rm --network host busybox readlink /proc/self/ns/net)" = "$(readlink "/proc/$KEGD_PID/ns/net")" ]
    [ "$(keg run --rm --network none --pid host busybox readlink /proc/self/ns/pid)" = "$(readlink "/proc/$KEGD_PID/ns/pid")" ]
    keg rm -f aa
    run keg run --rm --network container:aa busybox true
    [[ $output == *"No such container: aa"* ]]
    eventually is_clean
}

@test "mounts: volumes keep, new ones are filled, binds can be read-only" {
    keg run --rm --network none -v data:/d busybox sh -c 'echo kept > /d/f'
    [ "$(keg run --rm --network none -v data:/d:ro busybox cat /d/f)" = kept ]
    run keg run --rm --network none -v data:/d:ro busybox touch /d/g
    [ "$status" != 0 ]
    keg run --rm --network none -v etc:/etc busybox grep -q web /etc/passwd
    echo host >"$KEG_ROOT/file"
    [ "$(keg run --rm --network none -v "$KEG_ROOT/file:/f" busybox cat /f)" = host ]
    run keg run --rm --network none --mount type=bind,src=/nope,dst=/x busybox true
    [[ $output == *"bind source path does not exist: /nope"* ]]
    keg run --rm --network none --tmpfs /t:size=1m busybox sh -c 'mount | grep -q "on /t type tmpfs.*size=1024k"'
    keg volume rm data etc
    keg run --rm --network none -v /anonymous busybox true
    eventually is_clean
}

@test "ports: the first free one of a range, and none when all are taken" {
    for i in 1 2; do keg run -d --name "r$i" -p 18100-18101:80 busybox sleep 100 >/dev/null; done
    [ "$(keg port r2)" = "80/tcp -> 0.0.0.0:18101" ]
    run keg run --rm -p 18100-18101:80 busybox true
    [[ $output == *"Bind for 0.0.0.0:18101 failed: port is already allocated"* ]]
    run keg run --rm -p 18101-18100:80 busybox true
    [ "$status" = 125 ]
    # what a program of the host has is passed over as well
    python3 -c 'import socket, time; s = socket.create_server(("0.0.0.0", 18110)); time.sleep(60)' 3>&- &
    eventually grep -q ":$(printf %04X 18110) " /proc/net/tcp
    keg run -d --name r3 -p 18110-18111:80 busybox sleep 100 >/dev/null
    kill $!
    [ "$(keg port r3)" = "80/tcp -> 0.0.0.0:18111" ]
}

# ---- ending ----

@test "stop: a caught signal, an ignored one, and none" {
    keg run -d --name aa --network none busybox sh -c 'trap "exit 3" TERM; while :; do sleep 0.05; done' >/dev/null
    sleep 0.3
    keg stop aa
    [ "$(field aa .State.ExitCode)" = 3 ]
    keg run -d --name bb --network none busybox sleep 100 >/dev/null
    start=$(date +%s)
    keg stop bb # nobody listens: not worth ten seconds
    [ $(($(date +%s) - start)) -lt 5 ]
    [ "$(field bb .State.ExitCode)" = 137 ]
    [ "$(api POST /containers/bb/stop -o /dev/null -w '%{http_code}')" = 304 ]
    run keg kill bb
    [[ $output == *"cannot kill container: bb: container"*"is not running"* ]]
}

@test "start again: the same files, a new life" {
    keg run --name aa --network none busybox sh -c 'echo x >> /f; wc -l < /f'
    keg start aa
    eventually test "$(keg wait aa)" = 0
    [ "$(keg logs aa | tr '\n' ' ')" = "1 2 " ]
}

@test "wait: all conditions" {
    keg create --name aa --network none busybox sh -c 'exit 9' >/dev/null
    [ "$(post /containers/aa/wait | jq .StatusCode)" = 0 ]
    curl -sN --unix-socket "$KEG_ROOT/run/keg.sock" -X POST "http://keg/containers/aa/wait?condition=next-exit" >"$KEG_ROOT/next" &
    next=$!
    curl -sN --unix-socket "$KEG_ROOT/run/keg.sock" -X POST "http://keg/containers/aa/wait?condition=removed" >"$KEG_ROOT/removed" &
    removed=$!
    sleep 0.2
    keg start aa
    wait "$next"
    [ "$(jq .StatusCode "$KEG_ROOT/next")" = 9 ]
    keg rm aa
    wait "$removed"
    [ "$(jq .StatusCode "$KEG_ROOT/removed")" = 9 ]
    run post "/containers/aa/wait?condition=never"
    [[ $output == *"invalid condition"* ]]
}

@test "rm: running ones only by force" {
    keg run -d --name aa --network none busybox sleep 100 >/dev/null
    run keg rm aa
    [[ $output == *'cannot remove container "aa": container is running: stop the container before removing or force remove'* ]]
    keg rm -f aa
    run keg inspect aa
    [ "$status" != 0 ]
    eventually is_clean
}

@test "out of memory is noticed" {
    require cgroup1
    run keg run --name aa --network none -m 16m busybox sh -c 'x=a; while :; do x=$x$x; done'
    [ "$status" = 137 ]
    [ "$(field aa .State.OOMKilled)" = true ]
}

@test "pause" {
    keg run -d --name aa --network none busybox sh -c 'while :; do date +%N; done' >/dev/null
    keg pause aa
    [ "$(field aa .State.Status)" = paused ]
    run keg exec aa true
    [[ $output == *"is paused"* ]]
    keg unpause aa
    [ "$(field aa .State.Status)" = running ]
}

@test "restart, and restart policies" {
    keg run -d --name aa --network none busybox sleep 100 >/dev/null
    first=$(field aa .State.Pid)
    keg restart -t 0 aa
    [ "$(field aa .State.Pid)" != "$first" ]
    keg run -d --name bb --network none --restart on-failure:2 busybox sh -c 'exit 1' >/dev/null
    eventually test "$(keg wait bb)" = 1
    eventually sh -c '[ "$(curl -s --unix-socket "$KEG_ROOT/run/keg.sock" http://keg/containers/bb/json | jq -r ".State.Status,.RestartCount" | tr "\n" " ")" = "exited 2 " ]'
}

@test "update: limits of a running container" {
    require cgroup1
    keg run -d --name aa --network none -m 32m busybox sleep 100 >/dev/null
    keg update -m 48m --memory-swap 64m --cpus 0.5 --restart on-failure:3 aa
    [ "$(keg exec aa cat /sys/fs/cgroup/memory/memory.limit_in_bytes)" = $((48 << 20)) ]
    [ "$(keg exec aa cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us)" = 50000 ]
    [ "$(field aa '.HostConfig|[.Memory,.NanoCpus,.RestartPolicy.MaximumRetryCount]|@csv')" = "$((48 << 20)),500000000,3" ]
    run keg update -m 1m aa
    [[ $output == *"Minimum memory limit allowed is 6MB"* ]]
    run keg update -m 100m aa
    [[ $output == *"update the memoryswap at the same time"* ]]
}

@test "restart: a container with --rm keeps its files" {
    keg run -d --rm --name rr --network none busybox sh -c 'echo x >>/kept; sleep 100' >/dev/null
    eventually keg exec rr test -e /kept
    keg restart -t 0 rr
    eventually sh -c '[ "$(keg exec rr cat /kept | wc -l)" = 2 ]'
}

@test "rename" {
    keg create --name aa busybox >/dev/null
    keg create --name bb busybox >/dev/null
    run keg rename aa bb
    [[ $output == *"is already in use"* ]]
    keg rename aa cc
    [ "$(field cc .Name)" = /cc ]
    run keg inspect aa
    [ "$status" != 0 ]
}

# ---- exec ----

@test "exec: streams, exit codes, user, directory, environment" {
    keg run -d --name aa --network none -e BASE=1 busybox sleep 100 >/dev/null
    run keg exec aa sh -c 'echo out; exit 5'
    [ "$status" = 5 ]
    [ "$output" = out ]
    [ "$(keg exec -u web -w /tmp -e X=2 aa sh -c 'id -u; pwd; echo $BASE $X $HOME' | tr '\n' ' ')" = "1000 /tmp 1 2 /home/web " ]
    [ "$(echo in | keg exec -i aa cat)" = in ]
    run -127 keg exec aa nope
    [ "$status" = 127 ]
    id=$(post /containers/aa/exec '{"Cmd":["sh","-c","exit 4"]}' | jq -r .Id)
    post "/exec/$id/start" '{"Detach":true}'
    eventually sh -c "[ \"\$(curl -s --unix-socket $KEG_ROOT/run/keg.sock http://keg/exec/$id/json | jq -r .ExitCode)\" = 4 ]"
    run post "/exec/$id/start" '{"Detach":true}'
    [[ $output == *"already"* ]]
}

@test "top shows the host's pids, and refuses what it doesn't know" {
    keg run -d --name aa --network none busybox sleep 123 >/dev/null
    pid=$(field aa .State.Pid)
    run keg top aa
    [[ ${lines[0]} == UID*PID*PPID*CMD ]]
    [[ ${lines[1]} == root*"$pid"*"sleep 123" ]]
    [ "$(keg top aa -o pid | tail -1 | tr -d ' ')" = "$pid" ]
    run keg top aa --sort=pid
    [ "$status" != 0 ]
}

# ---- logs ----

@test "logs: tail, since, timestamps, streams" {
    keg run --name aa --network none busybox sh -c 'for i in 1 2 3 4 5; do echo out $i; echo err $i >&2; done' >/dev/null 2>&1
    [ "$(keg logs aa 2>/dev/null | wc -l)" = 5 ]
    [ "$(keg logs aa 2>&1 | wc -l)" = 10 ]
    [ "$(keg logs --tail 3 aa 2>&1 | wc -l)" = 3 ]
    [ "$(keg logs --tail 0 aa 2>&1 | wc -l)" = 0 ]
    run keg logs -t --tail 1 aa
    [[ $output =~ ^[0-9]{4}-[0-9-]+T[0-9:]+\.[0-9]{9}Z\ (out|err)\ 5$ ]]
    [ "$(keg logs --since 1h aa 2>&1 | wc -l)" = 10 ]
    [ "$(keg logs --until 1h aa 2>&1 | wc -l)" = 0 ]
}

@test "logs: follow ends with the container, over rotations, nothing lost" {
    keg run -d --name aa --network none --log-opt max-size=20k --log-opt max-file=50 busybox \
        sh -c 'i=0; while [ $i -lt 3000 ]; do echo "this is line $i"; i=$((i+1)); done; sleep 0.2' >/dev/null
    timeout 20 keg logs -f aa >"$KEG_ROOT/followed"
    seq -f 'this is line %.0f' 0 2999 | cmp - "$KEG_ROOT/followed"
    keg logs aa | cmp - "$KEG_ROOT/followed"
    [ "$(ls "$KEG_ROOT"/data/containers/*/*-json.log* | wc -l)" -gt 3 ]
}

@test "logs: none" {
    keg run --name aa --network none --log-driver none busybox echo x
    run keg logs aa
    [[ $output == *"does not support reading"* ]]
}

# ---- lists and events ----

@test "ps: filters" {
    keg create --name aa --label k=v busybox >/dev/null
    keg run -d --name bb --network none busybox sleep 100 >/dev/null
    keg run --name cc --network none busybox sh -c 'exit 3' || :
    [ "$(keg ps --format '{{.Names}}')" = bb ]
    [ "$(keg ps -a --filter status=created --format '{{.Names}}')" = aa ]
    [ "$(keg ps -a --filter exited=3 --format '{{.Names}}')" = cc ]
    [ "$(keg ps -a --filter label=k=v --format '{{.Names}}')" = aa ]
    [ "$(keg ps -a --filter name=bb --format '{{.Names}}')" = bb ]
    [ "$(keg ps -a --filter ancestor=busybox -q | wc -l)" = 3 ]
    [ "$(keg ps -a --filter since=aa --format '{{.Names}}' | tr '\n' ' ')" = "cc bb " ]
    [ "$(keg ps -n 1 --format '{{.Names}}')" = cc ]
    keg create --name esc busybox echo "$(printf 'x\033[31m\001\342\200\256\303\274')" >/dev/null
    [ "$(keg ps -n 1 --no-trunc --format '{{.Command}}')" = '"echo x\x1b[31m\x01\u202eü"' ] # nothing for the terminal to obey
    run keg ps --filter nope=1
    [[ $output == *"invalid filter 'nope'"* ]]
}

@test "ps: what is asked for in brief reads as what is asked for in full" {
    local id brief full format flags
    id=$(keg inspect -f '{{.Id}}' busybox)
    keg run -d --name up --init -p 127.0.0.1::80 -p 81/udp --expose 90-92 busybox sleep 100 >/dev/null
    keg create --name "odd" -l a=b "$id" sh -c 'echo "a	\"b\" and a command that is too long to be shown"' >/dev/null
    keg create --name by-hex "${id#sha256:}" true >/dev/null
    keg create --name linked --link up:alias busybox >/dev/null
    keg run --name ended busybox sh -c 'exit 3' || [ $? -eq 3 ]
    brief=$(api GET '/containers/json?all=1&keg-brief=1')
    full=$(api GET '/containers/json?all=1')
    [ "$(jq 'length' <<<"$brief")" = 5 ]
    [ "$(jq -c '.[0] | keys' <<<"$brief")" = '["Command","Created","Id","Image","Names","Ports","Status"]' ]
    [ "$(jq -c '[.[] | select(.ImageID) | .Names[0]]' <<<"$brief")" = '["/by-hex","/odd"]' ]
    [ "$(jq -c 'map(del(.ImageID, .Status))' <<<"$brief")" = \
        "$(jq -c 'map({Id, Names, Image, Command, Created, Ports})' <<<"$full")" ]
    # {{if .Labels}}{{end}} prints nothing and needs all of a row; ages may differ
    ageless() { sed -E 's/(Less than a second|About a minute|[0-9]+ (second|minute)s?)/AGE/g; s/ +/ /g'; }
    # shellcheck disable=SC2086
    agree() { [ "$(keg ps $flags "${@:2}" | ageless)" = "$(keg ps $flags --format "$1{{if .Labels}}{{end}}" | ageless)" ]; }
    format=$'table {{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}'
    for flags in -a "-a --no-trunc" "" "-n 2" -l "-a --filter status=created"; do
        agree "$format"
        agree "$format" --format "$format"
        agree '{{.ID}}' -q
        agree '{{.Names}} {{.CreatedAt}}' --format '{{.Names}} {{.CreatedAt}}'
    done
    [ "$(keg ps --format '{{.State}} {{.Label "a"}}')" = "running " ]
    [ "$(keg ps -as --filter name=ended --format '{{.State}}')" = exited ]
}

@test "events tell a container's life" {
    since=$(date +%s.%N)
    keg run --rm --name aa --network none busybox true
    run keg events --since "$since" --until "$(date +%s.%N)" --filter container=aa --format '{{.Action}}'
    [ "$(echo "$output" | tr '\n' ' ')" = "create attach start die destroy " ]
    run keg events --since "$since" --until "$(date +%s.%N)" --filter container=aa --filter event=die \
        --format '{{.Status}} {{.From}} {{.Scope}} {{.Time}} {{.Actor.Attributes.exitCode}} {{.Actor.Attributes.nope}}'
    [[ $output =~ ^"die busybox local "[0-9]+" 0 <no value>"$ ]]
    [ "$(keg events --since 0 --until "$(date +%s.%N)" --filter container=aa --filter event=die | wc -l)" -ge 1 ]
    [ "$(keg events --until "$(date +%s.%N)" --filter container=aa --filter event=die | wc -l)" -ge 1 ]
    run -64 keg events --since "$since" --until "$(date +%s.%N)" --format '{{.Nope}}'
    [[ $output == *"can't evaluate field Nope in type *events.Message"* ]]
}

# ---- a killed kegd ----

@test "kegd killed: what runs goes on, and a new one takes it up" {
    keg run -d --name aa -p 18080:80 busybox sh -c 'trap "exit 6" TERM; while :; do sleep 0.05; done' >/dev/null
    keg run -d --name bb --network none busybox sh -c 'sleep 0.7; exit 4' >/dev/null
    keg create --name cc busybox >/dev/null
    pid=$(field aa .State.Pid) address=$(field aa .NetworkSettings.Networks.bridge.IPAddress)
    kegd_kill KILL
    sleep 1
    kill -0 "$pid"
    kegd_start --log-level debug
    [ "$(field aa .State.Pid)" = "$pid" ]
    [ "$(field aa .State.Status)" = running ]
    [ "$(field aa .NetworkSettings.Networks.bridge.IPAddress)" = "$address" ]
    [ "$(field bb .State.Status)/$(field bb .State.ExitCode)" = exited/4 ]
    [ "$(field cc .State.Status)" = created ]
    keg exec aa true
    keg stop aa
    [ "$(field aa .State.ExitCode)" = 6 ]
    keg rm aa bb cc
    eventually is_clean
}

@test "kegd killed: one with --rm that ends meanwhile is removed" {
    keg run -d --rm --name aa --network none busybox sleep 0.5 >/dev/null
    kegd_kill KILL
    sleep 0.8
    kegd_start --log-level debug
    [ "$(keg ps -aq)" = "" ]
    eventually is_clean
}

@test "kegd killed: restart policies are kept" {
    keg run -d --name aa --network none --restart always busybox sleep 0.3 >/dev/null
    keg run -d --name bb --network none --restart unless-stopped busybox sleep 100 >/dev/null
    keg run -d --name cc --network none --restart on-failure busybox sh -c 'exit 1' >/dev/null
    keg stop bb
    kegd_kill KILL
    sleep 0.6
    kegd_start --log-level debug
    eventually sh -c '[ "$(curl -s --unix-socket "$KEG_ROOT/run/keg.sock" http://keg/containers/aa/json | jq -r .State.Running)" = true ]'
    [ "$(field bb .State.Status)" = exited ]
    eventually sh -c '[ "$(curl -s --unix-socket "$KEG_ROOT/run/keg.sock" http://keg/containers/cc/json | jq -r .RestartCount)" -gt 2 ]'
    keg rm -f aa bb cc
    eventually is_clean
}

@test "kegd killed: an open exec goes on, and its end is heard of" {
    keg run -d --name aa --network none busybox sleep 100 >/dev/null
    keg exec aa sh -c 'sleep 1; echo still here' >"$KEG_ROOT/exec.out" &
    client=$!
    sleep 0.4
    restart_kegd
    wait "$client" || :
    [ "$(cat "$KEG_ROOT/exec.out")" = "still here" ]
}

@test "kegd killed: a monitor that dies as well is noticed" {
    keg run -d --name aa --network none busybox sleep 100 >/dev/null
    pid=$(field aa .State.Pid)
    monitor=$(awk '{print $4}' "/proc/$pid/stat")
    kill -KILL "$monitor"
    eventually sh -c '[ "$(curl -s --unix-socket "$KEG_ROOT/run/keg.sock" http://keg/containers/aa/json | jq -r .State.Status)" = exited ]'
    [ "$(field aa .State.ExitCode)" = 137 ]
    eventually refute kill -0 "$pid" # reaped by whom it was left to
    keg rm aa
    eventually is_clean
}

@test "kegd killed, and a monitor: its container ends with it, or with the next kegd; once, with nothing left" {
    # a profile of AppArmor would, as a change of user does, take the signal from it that its parent's end sends
    keg run -d --name aa --security-opt apparmor=unconfined -p 127.0.0.1::80 busybox sh -c 'sleep 901171 & exec sleep 901172' >/dev/null
    keg run -d --name bb -p 127.0.0.1::80 --restart always busybox su -s /bin/sh web -c 'exec sleep 901173' >/dev/null
    eventually sh -c 'tr "\0" " " </proc/$0/cmdline | grep "^sleep 901173"' "$(field bb .State.Pid)"
    a=$(field aa .State.Pid) b=$(field bb .State.Pid)
    kegd_kill
    kill -KILL "$(awk '{print $4}' "/proc/$a/stat")" "$(awk '{print $4}' "/proc/$b/stat")"
    eventually refute kill -0 "$a"
    kill -0 "$b" # it has changed its user: nobody but kegd can end it
    kegd_start
    eventually refute kill -0 "$b" # reaped by whom it was left to
    [ "$(field aa '.State | "\(.Status) \(.ExitCode)"')" = "exited 137" ]
    eventually sh -c '[ "$(curl -s --unix-socket "$KEG_ROOT/run/keg.sock" http://keg/containers/bb/json | jq -r .State.Running)" = true ]'
    [ "$(keg top bb | grep -c 'sleep 901173')" = 1 ]
    [ "$(cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\0' ' ' | grep -o 'sleep 90117[123]' | wc -l)" = 1 ]
    keg rm -f aa bb >/dev/null
    eventually is_clean
}

@test "kegd killed at any moment: nothing acknowledged is lost, nothing is left over" {
    for i in $(seq 15); do
        (for j in 1 2 3 4; do
            keg run -d --name "k$i-$j" --network none busybox sleep 100 >>"$KEG_ROOT/acknowledged" 2>/dev/null
            keg run --rm --network none busybox true >/dev/null 2>&1
        done) &
        sleep "0.0$((i * 7 % 10))$((i % 10))"
        kegd_kill KILL
        wait
        kegd_start --log-level debug
    done
    while read -r id; do
        [ "$(field "$id" .State.Status)" = running ]
    done <"$KEG_ROOT/acknowledged"
    # shellcheck disable=SC2046
    keg rm -f $(keg ps -aq) >/dev/null
    eventually is_clean
}
