#!/usr/bin/env bats
# AppArmor, where the kernel has it: which profile confines a container, what the default one refuses, and how it gets there.
# vm: yes

bats_require_minimum_version 1.5.0

setup_file() {
    load lib
    require root nft curl jq
    [ "$(cat /sys/module/apparmor/parameters/enabled 2>&1)" = Y ] && command -v apparmor_parser >/dev/null || return 0
    export HAVE=1
    kegd_start
    image_busybox
}

teardown_file() {
    load lib
    kegd_stop
}

setup() {
    load lib
    [ -n "${HAVE:-}" ] || skip "needs a kernel with AppArmor, and apparmor_parser"
}

teardown() {
    local ids
    [ -n "${HAVE:-}" ] || return 0
    ids=$(keg ps -aq)
    # shellcheck disable=SC2086
    [ -z "$ids" ] || keg rm -f $ids >/dev/null
}

current() { # OPTIONS…: the profile that a container's program runs under
    keg run --rm --network none "$@" busybox cat /proc/self/attr/current
}

loaded() { grep -q "^$1 (enforce)" /sys/kernel/security/apparmor/profiles; }

@test "apparmor: the default profile is there for who names none, and for what enters; privileged ones have none" {
    [ "$(current)" = "keg-default (enforce)" ]
    [ "$(current --privileged)" = unconfined ]
    [ "$(current --security-opt apparmor=unconfined)" = unconfined ]
    [ "$(current --privileged --security-opt apparmor=keg-default)" = "keg-default (enforce)" ]
    keg run -d --name aa --network none --health-cmd 'cat /proc/self/attr/current >/probe' --health-interval 1s busybox sleep 1000
    [ "$(keg exec aa cat /proc/self/attr/current)" = "keg-default (enforce)" ]
    [ "$(keg exec --privileged aa cat /proc/self/attr/current)" = "keg-default (enforce)" ]
    probed() { [ "$(keg exec aa cat /probe 2>&1)" = "keg-default (enforce)" ]; }
    eventually probed
    [ "$(keg inspect -f '{{.AppArmorProfile}}' aa)" = keg-default ]
    keg info -f '{{.SecurityOptions}}' | grep -q name=apparmor
}

@test "apparmor: what the default profile refuses, though capabilities and mounts would allow it" {
    run keg run --rm --network none --cap-add SYS_ADMIN busybox mount -t tmpfs x /tmp
    [ "$status" != 0 ]
    [[ $output == *"ermission denied"* ]] || { echo "$output"; return 1; }
    keg run --rm --network none --cap-add SYS_ADMIN --security-opt apparmor=unconfined busybox mount -t tmpfs x /tmp
    local path
    for path in /proc/sys/kernel/core_pattern /proc/sys/kernel/modprobe /proc/sys/vm/panic_on_oom /proc/sys/fs/protected_hardlinks /proc/sysrq-trigger; do
        run keg run --rm --network none --security-opt systempaths=unconfined busybox sh -c ": >>$path"
        [ "$status" != 0 ] || { echo "$path can be written"; return 1; }
        [[ $output == *"ermission denied"* ]] || { echo "$output"; return 1; }
    done
    # but those of its own namespaces can
    for path in /proc/sys/kernel/shmmax /proc/sys/kernel/msgmax /proc/sys/kernel/sem /proc/sys/net/ipv4/ip_forward /proc/sys/fs/mqueue/msg_max /proc/self/oom_score_adj; do
        keg run --rm --network none --security-opt systempaths=unconfined busybox sh -c ": >>$path"
    done
}

@test "apparmor: signals within a container and from outside arrive" {
    keg run -d --name bb --network none busybox sh -c 'trap "exit 7" TERM; sleep 1000 & kill -0 $! && kill $! && echo in >/ok; while :; do sleep 0.1; done'
    inside() { [ "$(keg exec bb cat /ok 2>&1)" = in ]; }
    eventually inside
    keg stop bb
    [ "$(keg inspect -f '{{.State.ExitCode}}' bb)" = 7 ]
}

@test "apparmor: a profile that isn't loaded is an error that names it, and the default one is loaded again" {
    run keg run --rm --network none --security-opt apparmor=no-such-profile busybox true
    [ "$status" = 126 ] || [ "$status" = 125 ] || [ "$status" = 127 ]
    [[ $output == *no-such-profile* ]]
    [ -z "$(keg ps -aq)" ]
    loaded keg-default
    printf 'profile keg-default { file, }' | apparmor_parser -R
    run loaded keg-default
    [ "$status" != 0 ]
    [ "$(current)" = "keg-default (enforce)" ]
}
