#!/usr/bin/env bats
# A data root that takes no more: its disk is full, a quota is used up, it is mounted read-only. The error names the cause and
# what can be done, nothing is left over, and the next try succeeds once there is room.

setup_file() {
    load lib
    load registry
    require root curl jq docker-registry losetup mkfs.ext4
    KEG_ROOT=$(mktemp -d /var/tmp/keg-test.XXXXXX)
    export KEG_ROOT
    registry_start registry 127.0.0.1:5000
    # made by a kegd that has room: what the others pull and load
    kegd_start --bridge none
    image_busybox
    keg run --name making --network none busybox sh -c 'head -c 6000000 /dev/urandom >/big'
    keg commit making 127.0.0.1:5000/big
    keg push -q 127.0.0.1:5000/big
    keg save -o "$KEG_ROOT/big.tar" 127.0.0.1:5000/big
    keg export -o "$KEG_ROOT/tree.tar" making
    keg rm making
    kegd_kill TERM
    rm -rf "$KEG_ROOT/data"
}

teardown_file() {
    load lib
    load registry
    servers_stop
    rm -rf "$KEG_ROOT"
}

setup() {
    load lib
    DATA=$KEG_ROOT/data
    mkdir "$DATA"
}

teardown() {
    [ -z "${KEGD_PID:-}" ] || kegd_kill TERM
    umount -l "$DATA" 2>/dev/null || :
    rm -rf "$DATA" "$KEG_ROOT/disk"
}

# A file system of $2 MB as the data root, and a kegd on it with the image busybox and a container that has written 6 MB.
on_disk() { # TYPE SIZE
    truncate -s "$2M" "$KEG_ROOT/disk"
    case $1 in
    ext4) mkfs.ext4 -q -m 0 "$KEG_ROOT/disk" ;;
    btrfs) mkfs.btrfs -q -m single "$KEG_ROOT/disk" ;;
    esac
    if [ "$1" = tmpfs ]; then mount -t tmpfs -o "size=$2m" data "$DATA"; else mount -o loop "$KEG_ROOT/disk" "$DATA"; fi
}

with_kegd() {
    kegd_start --bridge none
    image_busybox
    keg run --name wrote --network none busybox sh -c 'head -c 6000000 /dev/urandom >/big'
    state >"$KEG_ROOT/before"
}

# Fills the disk but for that many bytes.
fill() {
    dd if=/dev/zero of="$DATA/ballast" bs=64k status=none 2>/dev/null || :
    dd if=/dev/zero of="$DATA/ballast" bs=4k oflag=append conv=notrunc status=none 2>/dev/null || :
    [ "$1" = 0 ] || truncate -s "-$1" "$DATA/ballast"
    sync -f "$DATA"
}

state() {
    find "$DATA" -path "$DATA/lost+found" -prune -o -printf '%P %y\n' | grep -Ev '^(keg.db|ballast|volumes d)' | sort
    keg images -aq --no-trunc
    keg ps -aq --no-trunc
}

# names CAUSE REMEDY: the command fails, and its message has both
names() {
    local cause=$1 remedy=$2 tries=0
    shift 2
    run "$@"
    echo "$* => $status: $output"
    [ "$status" != 0 ]
    [[ "$output" == *"$cause"* ]]
    [[ "$output" == *"$remedy"* ]]
    # what is removed in the background goes in a moment
    while ! diff "$KEG_ROOT/before" <(state); do
        [ $((tries += 1)) -lt 20 ]
        sleep 0.1
    done
}

large() { # everything that brings megabytes
    "$@" keg pull -q 127.0.0.1:5000/big
    "$@" keg load -q -i "$KEG_ROOT/big.tar"
    "$@" keg import "$KEG_ROOT/tree.tar" imported
    "$@" keg commit wrote committed
}

small() { # what writes next to nothing
    "$@" keg tag busybox tagged
    "$@" keg create --name created --network none busybox true
}

again() { # and now it succeeds
    "$@" || { echo "failed: $*"; return 1; }
}

put_back() {
    keg rm created
    keg rmi 127.0.0.1:5000/big imported committed tagged || keg rmi 127.0.0.1:5000/big imported committed
    keg system check -q
}

@test "full: a disk (ext4) with a little room: pull, load, import, commit" {
    on_disk ext4 160
    with_kegd
    for room in 3000000 1000000; do
        fill "$room"
        large names "no space left on device" 'keg system prune'
        small again
        keg rm created
        keg rmi tagged
        rm "$DATA/ballast"
    done
    large again
    small again
    put_back
}

@test "full: to the last byte: tag and create as well; what is there can be listed, run, removed" {
    on_disk ext4 160
    with_kegd
    keg tag busybox gone
    state >"$KEG_ROOT/before"
    fill 0
    large names "no space left on device" 'keg system prune'
    keg images
    [ "$(keg inspect -f '{{.Name}}' wrote)" = /wrote ]
    keg start -a wrote || :
    # room is made by removing: that needs none
    keg rmi gone
    keg rm wrote
    keg create --name created --network none busybox true
    keg rm created
    rm "$DATA/ballast"
    keg system check -q
}

@test "full: no inodes left" {
    truncate -s 160M "$KEG_ROOT/disk"
    mkfs.ext4 -q -m 0 -N 1600 "$KEG_ROOT/disk"
    mount -o loop "$KEG_ROOT/disk" "$DATA"
    with_kegd
    mkdir "$DATA/ballast"
    (cd "$DATA/ballast" && i=0 && while : >"$((i += 1))"; do :; done) 2>/dev/null || :
    for i in 1 2 3; do rm "$DATA/ballast/$i"; done
    names "no space left on device" "has no inodes left" keg load -q -i "$KEG_ROOT/big.tar"
    names "no space left on device" "has no inodes left" keg pull -q 127.0.0.1:5000/big
    rm -r "$DATA/ballast"
    keg pull -q 127.0.0.1:5000/big
    keg system check -q
}

@test "full: a tmpfs" {
    on_disk tmpfs 160
    with_kegd
    fill 2000000
    large names "no space left on device" 'keg system prune'
    rm "$DATA/ballast"
    large again
    keg system check -q
}

@test "full: a quota (btrfs)" {
    require mkfs.btrfs
    grep -qw btrfs /proc/filesystems || skip "the kernel has no btrfs"
    on_disk btrfs 256
    btrfs quota enable "$DATA"
    umount "$DATA"
    mount -o loop "$KEG_ROOT/disk" "$DATA"
    btrfs subvolume create "$DATA/limited" >/dev/null
    umount "$DATA"
    mount -o loop,subvol=limited "$KEG_ROOT/disk" "$DATA"
    with_kegd
    local used
    sync -f "$DATA"
    used=$(btrfs qgroup show --raw "$DATA" | awk '$1 == "0/256" {print $2}')
    btrfs qgroup limit $((used + 4000000)) "$DATA"
    large names "disk quota exceeded" "the quota for"
    btrfs qgroup limit none "$DATA"
    large again
    keg system check -q
}

@test "read-only: what is there can be read, changes name the cause" {
    on_disk ext4 160
    with_kegd
    keg run -d --name runs --network none busybox sleep 1000
    keg tag busybox spare
    state >"$KEG_ROOT/before"
    mount -o remount,abort "$DATA" # as a file system does that has met an error
    run touch "$DATA/probe"
    [[ "$output" == *"Read-only file system"* ]] || skip "the kernel doesn't make it read-only"
    keg images
    keg ps -a
    keg inspect busybox >/dev/null
    keg save busybox | tar -t >/dev/null
    [ "$(keg exec runs echo alive)" = alive ]
    names "read-only file system" "is read-only: mount it" keg pull -q 127.0.0.1:5000/big
    names "read-only file system" "is read-only: mount it" keg load -q -i "$KEG_ROOT/big.tar"
    names "read-only file system" "is read-only: mount it" keg import "$KEG_ROOT/tree.tar" imported
    names "read-only file system" "is read-only: mount it" keg commit wrote committed
    names "read-only file system" "is read-only: mount it" keg tag busybox tagged
    names "read-only file system" "is read-only: mount it" keg rmi spare
    names "read-only file system" "is read-only: mount it" keg create --name created --network none busybox true
    keg kill runs
    kegd_kill KILL
    # a kegd that starts says so, too
    run kegd_start --bridge none
    [ "$status" != 0 ]
    [[ "$output" == *"read-only file system"* ]]
    KEGD_PID=
    # the disk is mended: everything is there
    eventually umount "$DATA"
    fsck.ext4 -fy "$KEG_ROOT/disk" >/dev/null || :
    mount -o loop "$KEG_ROOT/disk" "$DATA"
    kegd_start --bridge none
    [ "$(keg inspect -f '{{.State.Status}}' runs)" = exited ]
    keg rm -f runs
    keg pull -q 127.0.0.1:5000/big
    keg system check -q
}
