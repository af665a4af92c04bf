#!/usr/bin/env bats
# keg-runtime as the runtime of others: dockerd, containerd's ctr with the shim for runc, podman and buildah. They are found
# on PATH, or in a tree that runtime_engines.prepare makes; one that is in neither place has its tests skipped. With
# RUNTIME=/usr/sbin/runc (where the engines are) they show how it is with another one.
#
# vm: no

bats_require_minimum_version 1.5.0

setup_file() {
    load lib
    load engines
    require root busybox
    KEG_ROOT=$(mktemp -d /var/tmp/keg-test.XXXXXX)
    export KEG_ROOT RUNTIME=${RUNTIME:-$KEG_BUILD/keg-runtime} PARENT=keg-engines-${KEG_ROOT##*.}
    chmod 711 "$KEG_ROOT" # mapped users pass through
    busybox_rootfs "$KEG_ROOT/busybox"
    mkdir "$KEG_ROOT/busybox/mnt"
    tar -C "$KEG_ROOT/busybox" -cf "$KEG_ROOT/busybox.tar" .
    export DOCKER_HOST=unix://$KEG_ROOT/docker.sock CONTAINERD_ADDRESS=$KEG_ROOT/containerd.sock CONTAINERD_NAMESPACE=$PARENT
    if [ -z "$(missing dockerd ctr podman buildah)" ]; then
        export TREE_PID=
    else
        tree_enter "$KEG_BUILD/cache/engines"
    fi
    has dockerd && docker_start --add-runtime "keg=$RUNTIME" && docker_image
    has ctr && containerd_start
    ! has podman || podman import -q "$KEG_ROOT/busybox.tar" bb
}

teardown_file() {
    load lib
    load engines
    local name
    for name in docker containerd; do
        [ ! -s "$KEG_ROOT/$name.pid" ] || stop "$name"
    done
    [ -z "${TREE_PID:-}" ] || kill "$TREE_PID"
    # podman and dockerd leave their places mounted where there is no tree
    awk -v "at=$KEG_ROOT/" 'index($5, at) == 1 {print $5}' /proc/self/mountinfo | sort -r | xargs -r umount -l
    rm -rf "$KEG_ROOT"
    find /sys/fs/cgroup -depth -type d -path "*/$PARENT*" -exec rmdir {} + 2>/dev/null || :
}

setup() {
    load lib
    load engines
    WORK=$(mktemp -d "$KEG_ROOT/work.XXXXXX")
    BOX=$KEG_ROOT/busybox
    engine_line
}

teardown() {
    local ids
    if has dockerd; then
        ids=$(docker ps -aq)
        # shellcheck disable=SC2086
        [ -z "$ids" ] || docker rm -fv $ids >/dev/null
    fi
    if has ctr; then
        for ids in $(ctr containers ls -q); do forget "$ids"; done
    fi
    # its own clean-up of a container that has just ended may be under way
    ! has podman || podman rm -fa -t 0 >/dev/null || podman rm -fa -t 0 >/dev/null
}

# ---- the engines ----

# The same on a terminal; terminal.py's script comes on standard input.
on_terminal() {
    engine_line
    "$BATS_TEST_DIRNAME/terminal.py" "${ENGINE[@]}" "$@"
}

engine_line() {
    engine_env
    DOCKER_RUN=(run --runtime keg)
    # its own limits are beyond what a container of tests may raise
    PODMAN_RUN=(run --network none --cgroup-parent "/$PARENT" --ulimit nofile=1000:1000 --ulimit nproc=1000:1000)
    CTR_RUN=(run --runtime io.containerd.runc.v2 --runc-binary "$RUNTIME" --rootfs) # then options, the root filesystem, a name
}

docker_image() { docker import - busybox <"$KEG_ROOT/busybox.tar" >/dev/null; }

containerd_start() {
    cat >"$KEG_ROOT/containerd.toml" <<END
version = 2
root = "$KEG_ROOT/containerd"
state = "$KEG_ROOT/containerd-run"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "$CONTAINERD_ADDRESS"
END
    # shellcheck disable=SC2016
    daemon "$KEG_ROOT/containerd.log" \
        sh -c 'echo $$ >"$1/containerd.pid"; exec containerd -c "$1/containerd.toml"' sh "$KEG_ROOT"
    eventually ctr version || { tail -n 20 "$KEG_ROOT/containerd.log" >&2; return 1; }
}

ctr() { engine timeout 60 ctr "$@"; }
buildah() { engine timeout 60 buildah --root "$KEG_ROOT/podman" --runroot "$KEG_ROOT/podman-run" "$@"; }

# ---- what tests say ----

# gives STATUS OUTPUT COMMAND…: standard output, and the exit status
gives() {
    local wanted=$1 text=$2 status=0 output
    shift 2
    output=$("$@" 2>"$KEG_ROOT/error") || status=$?
    [ "$status" = "$wanted" ] && [ "$output" = "$text" ] && return
    printf '%s: status %s, out: %s\nerr: %s\n' "$*" "$status" "$output" "$(cat "$KEG_ROOT/error")" >&2
    return 1
}

# refuses STATUS TEXT COMMAND…: nothing on standard output, that text in the error, and the exit status
refuses() {
    gives "$1" "" "${@:3}" && [[ $(cat "$KEG_ROOT/error") == *"$2"* ]] && return
    echo "not in it: $2" >&2
    cat "$KEG_ROOT/error" >&2
    return 1
}

inspects() { # engine, field, container: what is there
    "$1" inspect -f "{{$2}}" "$3"
}

is() { # engine, field, container, value
    [ "$(inspects "$1" "$2" "$3")" = "$4" ]
}

# A file of the container's cgroup: its name on v1 and its controller, or its name on v2.
cgroup_file() {
    if [ -e /sys/fs/cgroup/cgroup.controllers ]; then echo "/sys/fs/cgroup/$3"; else echo "/sys/fs/cgroup/$1/$1.$2"; fi
}

memory_file() { cgroup_file memory limit_in_bytes memory.max; }
pids_file() { cgroup_file pids max pids.max; }

# Nothing of any container is left: neither cgroups nor a shim; what is, is said.
nothing_left() {
    eventually nothing_seen && return
    left
    return 1
}

nothing_seen() { [ -z "$(left)" ]; }

left() {
    find /sys/fs/cgroup -mindepth 3 -type d -path "*/$PARENT/*" ! -name conmon 2>/dev/null || :
    local file line
    for file in /proc/[0-9]*/cmdline; do
        line=$({ tr '\0' ' ' <"$file"; } 2>/dev/null) || continue
        [[ $line != *containerd-shim*"$KEG_ROOT"* ]] || echo "$line"
    done
}

# ---- docker ----

@test "docker: run gives streams and exit statuses" {
    needs dockerd docker
    gives 0 out docker "${DOCKER_RUN[@]}" --rm busybox sh -c 'echo out; echo err >&2'
    [ "$(cat "$KEG_ROOT/error")" = err ]
    gives 42 '' docker "${DOCKER_RUN[@]}" --rm busybox sh -c 'exit 42'
    gives 137 '' docker "${DOCKER_RUN[@]}" --rm busybox sh -c 'sh -c "kill -9 \$\$"; exit $?'
    [ "$(echo data | docker "${DOCKER_RUN[@]}" --rm -i busybox cat)" = data ]
    gives 0 1000 docker "${DOCKER_RUN[@]}" --rm -u 1000 busybox sh -c 'id -u >/dev/stdout'
}

@test "docker: what a process is and isn't given" {
    needs dockerd docker
    local run=("${DOCKER_RUN[@]}" --rm) all
    all=$(docker "${run[@]}" --privileged busybox sed -n 's/^CapEff:\t//p' /proc/self/status)
    [ "$((16#$all & 1 << 21))" != 0 ]
    gives 0 00000000a80425fb docker "${run[@]}" busybox sed -n 's/^CapEff:\t//p' /proc/self/status
    gives 0 0000000000001000 docker "${run[@]}" --cap-drop ALL --cap-add NET_ADMIN busybox sed -n 's/^CapEff:\t//p' /proc/self/status
    gives 0 0000000000000000 docker "${run[@]}" --user 1000 busybox sed -n 's/^CapEff:\t//p' /proc/self/status
    gives 0 2 docker "${run[@]}" busybox sed -n 's/^Seccomp:\t//p' /proc/self/status
    gives 0 0 docker "${run[@]}" --security-opt seccomp=unconfined busybox sed -n 's/^Seccomp:\t//p' /proc/self/status
    gives 0 1 docker "${run[@]}" --security-opt no-new-privileges busybox sed -n 's/^NoNewPrivs:\t//p' /proc/self/status
    gives 0 'uid=1000(web) gid=1000(web) groups=99,1000(web),2000(extra)' docker "${run[@]}" --user web --group-add 99 busybox id
    echo '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95}]}' >"$WORK/profile.json"
    docker "${run[@]}" --security-opt seccomp="$WORK/profile.json" busybox sh -c 'mkdir /x || touch /fine && ls /fine' >"$WORK/out" 2>&1
    grep -q 'Operation not supported\|Not supported' "$WORK/out"
    gives 0 $'0\n1\n2\n3' docker "${run[@]}" busybox ls /proc/self/fd # 3 is ls' own
    gives 0 $'100\n200' docker "${run[@]}" --ulimit nofile=100:200 busybox sh -c 'ulimit -n; ulimit -Hn'
    gives 0 1000 docker "${run[@]}" --sysctl kernel.msgmax=1000 busybox cat /proc/sys/kernel/msgmax
    gives 0 55 docker "${run[@]}" --oom-score-adj 55 busybox cat /proc/self/oom_score_adj
}

@test "docker: terminals of run and of exec" {
    needs dockerd docker
    # docker 20.10 tells the size after the start
    run -7 on_terminal docker "${DOCKER_RUN[@]}" --rm -it busybox sh <<'END'
expect / #
send while [ "$(stty size)" = "0 0" ]; do sleep .1; done; stty size; tty; test -c /dev/console && exit 7\r
END
    [[ $output == *"24 80"*"/dev/pts/0"* ]] || { echo "$output"; false; }
    docker "${DOCKER_RUN[@]}" -d --name terminal busybox sleep 1000
    run -8 on_terminal docker exec -it -u 1000 terminal sh <<'END'
expect $
send echo writ""ten >/dev/tty; tty; exit 8\r
END
    [[ $output == *written*/dev/pts/* ]]
}

@test "docker: exec" {
    needs dockerd docker
    local all
    docker "${DOCKER_RUN[@]}" -d --name execs -e A=1 -w /tmp busybox sleep 1000
    gives 0 $'/tmp\n1' docker exec execs sh -c 'pwd; echo $A'
    gives 0 $'/etc\n12\n1000\n0000000000000000' docker exec -u 1000 -w /etc -e B=2 execs sh -c 'pwd; echo $A$B; id -u; sed -n "s/^CapEff:.//p" /proc/self/status'
    gives 0 2 docker exec execs sed -n 's/^Seccomp:\t//p' /proc/self/status
    all=$(docker exec --privileged execs sed -n 's/^CapEff:\t//p' /proc/self/status)
    [ "$((16#$all & 1 << 21))" != 0 ]
    gives 7 '' docker exec execs sh -c 'exit 7'
    gives 137 '' docker exec execs sh -c 'kill -9 $$'
    [ "$(echo data | docker exec -i execs cat)" = data ]
    docker exec -d execs sh -c 'echo there >/tmp/there; exec sleep 999'
    eventually docker exec execs grep there /tmp/there
    docker top execs -o pid,args | grep 'sleep 999'
    run ! docker exec execs nosuch
    [[ $output == *'exec: "nosuch": executable file not found in $PATH'* ]]
    run ! docker exec execs /etc/passwd
    [[ $output == *"permission denied"* ]]
    run ! docker exec -w /nowhere execs true
    [[ $output == *"no such file or directory"* ]]
}

@test "docker: what can't be started says why, and leaves nothing" {
    needs dockerd docker
    local run=("${DOCKER_RUN[@]}" --rm)
    refuses 127 'exec: "nosuch": executable file not found in $PATH' docker "${run[@]}" busybox nosuch
    refuses 127 'exec: "/no/such": stat /no/such: no such file or directory' docker "${run[@]}" busybox /no/such
    refuses 126 'exec: "/etc/passwd": permission denied' docker "${run[@]}" busybox /etc/passwd
    refuses 126 'exec: "/etc": is a directory' docker "${run[@]}" busybox /etc
    refuses 125 'no matching entries in passwd file' docker "${run[@]}" --user nobodysuch busybox true
    refuses 127 'no such file or directory' docker "${run[@]}" --sysctl net.nosuch=1 busybox true
    run ! docker "${run[@]}" -v "$KEG_ROOT/busybox.tar:/tmp" busybox true
    [[ $output == *"not a directory"* ]]
    nothing_left
}

@test "docker: stop, kill, restart, wait, logs" {
    needs dockerd docker
    docker "${DOCKER_RUN[@]}" -d --name life busybox sh -c 'trap "echo hup" HUP; trap "echo term; exit 3" TERM; echo up; while :; do sleep 0.1; done'
    eventually logged life up
    docker kill -s HUP life
    eventually logged life hup
    docker stop -t 10 life
    gives 0 3 docker wait life
    gives 0 $'up\nhup\nterm' docker logs life
    docker start life
    eventually is docker .State.Status life running
    docker kill life
    gives 0 137 docker wait life
    docker rm life
    docker "${DOCKER_RUN[@]}" -d --name again --restart on-failure:2 busybox sh -c 'exit 5'
    eventually is docker .RestartCount again 2
    eventually is docker .State.ExitCode again 5
    docker "${DOCKER_RUN[@]}" -d --name murdered busybox sleep 1000
    kill -9 "$(inspects docker .State.Pid murdered)"
    eventually is docker .State.ExitCode murdered 137
}

logged() { docker logs "$1" 2>&1 | grep -q "$2"; }

@test "docker: limits, their update, and death by them" {
    needs dockerd docker
    local memory pids
    memory=$(memory_file) pids=$(pids_file)
    docker "${DOCKER_RUN[@]}" -d --name limited --memory 64m --memory-swap 64m --pids-limit 50 --cpus 0.5 --cpuset-cpus 0 busybox sleep 1000
    gives 0 $'67108864\n50' docker exec limited cat "$memory" "$pids"
    gives 0 1 docker exec limited grep -c '^Cpus_allowed_list:.0$' /proc/self/status
    docker update --memory 32m --memory-swap 32m --pids-limit 20 limited
    gives 0 $'33554432\n20' docker exec limited cat "$memory" "$pids"
    # sleep and the shell leave room for 18
    docker exec limited sh -c 'for i in $(seq 30); do sleep 100 & done' >"$WORK/out" 2>&1 || :
    grep -q "can't fork" "$WORK/out"
    gives 137 '' docker "${DOCKER_RUN[@]}" --name eater --memory 32m --memory-swap 32m busybox sh -c 'sleep 1; exec tail /dev/zero'
}

@test "docker: pause, stats, health checks" {
    needs dockerd docker
    docker "${DOCKER_RUN[@]}" -d --name patient --health-cmd 'test -e /tmp/well' --health-interval 1s --health-retries 1 \
        busybox sh -c 'touch /tmp/well; while :; do date +%s%N >/tmp/time; sleep 0.05; done'
    eventually is docker .State.Health.Status patient healthy
    docker exec patient rm /tmp/well
    eventually is docker .State.Health.Status patient unhealthy
    docker pause patient
    is docker .State.Status patient paused
    run ! docker exec patient true
    local place before
    place=/proc/$(inspects docker .State.Pid patient)/root/tmp/time
    before=$(cat "$place")
    sleep 0.3
    [ "$(cat "$place")" = "$before" ]
    docker unpause patient
    eventually sh -c "[ \"\$(cat $place)\" != '$before' ]"
    [[ $(docker stats --no-stream --format '{{.Name}} {{.MemUsage}}' patient) == "patient "*B* ]]
    docker pause patient
    docker rm -f patient
}

@test "docker: mounts, devices, namespaces, --init" {
    needs dockerd docker
    local run=("${DOCKER_RUN[@]}" --rm)
    mkdir "$WORK/v"
    echo old >"$WORK/v/f"
    docker "${run[@]}" --read-only --tmpfs /t:size=1m,mode=700 -v "$WORK/v:/ro:ro" -v "$WORK/v:/rw" -v volume:/volume busybox \
        sh -c 'cat /ro/f; echo new >/rw/new; touch /t/x /volume/x; touch /x; touch /ro/x; stat -c %a /t' >"$WORK/out" 2>&1
    docker volume rm volume
    [ "$(sort "$WORK/out")" = $'700\nold\ntouch: /ro/x: Read-only file system\ntouch: /x: Read-only file system' ]
    [ "$(cat "$WORK/v/new")" = new ]
    gives 0 fine docker "${run[@]}" --device /dev/null:/dev/mine busybox sh -c 'echo x >/dev/mine && echo fine'
    gives 0 $'1:11\ndenied' docker "${run[@]}" busybox sh -c 'mknod /k c 1 11; stat -c %t:%T /k | sed s/b/11/; cat /k 2>/dev/null || echo denied'
    docker "${run[@]}" --privileged busybox mount -t tmpfs none /mnt
    [[ $(docker "${run[@]}" --init busybox cat /proc/1/comm) == *init* ]]
    docker "${DOCKER_RUN[@]}" -d --name shared --hostname here --ipc shareable busybox sleep 1234
    gives 0 1 docker "${run[@]}" --pid container:shared busybox sh -c 'ps | grep -c "[s]leep 1234"'
    gives 0 here docker "${run[@]}" --network container:shared busybox hostname
    gives 0 yes docker "${run[@]}" --pid host busybox sh -c '[ $$ -gt 10 ] && echo yes'
    [ "$(docker "${run[@]}" --ipc container:shared busybox readlink /proc/self/ns/ipc)" = "$(docker exec shared readlink /proc/self/ns/ipc)" ]
    gives 0 1 docker "${run[@]}" --network none busybox sh -c 'ip -o link | wc -l'
    docker "${run[@]}" busybox ip -o -4 addr show dev eth0 # which dockerd makes in a hook of the runtime's
}

@test "docker: many at once, and nothing is left of any" {
    needs dockerd docker
    local i pids=()
    for i in 1 2 3 4 5 6; do
        docker "${DOCKER_RUN[@]}" --rm --network none busybox sh -c "exit $i" 3>&- &
        pids+=($!)
    done
    for i in 1 2 3 4 5 6; do
        local status=0
        wait "${pids[$i - 1]}" || status=$?
        [ $status = $i ]
    done
    nothing_left
}

@test "docker: as the default runtime, under user namespaces" {
    needs dockerd docker
    grep -qs . /proc/self/uid_map && [ "$(awk 'NR == 1 {print $3}' /proc/self/uid_map)" -gt 165536 ] || skip "needs ids to map"
    stop docker
    # of whatever user: a name of the tree's, or the host's own if it has them
    if [ -n "${TREE_PID:-}" ]; then
        engine sh -c 'echo daemon:100000:65536 >>/etc/subuid; echo daemon:100000:65536 >>/etc/subgid'
    elif ! grep -qs '^daemon:' /etc/subuid; then
        docker_start --add-runtime "keg=$RUNTIME"
        skip "needs subordinate ids of daemon in /etc/subuid"
    fi
    docker_start --add-runtime "keg=$RUNTIME" --default-runtime keg --userns-remap daemon:daemon
    docker_image
    gives 0 '0 100000 65536' docker run --rm busybox sh -c 'echo $(cat /proc/self/uid_map)'
    gives 0 fine docker run --rm busybox sh -c 'touch /x && echo a >/dev/null && [ "$(stat -c %u /x)" = 0 ] && echo fine'
    docker run -d --name remapped busybox sleep 1000
    gives 0 00000000a80425fb docker exec remapped sed -n 's/^CapEff:\t//p' /proc/self/status
    [ "$(stat -c %u "/proc/$(inspects docker .State.Pid remapped)")" = 100000 ]
    gives 0 '0 0 4294967295' docker run --rm --userns host busybox sh -c 'echo $(cat /proc/self/uid_map)'
    docker rm -f remapped
    stop docker
    docker_start --add-runtime "keg=$RUNTIME"
}

# ---- containerd ----

# Forgets a container of ctr's, whatever its state.
forget() {
    ctr tasks kill -s KILL "$1" 2>/dev/null || :
    ! ctr tasks ls -q | grep -qx "$1" || eventually ctr tasks rm -f "$1"
    ctr containers rm "$1"
}

task_is() { [ "$(ctr tasks ls | awk -v "n=$1" '$1 == n {print $3}')" = "$2" ]; }

@test "containerd: run, with and without a terminal" {
    needs containerd ctr
    gives 7 out ctr "${CTR_RUN[@]}" --rm "$BOX" r1 sh -c 'echo out; exit 7'
    gives 0 1 ctr "${CTR_RUN[@]}" --rm --memory-limit 33554432 --env A=b --read-only "$BOX" r2 sh -c '[ $A = b ] && ! touch /x && grep -c . /proc/self/cgroup | sed "s/.*/1/"'
    run -3 on_terminal ctr "${CTR_RUN[@]}" --rm -t "$BOX" r3 sh <<'END'
expect / #
send tty; exit 3\r
END
    [[ $output == */dev/pts/0* ]]
    run ! ctr "${CTR_RUN[@]}" --rm "$BOX" r4 nosuch
    [[ $output == *'exec: "nosuch": executable file not found in $PATH'* ]]
}

@test "containerd: a task's life" {
    needs containerd ctr
    ctr "${CTR_RUN[@]}" -d "$BOX" t sh -c 'trap "exit 5" TERM; while :; do sleep 0.1; done'
    eventually task_is t RUNNING
    gives 9 'uid=0(root) gid=0(root)' ctr tasks exec --exec-id e1 t sh -c 'id | cut -d" " -f1,2; exit 9'
    gives 0 $'1000\n/tmp' ctr tasks exec --exec-id e2 --user 1000 --cwd /tmp t sh -c 'id -u; pwd'
    run ! ctr tasks exec --exec-id e3 t nosuch
    [[ $output == *'executable file not found in $PATH'* ]]
    ctr tasks exec -d --exec-id e4 t sh -c 'echo there >/tmp/there; sleep 1000'
    eventually ctr tasks exec --exec-id e5-$RANDOM t grep there /tmp/there
    ctr tasks kill --exec-id e4 -s KILL t
    ctr tasks pause t
    task_is t PAUSED
    ctr tasks resume t
    task_is t RUNNING
    [ "$(ctr tasks ps t | wc -l)" -ge 2 ]
    ctr tasks kill -s TERM t
    eventually task_is t STOPPED
    ctr tasks rm t || [ $? = 5 ]
    ctr containers rm t
    nothing_left
}

# ---- podman ----

@test "podman: run" {
    needs podman
    local run=("${PODMAN_RUN[@]}" --rm)
    gives 0 out podman "${run[@]}" bb echo out
    gives 42 '' podman "${run[@]}" bb sh -c 'exit 42'
    [ "$(echo data | podman "${run[@]}" -i bb cat)" = data ]
    gives 0 0000000000001000 podman "${run[@]}" --cap-drop ALL --cap-add NET_ADMIN bb sed -n 's/^CapEff:\t//p' /proc/self/status
    gives 0 2 podman "${run[@]}" bb sed -n 's/^Seccomp:\t//p' /proc/self/status
    gives 0 $'0077\nthree' podman "${run[@]}" --umask 0077 --preserve-fds 1 bb sh -c 'umask; cat <&3' 3<<<three
    run podman "${run[@]}" --read-only --tmpfs /t bb sh -c 'touch /t/x && touch /x'
    [[ $output == *"/x: Read-only file system"* ]]
    [[ $(podman "${run[@]}" --privileged bb ls /dev) == *kmsg* ]]
    gives 127 '' podman "${run[@]}" bb nosuch
    grep -q 'executable file not found in $PATH' "$KEG_ROOT/error"
    gives 126 '' podman "${run[@]}" bb /etc/passwd
    grep -q 'permission denied' "$KEG_ROOT/error"
    run -6 on_terminal "${PODMAN[@]}" "${run[@]}" -it bb sh <<'END'
expect / #
send stty size; exit 6\r
END
    [[ $output == *"24 80"* ]]
}

@test "podman: exec, stop, pause, health checks, removal" {
    needs podman
    podman "${PODMAN_RUN[@]}" -d --name c -e A=1 --health-cmd 'test -e /tmp/well' --health-interval disable bb \
        sh -c 'trap "exit 3" TERM; touch /tmp/well; while :; do sleep 0.1; done'
    gives 0 $'/etc\n1\n1000' podman exec -u 1000 -w /etc c sh -c 'pwd; echo $A; id -u'
    gives 7 '' podman exec c sh -c 'exit 7'
    gives 127 '' podman exec c nosuch
    podman exec -d c sh -c 'echo there >/tmp/there; exec sleep 999'
    eventually podman exec c grep there /tmp/there
    run -4 on_terminal "${PODMAN[@]}" exec -it c sh <<'END'
expect / #
send tty; exit 4\r
END
    [[ $output == */dev/pts/0* ]]
    podman healthcheck run c
    podman exec c rm /tmp/well
    run ! podman healthcheck run c
    podman pause c
    is podman .State.Status c paused
    podman unpause c
    podman stop -t 10 c
    gives 0 3 podman wait c
    podman start c
    podman kill c
    gives 0 137 podman wait c
    podman rm c
    nothing_left
}

@test "podman: limits and their update, user namespaces" {
    needs podman
    podman "${PODMAN_RUN[@]}" -d --name l --memory 64m --memory-swap 64m --pids-limit 50 bb sleep 1000
    gives 0 $'67108864\n50' podman exec l cat "$(memory_file)" "$(pids_file)"
    podman update --memory 32m --memory-swap 32m l
    gives 0 33554432 podman exec l cat "$(memory_file)"
    gives 137 '' podman "${PODMAN_RUN[@]}" --name o --memory 32m --memory-swap 32m bb sh -c 'exec tail /dev/zero'
    gives 0 '0 100000 65536' podman "${PODMAN_RUN[@]}" --rm --uidmap 0:100000:65536 --gidmap 0:100000:65536 bb sh -c 'echo $(cat /proc/self/uid_map)'
    podman "${PODMAN_RUN[@]}" -d --name u --uidmap 0:100000:65536 --gidmap 0:100000:65536 bb sleep 1000
    gives 0 $'0\nfine' podman exec u sh -c 'id -u; touch /x && echo fine'
}

@test "buildah: run" {
    needs buildah
    local container
    container=$(buildah from --ulimit nofile=1000:1000 --ulimit nproc=1000:1000 scratch)
    buildah add -q "$container" "$KEG_ROOT/busybox.tar" / >/dev/null
    local run=(run --runtime "$RUNTIME" --isolation oci "$container")
    gives 0 '' buildah "${run[@]}" sh -c 'id >/made'
    gives 3 'uid=0(root) gid=0(root)' buildah "${run[@]}" sh -c 'cut -d" " -f1,2 /made; exit 3'
    run ! buildah "${run[@]}" nosuch
    [[ $output == *'executable file not found in $PATH'* ]]
    buildah rm "$container" >/dev/null
}
