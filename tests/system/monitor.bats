#!/usr/bin/env bats
# keg-monitor with the real runtime, without kegd: the checks are in monitor_checks.py.
# vm: long

setup_file() {
    load lib
    require root python3
    MONITOR_ROOTFS=$(mktemp -d /var/tmp/keg-monitor-rootfs.XXXXXX)
    export MONITOR_ROOTFS
    busybox_rootfs "$MONITOR_ROOTFS"
}

teardown_file() {
    rm -rf "$MONITOR_ROOTFS"
}

check() {
    PYTHONDONTWRITEBYTECODE=1 timeout 120 python3 "$BATS_TEST_DIRNAME/monitor_checks.py" "$1" "$KEG_BUILD" "$MONITOR_ROOTFS"
}

@test "a container runs: output, log, exit code, nothing left" { check run; }
@test "layers are stacked, the upper one takes the writes" { check overlay; }
@test "a terminal: PID 1, size, resize, detach, attach again" { check terminal; }
@test "failed starts leave nothing" { check failed_starts; }
@test "the network namespace comes first, with a socket in it" { check network; }
@test "a network that can't be furnished ends the start" { check network_refused; }
@test "exec sessions" { check exec; }
@test "what execs leave behind" { check exec_groups; }
@test "kegd is killed: terminals go on, a new kegd hears the end" { check kegd_killed; }
@test "the OOM killer's work is told" { check oom; }
@test "keg-init as PID 1" { check init; }
@test "a program's signals, score and descriptors are clean" { check environment; }
@test "a monitor takes at most 300 kB" { check memory; }
@test "much output is logged fast and whole" { check log_speed; }
@test "fifty starts leave nothing" { check many; }
