#!/usr/bin/env bats
# What a container may use and may do, measured from inside and outside: memory, CPU, processes, devices, privileges, and
# a disk that is full.
# vm: yes

bats_require_minimum_version 1.5.0

setup_file() {
    load lib
    require root nft curl jq
    kegd_start
    image_busybox
}

teardown_file() {
    load lib
    kegd_stop
}

setup() {
    load lib
    load census
}

teardown() {
    local ids
    ids=$(keg ps -aq)
    # shellcheck disable=SC2086
    [ -z "$ids" ] || keg rm -f $ids >/dev/null
    ! mountpoint -q "$KEG_ROOT/disk" || umount -l "$KEG_ROOT/disk"
}

in_busybox() { # options and command in one: keg run --rm OPTIONS… busybox COMMAND…
    run keg run --rm --network none "$@"
    echo "$output"
}

# The container's value in its cgroup, v1 name or v2 name.
cgroup_value() { # container, v1 controller/file, v2 file
    local id
    id=$(keg inspect -f '{{.Id}}' "$1")
    if [ -d /sys/fs/cgroup/memory ]; then
        cat "/sys/fs/cgroup/${2%%/*}/$(keg_tag)/$id/${2#*/}"
    else
        cat "/sys/fs/cgroup/$(keg_tag)/$id/$3"
    fi
}

@test "limits: -m kills what takes too much, and inspect says so" {
    run keg run --name hog -m 64m --network none busybox sh -c 'x=0123456789abcdef; while :; do x=$x$x; done'
    [ "$status" = 137 ]
    [ "$(keg inspect -f '{{.State.OOMKilled}} {{.State.ExitCode}}' hog)" = "true 137" ]
    # one that stays below is let be
    in_busybox -m 64m busybox sh -c 'dd if=/dev/zero of=/dev/null bs=8M count=4 2>/dev/null; echo fine'
    [ "$output" = fine ]
}

@test "limits: -m, --memory-swap, --memory-reservation, -c, --cpus, --cpuset-cpus, --pids-limit reach the cgroup" {
    keg run -d --name all --network none -m 96m --memory-swap 96m --memory-reservation 48m -c 512 --cpus 1.5 --cpuset-cpus 0 \
        --pids-limit 77 busybox sleep 1000
    [ "$(cgroup_value all memory/memory.limit_in_bytes memory.max)" = $((96 << 20)) ]
    [ "$(cgroup_value all memory/memory.soft_limit_in_bytes memory.low)" = $((48 << 20)) ]
    [ "$(cgroup_value all cpuset/cpuset.cpus cpuset.cpus)" = 0 ]
    [ "$(cgroup_value all pids/pids.max pids.max)" = 77 ]
    if [ -d /sys/fs/cgroup/memory ]; then
        [ "$(cgroup_value all cpu/cpu.shares)" = 512 ]
        [ "$(cgroup_value all cpu/cpu.cfs_quota_us)" = 150000 ]
        [ "$(cgroup_value all cpu/cpu.cfs_period_us)" = 100000 ]
    else
        [ "$(cgroup_value all - cpu.max)" = "150000 100000" ]
    fi
    [ "$(keg exec all grep Cpus_allowed_list /proc/self/status | tr -dc '0-9,-')" = 0 ]
    keg inspect all | jq -e '.[0].HostConfig | .Memory == 100663296 and .MemorySwap == 100663296 and .CpuShares == 512 and
        .NanoCpus == 1500000000 and .PidsLimit == 77 and .CpusetCpus == "0"'
}

@test "limits: --cpus 0.5 is half a core" {
    keg run -d --name half --network none --cpus 0.5 busybox sh -c 'while :; do :; done'
    local pid start end ticks
    pid=$(keg inspect -f '{{.State.Pid}}' half)
    used() { awk '{ print $14 + $15 }' "/proc/$pid/stat"; }
    start=$(date +%s%N) ticks=$(used)
    sleep 2
    ticks=$(($(used) - ticks)) end=$(date +%s%N)
    local percent=$((ticks * 1000000000 / ($(getconf CLK_TCK)) * 100 / (end - start)))
    echo "used $percent% of a core"
    [ "$percent" -le 60 ]
    [ "$percent" -ge 15 ] # a busy machine may not give it all of its share
}

@test "limits: --pids-limit stops a fork bomb; the rest of the machine goes on" {
    local held
    keg run -d --name bomb --network none --pids-limit 40 busybox sleep 1000
    keg run -d --name beside --network none busybox sleep 1000
    # a shell ends where it can't fork; what it had started stays, and so does the first process
    run keg exec bomb sh -c 'i=0; while [ $i -lt 500 ]; do sleep 500 & i=$((i + 1)); done' 2>&1
    [ "$status" != 0 ]
    run keg exec -d bomb sh -c 'f() { f | f & }; while :; do f; done'
    held=$(cgroup_value bomb pids/pids.current pids.current)
    [ "$held" -gt 20 ]
    [ "$held" -le 40 ]
    [ "$(keg inspect -f '{{.State.Running}}' bomb)" = true ]
    [ "$(keg exec beside echo alive)" = alive ]
    keg rm -f bomb
}

@test "limits: --ulimit, --shm-size, --tmpfs size, --read-only" {
    in_busybox --ulimit nofile=321:654 busybox sh -c 'ulimit -n; ulimit -Hn'
    [ "$output" = $'321\n654' ]
    in_busybox --shm-size 3m busybox sh -c 'df -k /dev/shm | tail -n 1'
    [[ "$output" == *" 3072 "* ]]
    in_busybox --tmpfs /scratch:size=2m,mode=700 busybox sh -c 'df -k /scratch | tail -n 1; stat -c %a /scratch; dd if=/dev/zero of=/scratch/x bs=1M count=3'
    [[ "$output" == *" 2048 "* && "$output" == *700* && "$output" == *"No space left on device"* ]]
    in_busybox --read-only --tmpfs /tmp busybox sh -c 'touch /tmp/fine && touch /x'
    [[ "$output" == *"/x: Read-only file system"* && "$output" != *fine* ]]
    # what the engine puts there is no way around it
    in_busybox --read-only busybox sh -c 'echo x >/etc/resolv2; echo x >/root/y; echo x >/var/z'
    [ "$(grep -c 'Read-only file system' <<<"$output")" = 3 ]
}

@test "limits: --blkio-weight works, or says that it can't" {
    run keg run --rm --network none --blkio-weight 300 busybox echo ran
    echo "$output"
    [[ "$output" == *eight* || "$(find /sys/fs/cgroup -maxdepth 2 -name '*io*.weight' | wc -l)" -gt 0 ]]
    [[ "$output" == *ran* ]]
}

@test "limits: devices: only what was given" {
    in_busybox busybox sh -c 'ls /dev | tr "\n" " "; mknod /tmp/mem c 1 1 && head -c 1 /tmp/mem'
    [[ "$output" == *"Operation not permitted"* ]]
    [[ "$output" != *kmsg* && "$output" != *loop* && "$output" != *vda* ]]
    in_busybox busybox sh -c 'mknod /tmp/null c 1 3 && echo x >/tmp/null && echo may'
    [ "$output" = may ]
    in_busybox --device /dev/null:/dev/nothing:rw busybox sh -c 'echo x >/dev/nothing && echo given'
    [ "$output" = given ]
    in_busybox --device /dev/zero:/dev/some:r busybox sh -c 'head -c 3 /dev/some | wc -c'
    [ "$output" = 3 ]
    in_busybox --device /dev/no-such-device busybox true
    [ "$status" != 0 ]
    [[ "$output" == *no-such-device* ]]
}

@test "limits: capabilities: the default set, none, and one more" {
    in_busybox busybox grep CapEff /proc/self/status
    [[ "$output" == *00000000a80425fb ]]
    in_busybox --cap-drop ALL busybox sh -c 'grep CapEff /proc/self/status; chown 1:1 /tmp'
    [[ "$output" == *0000000000000000*"not permitted"* ]]
    in_busybox --cap-drop ALL --cap-add CHOWN busybox sh -c 'chown 1:1 /tmp && echo may'
    [ "$output" = may ]
    in_busybox -u 1000 busybox grep -E 'Cap(Inh|Prm|Eff|Amb)' /proc/self/status
    [ "$(grep -c 0000000000000000 <<<"$output")" = 4 ]
    in_busybox --cap-add NO_SUCH busybox true
    [ "$status" = 125 ]
    # an exec has the container's, not the daemon's
    keg run -d --name caps --network none --cap-drop ALL busybox sleep 1000
    [[ "$(keg exec caps grep CapEff /proc/self/status)" == *0000000000000000 ]]
}

@test "limits: seccomp and no_new_privs" {
    in_busybox busybox grep -E 'Seccomp:|NoNewPrivs' /proc/self/status
    [[ "$output" == *NoNewPrivs*0*Seccomp*2* ]]
    in_busybox --security-opt no-new-privileges busybox grep NoNewPrivs /proc/self/status
    [[ "$output" == *1 ]]
    in_busybox --security-opt seccomp=unconfined busybox grep Seccomp: /proc/self/status
    [[ "$output" == *0 ]]
    in_busybox busybox unshare -U true
    [ "$status" != 0 ]
    [[ "$output" == *"not permitted"* ]]
    in_busybox busybox unshare -n true
    [ "$status" != 0 ]
    in_busybox --security-opt seccomp=unconfined busybox unshare -U true
    [ "$status" = 0 ]
    in_busybox busybox mount -t tmpfs none /tmp
    [ "$status" != 0 ]
    in_busybox --security-opt seccomp=/no/such/profile busybox true
    [ "$status" = 125 ]
    echo '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO"}]}' >"$KEG_ROOT/profile"
    in_busybox --security-opt seccomp="$KEG_ROOT/profile" busybox mkdir /tmp/x
    [[ "$output" == *"not permitted"* ]]
}

@test "limits: masked and read-only places of /proc and /sys" {
    if [ -e /proc/sysrq-trigger ]; then
        in_busybox busybox sh -c 'echo b >/proc/sysrq-trigger'
        [[ "$output" == *"Read-only file system"* ]]
    fi
    in_busybox busybox sh -c 'echo x >/proc/sys/kernel/core_pattern'
    [[ "$output" == *"Read-only file system"* ]]
    in_busybox busybox sh -c 'cat /proc/kcore /proc/keys /proc/timer_list 2>/dev/null | wc -c; ls /proc/acpi /proc/scsi /sys/firmware 2>/dev/null | grep -v : | grep -c .'
    [ "$output" = $'0\n0' ]
    in_busybox busybox sh -c 'mkdir /sys/fs/cgroup/x || mkdir /sys/fs/cgroup/memory/x'
    [ "$status" != 0 ]
    in_busybox --privileged busybox sh -c 'grep CapEff /proc/self/status; mount -t tmpfs none /tmp && echo mounted'
    [[ "$output" == *mounted* ]]
}

@test "limits: stop of a first process that takes no notice of SIGTERM is quick; --init reaps and passes signals on" {
    keg run -d --name deaf --network none busybox sleep 1000 # sleep as PID 1 has no handler
    local start=$EPOCHREALTIME
    keg stop deaf
    local took=$(((${EPOCHREALTIME/./} - ${start/./}) / 1000))
    echo "stop took $took ms"
    [ "$took" -lt 3000 ]
    [ "$(keg inspect -f '{{.State.ExitCode}}' deaf)" = 137 ]

    keg run -d --name init --network none --init busybox sh -c 'trap "exit 6" TERM; (sleep 0.1 &); while :; do sleep 0.1; done'
    sleep 0.5
    run keg exec init sh -c "cat /proc/[0-9]*/stat 2>/dev/null | awk '\$3 == \"Z\" && \$4 == 1' | wc -l" # orphans only
    [ "$output" = 0 ]
    keg stop init
    [ "$(keg inspect -f '{{.State.ExitCode}}' init)" = 6 ]
}

@test "limits: update of what cannot be is refused, and options out of range" {
    local words
    for words in '-m 1m' '--memory-swap 10m' '-m 64m --memory-swap 32m' '--cpus 1000' '--cpuset-cpus 4000' '--shm-size -5' \
        '--ulimit nofile=9:3' '--ulimit nonsense=3' '--pids-limit x' '-c x'; do
        # shellcheck disable=SC2086
        run keg run --rm --network none $words busybox true
        echo "$words: $status $output"
        [ "$status" = 125 ]
        [ -n "$output" ]
    done
}

# ---- a disk that is full ----

@test "limits: a full disk: import, load and create say so, leave nothing, and work again" {
    local disk=$KEG_ROOT/disk before=$KEG_ROOT
    mkdir -p "$disk"
    mount -t tmpfs -o size=24m none "$disk"
    keg save -o "$KEG_ROOT/saved.tar" busybox
    head -c 40M /dev/urandom >"$KEG_ROOT/big"
    tar -C "$KEG_ROOT" -cf "$KEG_ROOT/big.tar" big
    (
        # a second kegd, whose data is on the small disk
        KEG_ROOT=$disk/keg
        mkdir "$KEG_ROOT"
        kegd_start
        trap kegd_stop EXIT
        keg load -q -i "$before/saved.tar"
        keg run --rm --network none busybox true
        run -127 keg run --rm --network none busybox /no-such # for which kegd opens the cgroup hierarchies, once
        census >"$before/census"
        for turn in 1 2; do
            run keg import "$before/big.tar" big
            echo "$output"
            [ "$status" != 0 ]
            [[ "$output" == *"o space left"* ]]
            census_same "$before/census"
            # the container meets the full disk, and its place is given back
            run keg run --rm --network none busybox dd if=/dev/zero of=/x bs=1M count=40
            echo "$output"
            [[ "$output" == *"No space left on device"* ]]
            census_same "$before/census"
        done
        # nothing at all is free
        keg create --name idle busybox true
        head -c 40M /dev/zero >"$KEG_ROOT/fill" 2>/dev/null || :
        run keg run --rm --network none busybox true
        echo "$output"
        [ "$status" = 125 ]
        [[ "$output" == *"o space left"* || "$output" == *"disk is full"* ]]
        # what is only a row and a directory goes by the room that the database keeps
        keg volume create full
        keg volume rm full
        keg ps -a
        keg images
        keg rm idle
        rm "$KEG_ROOT/fill"
        census_same "$before/census"
        keg run --rm --network none -v works:/w busybox touch /w/x
        keg volume rm works
        census_same "$before/census"
    )
    umount "$disk"
}
