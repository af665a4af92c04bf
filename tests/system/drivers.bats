#!/usr/bin/env bats
# What every storage driver has to do, the same for each: layers, containers, what goes out, accidents. The same trees give the
# same bytes whichever the driver. Needs root; btrfs needs mkfs.btrfs.

setup_file() {
    load lib
    [ "$(id -u)" = 0 ] || return 0
    export W=$(mktemp -d /var/tmp/keg-drivers.XXXXXX)
    export LAYERS=130
    [ -z "${KEG_FULL:-}" ] || LAYERS=620
    mkdir "$W/tar"
    python3 "$BATS_TEST_DIRNAME/tools/driver_layers.py" "$W/tar"
    DRIVERS="overlay2 vfs"
    if mount_btrfs "$W"; then DRIVERS+=" btrfs"; fi
    if grep -qw erofs /proc/filesystems || modprobe -q erofs; then DRIVERS+=" erofs"; fi
    export DRIVERS
}

# btrfs has a disk of its own; the others are beside it.
mount_btrfs() {
    command -v mkfs.btrfs >/dev/null || return 1
    truncate -s 3G "$1/disk"
    mkfs.btrfs -q "$1/disk" >/dev/null 2>&1 && mkdir "$1/btrfs" && mount -o loop "$1/disk" "$1/btrfs"
}

teardown_file() {
    [ -n "${W:-}" ] || return 0
    if mountpoint -q "$W/btrfs"; then umount "$W/btrfs"; fi
    rm -rf "$W"
}

setup() {
    load lib
    require root
    T=$W/$BATS_TEST_NUMBER
    mkdir -p "$T"
    cd "$W/tar"
}

# Each test's stores, and what a test that failed left mounted.
teardown() {
    cd /
    local d
    [ -z "${KEG_ROOT:-}" ] || kegd_stop
    for d in $(awk -v w="$W/" 'index($5, w) == 1 && $5 != w "btrfs" {print $5}' /proc/self/mountinfo); do umount -l "$d"; done
    for d in $DRIVERS; do wipe "$d"; done
    rm -rf "$T"
}

data() { # the data root of the driver $1 in this test
    case $1 in
    btrfs) echo "$W/btrfs/$BATS_TEST_NUMBER" ;;
    *) echo "$T/$1" ;;
    esac
}

wipe() {
    if [ "$1" = btrfs ]; then
        btrfs subvolume list -o "$W/btrfs" | awk '{print $NF}' | sort -r |
            while read -r name; do btrfs subvolume delete "$W/btrfs/$name" >/dev/null; done
    fi
    rm -rf "$(data "$1")"
}

tool() { # with the driver $d
    DRIVER=${DRIVER-$d} "$KEG_BUILD/tests/storage-tool" "$(data "$d")" "$KEG_BUILD/keg-layer" "$@"
}

tool_exec() { # the same, for the background: what is killed is the tool itself
    DRIVER=$d exec "$KEG_BUILD/tests/storage-tool" "$(data "$d")" "$KEG_BUILD/keg-layer" "$@"
}

commit() { # PARENT FILE…: sets $chain, and $chains to all
    tool commit "$@" >"$T/commit" || { echo "$d: commit $*"; return 1; }
    chains=$(sed -n 's/^chain //p' "$T/commit")
    chain=$(tail -n 1 <<<"$chains")
}

# Runs a command in a container's root filesystem, as its start would mount it. Only for what doesn't run programs of the image.
inside() { # ID COMMAND…
    local id=$1 lower upper work root
    shift
    tool where "$id" >"$T/where"
    root=$(sed -n 's/^root //p' "$T/where")
    if [ -n "$root" ]; then
        (cd "$root" && "$@")
        return
    fi
    # Layers that are images are mounted while a store is open; the container's mount is made meanwhile.
    mkdir -p "$T/m"
    tool mounted "$id" "$T/m"
    (cd "$T/m" && "$@")
    umount "$T/m"
}

# Nothing of a store that is closed stays mounted, and nothing stays half made.
is_tidy() {
    [ "$(grep -c " $(data "$d")/" /proc/self/mountinfo)" = 0 ] || { grep " $(data "$d")/" /proc/self/mountinfo; return 1; }
    [ -z "$(find "$(data "$d")/layers" "$(data "$d")/containers" -maxdepth 2 \( -name '.staging*' -o -name '.trash*' -o -name '.making*' \) -print -quit)" ]
}

same() { # FILE-OF-OTHERS FILE: the first driver's is kept, all others' are compared with it
    [ -e "$1" ] || { cp "$2" "$1"; return; }
    cmp "$1" "$2" || { echo "$d differs:"; diff <(tar -tvf "$1") <(tar -tvf "$2"); return 1; }
}

@test "btrfs and erofs are there to be tested" {
    command -v mkfs.btrfs >/dev/null || skip "needs mkfs.btrfs (btrfs-progs)"
    [[ " $DRIVERS " = *" btrfs "* ]] || skip "this kernel has no btrfs"
    [[ " $DRIVERS " = *" erofs "* ]] || skip "this kernel has no EROFS"
}

@test "layers: whiteouts, opaque directories, links, attributes, devices; the same bytes from every driver" {
    for d in $DRIVERS; do
        commit - base.tar change.tar again.tar
        [ "$(wc -l <<<"$chains")" = 3 ]
        n=0
        for chain in $chains; do
            n=$((n + 1))
            tool pack "$chain" >"$T/pack" 2>/dev/null
            same "$T/pack.$n" "$T/pack"
            tool flat "$chain" >"$T/flat" 2>/dev/null
            same "$T/flat.$n" "$T/flat"
        done
        is_tidy
    done
    tar -tvf "$T/flat.3" >"$T/list"
    grep -q 'etc/gone$' "$T/list"
    grep -q 'turns/below$' "$T/list"
    grep -q 'opt/sub/c$' "$T/list"
    refute grep -Eq 'opt/sub/a|many/0|turned/in|\.wh\.' "$T/list"
    tar -xOf "$T/flat.3" big | cmp - <(tar -xOf base.tar big)
    grep -q '^h.*usr/bin/tool link to usr/bin/third$' "$T/list"
}

change() { # in the root of a container
    echo added >etc/added
    echo more >>etc/passwd
    touch -d @1700000000 etc/added etc/passwd
    rm etc/hostname
    mkdir -p made/deep
    printf 12345 >made/deep/file
    ln made/deep/file made/second
    ln -s /nowhere made/link
    mkfifo made/pipe
    setfattr -n user.mine -v yes made/deep/file
    touch -h -d @1700000001 made/deep/file made/link made/pipe made/deep made
    rm -r odd
    rm big
    mkdir big
    echo 1 >big/file
    touch -d @1700000002 big/file big
    chmod 711 opt
    chown 12:13 block
    ln tail tail2
    touch -d @1700000003 etc .
}

@test "containers: what they write, its size, diff and export: the same bytes from every driver" {
    command -v setfattr >/dev/null || skip "needs the program setfattr"
    for d in $DRIVERS; do
        commit - base.tar
        tool create one "$chain" >/dev/null
        run tool create one "$chain"
        grep -q 'error conflict' <<<"$output"
        [ "$(tool size one)" = 0 ]
        tool diff one 2>/dev/null >"$T/diff"
        [ -z "$(tar -tf "$T/diff")" ]
        inside one change
        tool diff one 2>/dev/null >"$T/diff"
        same_diff
        tool export one 2>/dev/null >"$T/export"
        same "$T/export.all" "$T/export"
        # Committed and given to another container, it is the same tree.
        parent=$chain
        cp "$T/diff" "$T/diff.tar"
        commit "$parent" "$T/diff.tar"
        tool create two "$chain" >/dev/null
        tool export two 2>/dev/null >"$T/export"
        tar -tvf "$T/export" | grep -v etc/hostname >"$T/two"
        diff <(tar -tvf "$T/export.all") "$T/two"
        [ "$(tool size two)" = 0 ]
        tool delete one
        tool delete one
        tool delete two
        [ -z "$(ls "$(data "$d")/containers")" ]
        is_tidy
    done
}

# A directory that was removed and made again hides all that was in it, or hides each name: that is all in which diffs may differ.
same_diff() {
    same "$T/diff.all" "$T/diff"
    local size
    size=$(tool size one)
    [ -n "${sizes:-}" ] || sizes=$size
    [ "$size" = "$sizes" ] || { echo "$d: size $size, not $sizes"; return 1; }
    [ "$(tar -tf "$T/diff" | paste -sd' ')" = "big/ big/.wh..wh..opq big/file block etc/ etc/added etc/.wh.hostname etc/passwd made/ made/deep/ made/deep/file made/link made/pipe made/second .wh.odd opt/ tail tail2" ]
}

@test "files are read, looked at and mounted" {
    for d in $DRIVERS; do
        commit - base.tar change.tar
        tool create c "$chain" >/dev/null
        [ "$(tool cat c /etc/../etc//new)" = new ]
        [ "$(tool cat c /bin/tool | head -c 4)" = tool ]
        run tool cat c etc/gone
        grep -q 'error not found' <<<"$output"
        [ "$(tool stat c turned | cut -d' ' -f1,3)" = "100644 10" ]
        [ "$(tool stat c opt)" = "40700 0 $(tool stat c opt | cut -d' ' -f3)" ]
        [ "$(tool mount c etc/new)" = new ]
        run tool mount c many/0001
        [ "$status" = 1 ]
        tool create empty - >/dev/null
        [ "$(tool stat empty /etc/hosts | cut -d' ' -f1)" = 100755 ]
        tool delete c
        tool delete empty
        is_tidy
    done
}

@test "many layers, removed one after the other" {
    local files
    for d in $DRIVERS; do
        chain=- all=
        for first in $(seq 0 60 $((LAYERS - 1))); do
            files=$(for i in $(seq $first $((first + 59 < LAYERS ? first + 59 : LAYERS - 1))); do echo "step$i.tar"; done)
            # shellcheck disable=SC2086
            commit "$chain" $files
            all="$all $chains"
        done
        [ "$(tool list | wc -l)" = "$LAYERS" ]
        tool flat "$chain" >"$T/flat" 2>/dev/null
        same "$T/flat.all" "$T/flat"
        [ "$(tar -xOf "$T/flat" last)" = $((LAYERS - 1)) ]
        [ "$(tar -tf "$T/flat" | grep -c '^steps/.')" = 10 ]
        tool create c "$chain" >/dev/null
        [ "$(tool cat c last)" = $((LAYERS - 1)) ]
        inside c sh -c 'echo mine >last; rm steps/'$((LAYERS - 5))
        [ "$(tool cat c last)" = mine ]
        tool delete c
        lowest=$(head -n 1 <<<"${all# }" | cut -d' ' -f1)
        run tool remove "$lowest"
        grep -q 'error conflict: .* is in use' <<<"$output"
        # shellcheck disable=SC2086
        tool remove_all $(printf '%s\n' $all | tac)
        [ -z "$(tool list)" ]
        is_tidy
    done
}

@test "a store is found again after a kill" {
    for d in $DRIVERS; do
        commit - base.tar
        top=$chain
        STAGE_ONLY=1 tool commit "$top" change.tar
        for delay in 0.01 0.03 0.06 0.1; do
            tool_exec commit "$top" change.tar again.tar step0.tar step1.tar >/dev/null 2>&1 &
            sleep "$delay"
            kill -KILL $! 2>/dev/null || :
            wait $! 2>/dev/null || :
            tool_exec create k "$top" >/dev/null 2>&1 &
            sleep "$delay"
            kill -KILL $! 2>/dev/null || :
            wait $! 2>/dev/null || :
            eventually tool delete k # what it had started may still be writing
        done
        commit "$top" change.tar again.tar
        tool flat "$chain" >"$T/flat" 2>"$T/why" || { echo "$d"; cat "$T/why"; return 1; }
        same "$T/flat.all" "$T/flat"
        tool create k "$chain" >/dev/null
        [ "$(tool cat k etc/gone)" = back ]
        tool delete k
        is_tidy
    done
}

@test "a store belongs to one driver" {
    for d in $DRIVERS; do
        other=vfs
        [ "$d" != vfs ] || other=overlay2
        tool list
        DRIVER=$other tool list
        tool list
        commit - base.tar
        run env DRIVER=$other "$KEG_BUILD/tests/storage-tool" "$(data "$d")" "$KEG_BUILD/keg-layer" list
        [ "$status" = 1 ]
        grep -q "error conflict: .* is used with the storage driver $d, .* --storage-driver $d" <<<"$output"
        [ "$(DRIVER= tool list | wc -l)" = 1 ]
        tool flat "$chain" >/dev/null 2>&1
    done
    d=overlay2
    run env DRIVER=nonsense "$KEG_BUILD/tests/storage-tool" "$(data $d)" "$KEG_BUILD/keg-layer" list
    grep -q 'error invalid: driver not supported: nonsense (there are overlay2, vfs, btrfs, erofs)' <<<"$output"
    run "$KEG_BUILD/kegd" --validate --storage-driver nonsense
    [ "$status" = 1 ]
    grep -q 'driver not supported: nonsense (there are overlay2, vfs, btrfs, erofs)' <<<"$output"
    "$KEG_BUILD/kegd" --validate --storage-driver overlay
    run env DRIVER=btrfs "$KEG_BUILD/tests/storage-tool" "$T/new" "$KEG_BUILD/keg-layer" list
    grep -q 'error invalid: the btrfs driver needs its data root on btrfs' <<<"$output"
}

@test "erofs: images are sound, and a damaged one is refused" {
    [[ " $DRIVERS " = *" erofs "* ]] || skip "this kernel has no EROFS"
    d=erofs
    commit - base.tar change.tar again.tar
    image=$(data erofs)/layers/${chain#sha256:}/image.erofs
    for file in "$(data erofs)"/layers/*/image.erofs; do
        if command -v fsck.erofs >/dev/null; then fsck.erofs "$file"; fi
        [ "$(sha256sum <"$file" | cut -d' ' -f1)" = "$(jq -r '.imageDigest[7:]' "${file%/*}/layer.json")" ]
    done
    printf X | dd of="$image" bs=1 seek=$(($(stat -c %s "$image") - 3)) conv=notrunc status=none
    run tool flat "$chain"
    [ "$status" = 1 ]
    grep -q "layer $chain: its image is damaged" <<<"$output"
    is_tidy
}

@test "erofs: where the kernel takes no file for a file system, a loop device carries it" {
    [[ " $DRIVERS " = *" erofs "* ]] || skip "this kernel has no EROFS"
    local d=overlay2
    commit - base.tar change.tar
    tool flat "$chain" >"$T/expected" 2>/dev/null
    d=erofs
    mkdir "$T/erofs"
    mount -t tmpfs none "$T/erofs" # whose files the kernel reads in a way that EROFS can't
    commit - base.tar change.tar
    tool flat "$chain" >"$T/flat" 2>/dev/null
    cmp "$T/expected" "$T/flat"
    tool create c "$chain" >/dev/null
    mkdir "$T/m"
    tool mounted c "$T/m" # a mount that keeps its layers' devices, which go with it
    losetup -nlO BACK-FILE,AUTOCLEAR,RO | grep "$T/erofs/layers/.*/image.erofs" >"$T/loops" || losetup -nl
    [ "$(awk '$2 == 1 && $3 == 1' "$T/loops" | wc -l)" = 2 ]
    umount "$T/m"
    eventually eval '[ -z "$(losetup -nlO BACK-FILE | grep "$T/erofs")" ]'
    tool delete c
    is_tidy
    umount "$T/erofs"
}

@test "btrfs: subvolumes that a container made go with it" {
    [[ " $DRIVERS " = *" btrfs "* ]] || skip "there is no btrfs"
    d=btrfs
    commit - base.tar
    tool create c "$chain" >/dev/null
    root=$(tool where c | sed -n 's/^root //p')
    btrfs subvolume create "$root/own" >/dev/null
    btrfs subvolume create "$root/own/below" >/dev/null
    echo 1 >"$root/own/below/file"
    tool delete c
    [ ! -e "$root" ]
    tool remove "$chain"
    [ -z "$(btrfs subvolume list "$W/btrfs")" ]
}

# What the mount of a container's root says.
root_mount() { keg run "$@" busybox awk '$2 == "/"' /proc/mounts; }

volatile_with_rm_alone() {
    case $d in
    overlay2 | erofs)
        root_mount --rm | grep -q volatile
        root_mount --name kept >"$T/mount"
        refute grep -q volatile "$T/mount"
        refute grep -Eq 'metacopy=on|redirect_dir=on|index=on' "$T/mount"
        ;;
    *) root_mount --name kept >"$T/mount"; refute grep -q overlay "$T/mount" ;;
    esac
    keg rm kept
}

# An archive of an image with the layers step0.tar …, on a busybox.
deep_archive() { # FILE
    local dir=$T/deep i
    mkdir "$dir"
    tar -C "$KEG_ROOT/busybox" -cf "$dir/base.tar" .
    for i in $(seq 0 $((LAYERS - 1))); do echo "step$i.tar"; done >"$T/steps"
    (cd "$W/tar" && cp $(cat "$T/steps") "$dir")
    sed -i '1i base.tar' "$T/steps"
    (cd "$dir" && xargs sha256sum <"$T/steps") | cut -d' ' -f1 | jq -R '"sha256:" + .' | jq -s '{architecture: "amd64", os: "linux", config:
        {Cmd: ["sh"]}, rootfs: {type: "layers", diff_ids: .}}' >"$dir/config.json"
    jq -R . "$T/steps" | jq -s '[{Config: "config.json", RepoTags: ["deep:latest"], Layers: .}]' >"$dir/manifest.json"
    tar -C "$dir" -cf "$1" config.json manifest.json $(cat "$T/steps")
    rm -r "$dir"
}

a_deep_image_runs() {
    deep_archive "$T/deep.tar"
    keg load -q -i "$T/deep.tar"
    [ "$(keg run --rm deep cat /last)" = $((LAYERS - 1)) ]
    [ "$(keg run --rm deep sh -c 'ls /steps | wc -l')" = 10 ]
    keg rmi deep >/dev/null
    rm "$T/deep.tar"
}

run_a_container() {
    keg run --name one busybox sh -c 'echo hi >/etc/new; rm /etc/group; mkdir /n; echo 1 >/n/a; ln /n/a /n/b; echo done'
    [ "$(keg ps -as --format '{{.Size}}' | cut -c1-2)" = 5B ]
    keg export one | tar -t | grep -qx n/b
    keg commit one changed
    [ "$(keg run --rm changed sh -c 'cat /etc/new; [ ! -e /etc/group ]; stat -c %h /n/a')" = "hi
2" ]
    keg run --rm -v filled:/etc changed true
    [ "$(keg run --rm -v filled:/mnt busybox cat /mnt/new)" = hi ]
    keg run --rm --read-only busybox sh -c '! touch /file'
    keg run -d --name long busybox sleep 1000
    keg exec long sh -c 'echo up >/up'
    kegd_kill KILL
    kegd_start --storage-driver "$d"
    [ "$(keg exec long cat /up)" = up ]
    keg system df >/dev/null
    keg system check
    keg rm -f one long
    [ "$(keg run --rm changed cat /n/b)" = 1 ]
    keg rmi changed
}

# The collector's disk is never as empty as it is told to make it: whatever may go, goes.
collect_and_prune() {
    kegd_kill TERM
    [ "$d" != btrfs ] || fallocate -l 200M "$W/btrfs/filler" # of its 3 GB
    kegd_start --storage-driver "$d" --image-gc high=1 --image-gc low=1 --image-gc min-age=0s --image-gc 'keep=busybox:*'
    tar -C "$W/tar" -c base.tar | keg import - idle >/dev/null
    eventually eval '! keg image inspect idle >/dev/null 2>&1'
    keg image inspect busybox >/dev/null
    grep -q 'removed image sha256:' "$KEG_ROOT/kegd.log"
    kegd_kill TERM
    kegd_start --storage-driver "$d"
    keg create --name user --network none busybox >/dev/null
    tar -C "$W/tar" -c base.tar | keg import - loose >/dev/null
    tar -C "$W/tar" -c change.tar | keg import - loose >/dev/null # the first has no name any more
    [ "$(keg image prune -f | grep -c '^deleted: sha256:')" = 2 ] # it and its layer
    keg image inspect loose busybox >/dev/null
    keg image prune -af | grep -q '^untagged: loose:latest$'
    [ "$(keg images -q | wc -l)" = 1 ]
    keg rm user >/dev/null
    keg image prune -af >/dev/null
    [ -z "$(find "$KEG_ROOT/data/blobs/sha256" -type f)" ]
    eventually eval '[ -z "$(find "$KEG_ROOT/data/layers" -mindepth 1 -maxdepth 1 ! -name ".*")" ]'
    keg system check -q
    rm -f "$W/btrfs/filler"
}

@test "containers from end to end, with a daemon that is killed in between" {
    for d in $DRIVERS; do
        echo "driver $d"
        KEG_ROOT=$(data "$d")
        mkdir -p "$KEG_ROOT"
        export KEG_ROOT
        kegd_start --storage-driver "$d"
        image_busybox
        [ "$(keg info --format '{{.Driver}}')" = "$d" ]
        keg info | grep -q 'Backing Filesystem: '
        run_a_container
        volatile_with_rm_alone
        if [ "$d" = overlay2 ] || [ -n "${KEG_FULL:-}" ]; then a_deep_image_runs; fi
        collect_and_prune
        KEG_KEEP=1 kegd_stop
        [ "$(grep -c " $KEG_ROOT/" /proc/self/mountinfo)" = 0 ] || { cat /proc/self/mountinfo; return 1; }
        unset KEG_ROOT
    done
}
