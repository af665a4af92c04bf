#!/usr/bin/env bats
# Power cuts in pull, load, commit and rmi: the store opens, what was acknowledged is there, nothing half-made is seen, and the
# check finds nothing. KEG_FULL=1: 500 kills, and 100 cuts of a disk that loses what wasn't flushed, with each file system.

setup_file() {
    load lib
    load registry
    require root curl docker-registry python3 losetup mkfs.ext4
    kegd_start --bridge none
    image_busybox
    registry_start registry 127.0.0.1:5000
    export REGISTRY=127.0.0.1:5000
    mkdir "$KEG_ROOT/powercut"
    layer base busybox 'echo base >/marker' && keg save -o "$KEG_ROOT/powercut/base.tar" base
    local i
    for i in 0 1 2 3; do # three layers of their own each
        layer "l$i" base "mkdir /many; for i in \$(seq 300); do echo $i \$i >/many/\$i; done"
        layer "l$i" "l$i" "head -c 2000000 /dev/urandom >/random; rm /many/1 /bin/vi"
        layer "l$i" "l$i" "echo l$i >/marker"
        keg save -o "$KEG_ROOT/powercut/l$i.tar" "l$i"
        layer "127.0.0.1:5000/p$i" "l$i" "echo p$i >/marker; head -c 500000 /dev/urandom >/more"
        keg push -q "127.0.0.1:5000/p$i"
    done
    kegd_kill TERM
}

layer() { # NAME BASE COMMANDS: a new image of one layer more
    keg run --name making --network none "$2" sh -c "$3"
    keg commit making "$1" >/dev/null
    keg rm making >/dev/null
}

teardown_file() {
    load lib
    load registry
    servers_stop
    rm -rf "$KEG_ROOT"
}

setup() {
    load lib
}

rounds() { # FULL SHORT
    echo "${KEG_ROUNDS:-$([ -n "${KEG_FULL:-}" ] && echo "$1" || echo "$2")}"
}

cuts() { # MODE ROUNDS [FS]
    run python3 "$BATS_TEST_DIRNAME/powercut.py" "$@" 3>&-
    echo "$output"
    echo "# ${lines[-1]}" >&3
    [ "$status" = 0 ]
}

@test "power: kegd and its workers are killed in pull, load, commit and rmi" {
    cuts kill "$(rounds 500 20)"
}

@test "power: a disk loses what wasn't flushed (ext4)" {
    cuts drop "$(rounds 100 6)" ext4
}

@test "power: a disk loses what wasn't flushed (btrfs)" {
    require mkfs.btrfs
    grep -qw btrfs /proc/filesystems || skip "the kernel has no btrfs"
    cuts drop "$(rounds 100 3)" btrfs
}

@test "power: a disk loses what wasn't flushed (xfs)" {
    require mkfs.xfs
    grep -qw xfs /proc/filesystems || skip "the kernel has no xfs"
    cuts drop "$(rounds 100 3)" xfs
}
