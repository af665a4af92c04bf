#!/usr/bin/env bats
# --storage-opt size: btrfs on a disk of its own, ext4 and xfs with project quotas where the kernel has them, and what is said
# where there are none. Where this kernel has no project quotas, `tests/vm/run tests/system/quota.bats` tries them on another.

setup_file() {
    load lib
    require root
    W=$(mktemp -d /var/tmp/keg-quota.XXXXXX)
    export W
}

teardown_file() {
    rm -rf "$W"
}

setup() {
    load lib
}

teardown() {
    [ -z "${KEG_ROOT:-}" ] || kegd_stop
    ! mountpoint -q "$W/mnt" || umount "$W/mnt"
    rm -rf "$W/disk" "$W/mnt"
}

# on TYPE MOUNT-OPTIONS MKFS…: a disk of 600 MB at $W/mnt; false where that can't be
on() {
    local options=$2
    truncate -s 600M "$W/disk"
    mkdir "$W/mnt"
    "${@:3}" "$W/disk" >/dev/null 2>&1 || return 1
    mount -t "$1" -o "loop$options" "$W/disk" "$W/mnt" 2>/dev/null
}

begin() { # kegd's options
    export KEG_ROOT=$W/mnt/keg
    mkdir -p "$KEG_ROOT"
    kegd_start "$@"
    image_busybox
}

# fills NAME MEGABYTES: what the container says when it writes as much
fills() {
    keg start "$1" >/dev/null
    keg exec "$1" sh -c "dd if=/dev/zero of=/big bs=1M count=$2 2>&1 | grep -v records; sync; rm -f /big" 2>&1
    keg stop -t 0 "$1" >/dev/null
}

limits_hold() {
    keg create --name small --storage-opt size=40m busybox sleep 1000
    keg create --name large busybox sleep 1000
    [ "$(keg inspect -f '{{.HostConfig.StorageOpt.size}}' small)" = 40m ]
    fills small 100 | grep -E 'quota exceeded|No space left'
    refute grep -E 'quota|space' <(fills large 100)
    refute grep -E 'quota|space' <(fills small 20) # what was removed counts no more
    fills small 100 | grep -E 'quota exceeded|No space left' # also after a restart
    keg rm -f small large >/dev/null
    run keg create --storage-opt size=oops busybox true
    [[ $output == *"invalid size: 'oops'"* ]]
    run keg create --storage-opt inodes=7 busybox true
    [[ $output == *"Unknown option inodes"* ]]
}

@test "btrfs: a container's subvolume has a limit" {
    command -v mkfs.btrfs >/dev/null || skip "needs mkfs.btrfs (btrfs-progs)"
    on btrfs '' mkfs.btrfs -q || skip "this kernel has no btrfs"
    begin --storage-driver btrfs --storage-opt btrfs.min_space=10m
    limits_hold
    run keg create --storage-opt size=5m busybox true
    [[ $output == *"btrfs: storage size cannot be less than"* ]]
    [ -z "$(keg ps -aq)" ] # nothing is left of one that was refused
    [ -z "$(find "$KEG_ROOT/data/containers" -mindepth 1 -maxdepth 1)" ]
    kegd_kill TERM
    kegd_start --storage-driver btrfs --storage-opt btrfs.size=60m # for those that don't say
    keg create --name usual busybox sleep 1000
    fills usual 100 | grep 'quota exceeded'
    refute grep -E 'quota|space' <(fills usual 30)
}

project_quotas() { # TYPE MKFS…
    modprobe -qa loop quota_v2 xfs 2>/dev/null || : # if they are modules at all
    [ "$1" = ext4 ] && options=,prjquota || options=,pquota
    on "$1" "$options" "${@:2}" || skip "this kernel mounts no $1 with project quotas"
    begin
    limits_hold
    # --rm: mounted without syncs, so that its work directory is made anew
    keg run --rm --storage-opt size=40m busybox sh -c 'dd if=/dev/zero of=/big bs=1M count=100 2>&1' | grep -E 'quota exceeded|No space left'
    keg run --storage-opt size=40m --name moves busybox sh -c 'mkdir /d && echo x >/d/x && mv /d /e && echo y >>/etc/passwd && rm -r /root && cat /e/x'
    kegd_kill TERM
    kegd_start --storage-opt overlay2.size=60m
    keg create --name usual busybox sleep 1000
    fills usual 100 | grep -E 'quota exceeded|No space left'
    refute grep -E 'quota|space' <(fills usual 30)
    keg rm moves usual
}

@test "ext4 with project quotas: a container's layer has a limit" {
    project_quotas ext4 mkfs.ext4 -q -O quota,project -E quotatype=prjquota
}

@test "xfs with project quotas: a container's layer has a limit" {
    command -v mkfs.xfs >/dev/null || skip "needs mkfs.xfs (xfsprogs)"
    project_quotas xfs mkfs.xfs -q
}

@test "without quotas: refused in Docker's words" {
    on ext4 '' mkfs.ext4 -q
    begin
    run keg create --name small --storage-opt size=40m busybox true
    [ "$status" = 1 ]
    [[ $output == *"--storage-opt is supported only for overlay over xfs with 'pquota' mount option"* ]]
    [ -z "$(keg ps -aq)" ]
    [ -z "$(find "$KEG_ROOT/data/containers" -mindepth 1 -maxdepth 1)" ]
    [ "$(api POST /containers/create -H 'Content-Type: application/json' -d '{"Image":"busybox","HostConfig":{"StorageOpt":{"size":"1G"}}}' -o /dev/null -w '%{http_code}')" = 500 ]
    kegd_kill TERM
    refused() { # WORDS OPTIONS…
        run "$KEG_BUILD/kegd" --data-root "$KEG_ROOT/$3" --exec-root "$KEG_ROOT/run2" --bridge none "${@:4}" --storage-opt "$2"
        [[ $status != 0 && $output == *"$1"* ]] || { echo "$2: $output"; return 1; }
    }
    refused "Storage option overlay2.size not supported. Filesystem does not support Project Quota" overlay2.size=1G data
    refused "overlay2: unknown option dm.size" dm.size=1G data
    refused "overlay2.size: invalid size: 'x'" overlay2.size=x data
    refused "Unable to parse key/value option: 'size'" size data
    refused "Storage option vfs.size not supported" vfs.size=1G data2 --storage-driver vfs
}
