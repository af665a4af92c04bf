#!/usr/bin/env bats
# Containers of other OCI runtimes: keg-runtime as an external program (always there), crun and runc where they are installed.
# Passes by tests/vm/run tests/system/runtimes.bats, but takes too long there to be one of its own:
# vm: no

# Each as the configuration names it; "ext" is keg-runtime.
bats_require_minimum_version 1.5.0

# crun refuses a host that mounts a unified tree beside the others, and without one leaves plain directories where it would be:
# this file, whose mount namespace is its own, sees a /sys/fs/cgroup of its own, with the mounted ones of v1.
only_cgroup1() {
    local tree new
    [ ! -e /sys/fs/cgroup/cgroup.controllers ] || return 0
    new=$(mktemp -d)
    mount -t tmpfs cgroups "$new"
    for tree in /sys/fs/cgroup/*/; do
        [ "$(stat -f -c %T "$tree")" = cgroupfs ] || continue
        mkdir "$new/$(basename "$tree")"
        mount --bind "$tree" "$new/$(basename "$tree")"
    done
    mount --rbind "$new" /sys/fs/cgroup
    umount -l "$new"
    rmdir "$new"
}

setup_file() {
    load lib
    require root python3
    only_cgroup1
    export ALL=ext
    local program more=
    for program in crun runc; do
        ! command -v "$program" >/dev/null || { ALL="$ALL my-$program"; more="$more, \"my-$program\": {\"path\": \"$program\"}"; }
    done
    KEG_ROOT=$(mktemp -d /var/tmp/keg-test.XXXXXX)
    export KEG_ROOT CONFIG=$KEG_ROOT/daemon.json
    echo "{\"runtimes\": {\"ext\": {\"path\": \"$KEG_BUILD/keg-runtime\", \"runtimeArgs\": [\"--debug\"]},
        \"gone\": {\"path\": \"$KEG_ROOT/none\"}, \"slashless\": {\"path\": \"no-such-runtime\"}, \"bad\": {\"path\": \"$KEG_ROOT/bad\"}$more}}" >"$CONFIG"
    kegd_start --config-file "$CONFIG" --add-runtime "flag=$KEG_BUILD/keg-runtime"
    image_busybox
    keg network create net1 >/dev/null
}

teardown_file() {
    setup
    keg network rm net1 >/dev/null || :
    kegd_stop
}

setup() {
    load lib
    KEGD_PID=$(cat "$KEG_ROOT/kegd.pid")
}

teardown() {
    local ids
    kill -0 "$(cat "$KEG_ROOT/kegd.pid")" 2>/dev/null || kegd_start --config-file "$CONFIG" --add-runtime "flag=$KEG_BUILD/keg-runtime"
    ids=$(keg ps -aq)
    # shellcheck disable=SC2086
    [ -z "$ids" ] || keg rm -f $ids >/dev/null
    [ -z "$(find "$KEG_ROOT/run/containers" -mindepth 1)" ] # nothing of theirs is left
}

is() { [ "$(keg inspect -f "$2" "$1")" = "$3" ]; }
ended() { ! grep -q '^State:[[:space:]]*[^Z[:space:]]' "/proc/$1/status" 2>/dev/null; } # somebody else may have to reap it
group_file() { cat /sys/fs/cgroup/"$2"*/"$(keg inspect -f '{{.Id}}' "$1")/$3" 2>/dev/null || cat /sys/fs/cgroup/*/"$(keg inspect -f '{{.Id}}' "$1")/$4"; }
limit_of() { group_file "$1" memory/ memory.limit_in_bytes memory.max; }
is_frozen() { group_file "$1" freezer/ freezer.state cgroup.events | grep -qE 'FROZEN|frozen 1'; }

@test "names: info has them, an unknown one is refused, a program that isn't there is told at the start" {
    keg info -f '{{json .Runtimes}}' | jq -e --arg own "$KEG_BUILD/keg-runtime" '.ext == {path: $own, runtimeArgs: ["--debug"]} and .flag.path == $own and .keg.path == $own'
    [ "$(keg info -f '{{.DefaultRuntime}}')" = keg ]
    run keg create --runtime nope busybox true
    [[ $output == *"unknown or invalid runtime name: nope"* ]]
    for r in gone slashless; do
        run keg run --rm --runtime $r busybox true
        [ "$status" = 125 ]
        [[ $output == *"the runtime $r cannot be executed"* ]]
    done
    for r in runc io.containerd.runc.v2 keg ''; do
        keg run --rm ${r:+--runtime "$r"} busybox true
    done
    run keg run --rm --runtime ext -v /tmp:/x:rshared busybox true
    [[ $output == *"propagation to the host is not supported with the runtime ext"* ]]
}

@test "configuration: what dockerd refuses" {
    check() { # FILE WORDS [FLAG…]
        echo "$1" >"$BATS_TEST_TMPDIR/d.json"
        run "$KEG_BUILD/kegd" --validate --config-file "$BATS_TEST_TMPDIR/d.json" "${@:3}"
        [[ $output == *"$2"* ]] || { echo "$1: $output"; return 1; }
    }
    check '{"runtimes":{"runc":{"path":"x"}}}' "runtime name 'runc' is reserved"
    check '{"runtimes":{"a1":{}}}' "runtime a1: either a runtimeType or a path must be configured"
    check '{"runtimes":{"a1":{"path":"x","runtimeType":"y"}}}' "runtime a1: cannot configure both path and runtimeType for the same runtime"
    check '{"runtimes":{"a1":{"path":"x","options":{"y":1}}}}' "runtime a1: options cannot be used with a path runtime"
    check '{"runtimes":{"a1":{"runtimeArgs":["x"],"runtimeType":"io.containerd.runc.v2"}}}' "runtime a1: args cannot be used with a runtimeType runtime"
    check '{"runtimes":{"a1":{"runtimeType":"io.containerd.kata.v2"}}}' "keg drives no shims such as io.containerd.kata.v2"
    check '{"runtimes":{"a1":{"path":7}}}' "runtime a1: path must be a string"
    check '{"runtimes":[]}' 'invalid value [] for "runtimes"'
    check '{"default-runtime":"a1"}' "specified default runtime 'a1' does not exist"
    check '{}' "invalid runtime argument: a1" --add-runtime a1
    check '{}' "runtime 'a1' was already defined" --add-runtime a1=x --add-runtime a1=y
    check '{"runtimes":{"a1":{"path":"x"}}}' "already defined" --add-runtime a1=x
    check '{"runtimes":{"a1":{"runtimeType":"io.containerd.runc.v2","options":{"BinaryName":"crun"}}},"default-runtime":"a1"}' "configuration OK" --add-runtime b1=x
}

@test "life: output, exit code, exec, pause, update, statistics, stop, kill, start again" {
    for r in $ALL; do
        run keg run --rm --runtime "$r" busybox sh -c 'echo out; echo err >&2; exit 7'
        [ "$status" = 7 ]
        [[ $output == *out* && $output == *err* ]]
        run -127 keg run --rm --runtime "$r" busybox /nope
        [[ $output == *"OCI runtime create failed"*/nope* ]]
        run keg run --rm --runtime "$r" busybox /etc/passwd
        [ "$status" = 126 ]
        [ "$(echo input | keg run -i --rm --runtime "$r" busybox cat)" = input ]

        keg run -d --name "c-$r" --runtime "$r" busybox sh -c 'trap "exit 3" TERM; echo ready; while :; do sleep 0.05; done' >/dev/null
        is "c-$r" '{{.HostConfig.Runtime}} {{.State.Status}}' "$r running"
        eventually sh -c "keg logs c-$r | grep ready"
        run keg exec "c-$r" sh -c 'echo inside; exit 5'
        [ "$status $output" = "5 inside" ]
        run -127 keg exec "c-$r" /nope
        [ "$(echo more | keg exec -i "c-$r" cat)" = more ]
        keg pause "c-$r"
        is "c-$r" '{{.State.Status}}' paused
        is_frozen "c-$r"
        keg unpause "c-$r"
        keg update --memory 100m --memory-swap 200m "c-$r"
        [ "$(limit_of "c-$r")" = 104857600 ]
        keg stats --no-stream "c-$r" | grep -q 100MiB
        keg stop "c-$r"
        is "c-$r" '{{.State.Status}} {{.State.ExitCode}}' 'exited 3'
        keg start "c-$r"
        [ "$(limit_of "c-$r")" = 104857600 ]
        keg kill "c-$r"
        is "c-$r" '{{.State.Status}} {{.State.ExitCode}}' 'exited 137'
        keg rm "c-$r"
    done
}

@test "what containers are given: files, volumes, networks, limits, a filter of system calls" {
    mkdir "$BATS_TEST_TMPDIR/vol"
    echo volfile >"$BATS_TEST_TMPDIR/vol/f"
    ip link add kgbridge type bridge # to be seen in the host's network
    for r in $ALL; do
        output=$(keg run --rm --runtime "$r" --init --network net1 --name netc -v "$BATS_TEST_TMPDIR/vol:/v:ro" -v named:/n --tmpfs /t --read-only \
            --sysctl net.core.somaxconn=77 --mount type=image,src=busybox,dst=/i busybox \
            sh -c 'cat /v/f; touch /n/x /t/y && echo wrote; touch /z 2>&1; cat /proc/sys/net/core/somaxconn; ip addr show eth0 | grep -c "inet 172"; ping -c1 -W1 netc >/dev/null && echo found; test -e /i/bin/sh && echo image' 2>/dev/null)
        [ "$output" = "$(printf '%s\n' volfile wrote 'touch: /z: Read-only file system' 77 1 found image)" ] || { echo "$r: $output"; return 1; }
        run keg run --rm --runtime "$r" --user 1000:2000 --cap-drop all -w /tmp -e A=b --ulimit nofile=100:200 busybox \
            sh -c 'id -u; id -g; pwd; echo $A; ulimit -n; grep -hE "CapEff|Seccomp:" /proc/self/status; cat /proc/self/oom_score_adj; hostname | wc -c'
        [ "$output" = "$(printf '%s\n' 1000 2000 /tmp b 100 $'CapEff:\t0000000000000000' $'Seccomp:\t2' 0 13)" ]
        run keg run --rm --runtime "$r" --privileged --network host --pid host busybox sh -c 'mkdir /m; mount -t tmpfs x /m && grep -h Seccomp: /proc/self/status; ip -o link show kgbridge | wc -l'
        [ "$output" = "$(printf 'Seccomp:\t0\n1')" ] || { echo "$r: $output"; return 1; }
    done
    ip link del kgbridge
    keg volume rm named >/dev/null
}

@test "a terminal: its size, a new size, an exec's" {
    for r in $ALL; do
        cat >"$BATS_TEST_TMPDIR/size.py" <<PY
import fcntl, os, pty, select, struct, sys, termios, time
def size(fd, rows, columns): fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
def until(fd, words):
    text, end = b"", time.time() + 20
    while words not in text:
        assert time.time() < end and select.select([fd], [], [], 20)[0], text
        text += os.read(fd, 1000)
pid, fd = pty.fork()
if pid == 0:
    time.sleep(0.05)
    os.execvp("keg", ["keg", *sys.argv[1:], "sh", "-c", "stty size; read x; trap 'stty size; exit 4' WINCH; echo waits; while :; do sleep 0.05; done"])
size(fd, 33, 99)
until(fd, b"33 99")
os.write(fd, b"go\n")
until(fd, b"waits")
size(fd, 44, 77)
until(fd, b"44 77")
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) != 4)
PY
        keg run -dit --name tty --runtime "$r" busybox sh >/dev/null
        python3 "$BATS_TEST_TMPDIR/size.py" exec -it tty
        python3 "$BATS_TEST_TMPDIR/size.py" run --rm -it --runtime "$r" busybox
        keg rm -f tty >/dev/null
    done
}

@test "the OOM killer, health checks, cp, diff, another's namespaces" {
    for r in $ALL; do
        run keg run --name oom --runtime "$r" --memory 20m --memory-swap 20m busybox sh -c 'head -c 60m /dev/zero | tail >/dev/null'
        [ "$status" = 137 ]
        is oom '{{.State.OOMKilled}}' true
        keg run -d --name hh --runtime "$r" --health-cmd 'echo well' --health-interval 100ms busybox sleep 100 >/dev/null
        eventually is hh '{{.State.Health.Status}}' healthy
        echo copied >"$BATS_TEST_TMPDIR/f"
        keg cp "$BATS_TEST_TMPDIR/f" hh:/tmp/
        [ "$(keg exec hh cat /tmp/f)" = copied ]
        [ "$(keg diff hh)" = "$(printf 'C /tmp\nA /tmp/f')" ]
        [ "$(keg run --rm --runtime "$r" --network container:hh --pid container:hh busybox sh -c 'ps | grep -c "[s]leep 100"; ls /sys/class/net' | head -2 | tr '\n' ' ')" = '1 eth0 ' ]
        keg network connect net1 hh
        [ "$(keg exec hh ip -o link | grep -c eth)" = 2 ]
        keg restart -t 0 hh >/dev/null
        is hh '{{.State.Status}}' running
        keg rm -f hh oom >/dev/null
    done
}

@test "independent of kegd: they go on, are restarted by their policy, and found again" {
    for r in $ALL; do
        keg run -d --name "on-$r" --runtime "$r" busybox sh -c 'while :; do sleep 0.05; echo x; done' >/dev/null
        keg run -d --name "re-$r" --restart always --runtime "$r" busybox sh -c 'sleep 0.05; exit 9' >/dev/null
    done
    kegd_kill
    for r in $ALL; do
        count() { jq -e '.restart_count >= 3' "$KEG_ROOT/run/containers/$1/state.json"; }
        for id in "$KEG_ROOT"/run/containers/*; do
            grep -q '"restart_count":0' "$id/state.json" || eventually count "${id##*/}"
        done
    done
    kegd_start --config-file "$CONFIG" --add-runtime "flag=$KEG_BUILD/keg-runtime"
    for r in $ALL; do
        [ "$(keg exec "on-$r" echo there)" = there ]
        [ "$(keg inspect -f '{{.RestartCount}}' "re-$r")" -ge 1 ]
        keg stop -t 0 "re-$r" "on-$r" >/dev/null
        is "re-$r" '{{.State.Status}}' exited
    done
}

@test "a monitor that is killed: what its runtime made is ended" {
    for r in $ALL; do
        keg run -d --name lost --runtime "$r" busybox sleep 100 >/dev/null
        pid=$(keg inspect -f '{{.State.Pid}}' lost) dir=$KEG_ROOT/run/containers/$(keg inspect -f '{{.Id}}' lost)
        for c in /proc/[0-9]*/cwd; do
            [ "$(readlink "$c")" != "$dir" ] || { c=${c#/proc/}; kill -KILL "${c%/cwd}"; }
        done
        eventually is lost '{{.State.Status}} {{.State.ExitCode}}' 'exited 137'
        eventually ended "$pid"
        keg start lost >/dev/null
        is lost '{{.State.Status}}' running
        keg rm -f lost >/dev/null
    done
}

@test "a runtime that fails half-way, lies, or leaves processes: it is told, and nothing stays" {
    bad() { # SCRIPT WORDS: what is said of a start by such a program
        printf '#!/bin/sh\ncommand=; for a; do case $a in create|delete) command=$a;; esac; done\n%s\n' "$1" >"$KEG_ROOT/bad"
        chmod +x "$KEG_ROOT/bad"
        run -125 keg run --rm --runtime bad busybox sleep 100
        [[ $output == *"OCI runtime create failed: "*"$2"* ]] || { echo "$1: $output"; return 1; }
    }
    bad "exit 3" "exit status 3"
    bad "kill -9 \$\$" "ended by signal 9"
    bad "exit 0" "the runtime wrote no pid"
    bad 'for a; do [ "$p" != --pid-file ] || echo 1 >"$a"; p=$a; done' "wrote 1 to "
    # one that has made the container and says it hasn't, and one with processes of its own
    bad "[ \$command != delete ] || exit 1; \"$KEG_BUILD/keg-runtime\" \"\$@\"; for a; do [ \"\$p\" != --pid-file ] || echo \$(cat \"\$a\") >>'$KEG_ROOT/strays'; p=\$a; done; exit 4" "exit status 4"
    bad "(sleep 100 & echo \$! >>'$KEG_ROOT/strays'); sleep 100 & echo \$! >>'$KEG_ROOT/strays'; exit 5" "exit status 5"
    # one that kills nobody
    printf '#!/bin/sh\nfor a; do case $a in kill) exit ${KILL_STATUS:-0};; esac; done\nexec "%s" "$@"\n' "$KEG_BUILD/keg-runtime" >"$KEG_ROOT/bad"
    for status in 0 1; do
        sed -i "s/KILL_STATUS:-[01]/KILL_STATUS:-$status/" "$KEG_ROOT/bad"
        keg run -d --name stuck --runtime bad busybox sleep 100 >/dev/null
        keg inspect -f '{{.State.Pid}}' stuck >>"$KEG_ROOT/strays"
        keg rm -f stuck
    done
    [ "$(grep -c '^[0-9]' "$KEG_ROOT/strays")" -ge 5 ]
    while read -r pid; do eventually ended "$pid"; done <"$KEG_ROOT/strays"
}

@test "SIGHUP: the default and the list change; containers keep what they were made with" {
    keg create --name old busybox true >/dev/null
    is old '{{.HostConfig.Runtime}}' runc
    jq '. + {"default-runtime": "ext"} | .runtimes.later = {"path": "/bin/later"}' "$CONFIG" >"$CONFIG.new"
    cp "$CONFIG" "$CONFIG.old"
    cat "$CONFIG.new" >"$CONFIG"
    kill -HUP "$KEGD_PID"
    default() { [ "$(keg info -f '{{.DefaultRuntime}}')" = "$1" ]; }
    eventually default ext
    keg info -f '{{json .Runtimes}}' | jq -e '.later.path == "/bin/later"'
    keg run --name new busybox true
    is new '{{.HostConfig.Runtime}}' ext
    is old '{{.HostConfig.Runtime}}' runc
    [[ $(keg events --since 10s --until 0s --filter event=reload --format '{{json .Actor.Attributes}}' | tail -1 | jq -r '."default-runtime" + " " + .runtimes') == ext*later:/bin/later* ]]
    echo '{"default-runtime":"never"}' >"$CONFIG" # refused as a whole
    kill -HUP "$KEGD_PID"
    eventually grep -q "specified default runtime 'never' does not exist" "$KEG_ROOT/kegd.log"
    default ext
    cat "$CONFIG.old" >"$CONFIG"
    kill -HUP "$KEGD_PID"
    eventually default keg
    run keg start -a new # its runtime is still configured
    [ "$status" = 0 ]
}

@test "crun and runc were among them" {
    require crun runc
    [ "$ALL" = "ext my-crun my-runc" ]
}
