#!/usr/bin/env bats
# The layer store and its worker keg-layer: real archives in and out, hostile ones, crashes. Needs root.

setup_file() {
    load lib
    export ARCHIVES=$(mktemp -d) BUILD_DIR=${KEG_BUILD:-$BATS_TEST_DIRNAME/../../build}
    mkdir -m 755 "$ARCHIVES/sentinel"
    echo untouched >"$ARCHIVES/sentinel/file"
    python3 "$BATS_TEST_DIRNAME/tools/tarballs.py" "$ARCHIVES"
    describe "$ARCHIVES/sentinel" >"$ARCHIVES/sentinel.before"
}

teardown_file() {
    rm -rf "$ARCHIVES"
}

setup() {
    load lib
    [ "$(id -u)" = 0 ] || skip "needs root"
    D=$(mktemp -d)
    cd "$ARCHIVES"
}

teardown() {
    cd /
    if mountpoint -q "$D/small" 2>/dev/null; then umount "$D/small"; fi
    if mountpoint -q "$D/thin" 2>/dev/null; then umount "$D/thin"; fi
    rm -rf "$D"
}

tool() { "$BUILD_DIR/tests/storage-tool" "$D/data" "$BUILD_DIR/keg-layer" "$@"; }
value() { sed -n "s/^$1 //p" <<<"$output" | tail -n 1; }
diff_dir() { echo "$D/data/layers/${1#sha256:}/diff"; }
layers() { find "$D/data/layers" -mindepth 1 -maxdepth 1 ! -name .empty ! -name .scratch ! -name .driver | wc -l; }

tree() { python3 "$BATS_TEST_DIRNAME/tools/tree.py" "$@"; }
describe() { tree describe "$1"; }

commit() { # PARENT FILE…: sets $chain
    run tool commit "$@"
    echo "$output"
    [ "$status" = 0 ]
    chain=$(value chain)
}

refused() { # FILE PATTERN: an error with that text, and nothing left
    run tool commit - "$1"
    echo "$1: $output"
    [ "$status" = 1 ]
    grep -Eq "$2" <<<"$output"
    [ "$(layers)" = 0 ]
}

untouched() {
    diff -u "$ARCHIVES/sentinel.before" <(describe "$ARCHIVES/sentinel")
}

@test "plain, gzip, several gzip members with padding, and zstd give the same layer" {
    commit - base.tar
    plain=$chain
    [ "$(value compressed)" = 0 ]
    [ "$(value diff)" = "sha256:$(sha256sum <base.tar | cut -d' ' -f1)" ]
    for file in base.tar.gz members.tar.gz; do
        commit - $file
        [ "$chain" = "$plain" ]
        [ "$(value compressed)" = 1 ]
        [ "$(value blob)" = "sha256:$(sha256sum <$file | cut -d' ' -f1)" ]
        [ "$(value blob_size)" = "$(stat -c %s $file)" ]
    done
    if command -v zstd >/dev/null; then
        zstd -q -c base.tar >"$D/base.tar.zst"
        commit - "$D/base.tar.zst"
        [ "$chain" = "$plain" ]
    fi
    [ "$(layers)" = 1 ]
}

@test "the bytes received are stored as they are, and verified" {
    export BLOB_OUT=$D/blob BLOB_DIGEST=sha256:$(sha256sum <base.tar.gz | cut -d' ' -f1)
    commit - base.tar.gz
    cmp base.tar.gz "$D/blob"
    tool remove "$chain"
    export BLOB_DIGEST=sha256:$(printf %064d 0)
    refused base.tar.gz 'filesystem layer verification failed for digest sha256:0000'
    unset BLOB_DIGEST
    export DIFF_ID=sha256:$(printf %064d 0)
    refused base.tar.gz 'wrong diff id calculated on extraction'
}

@test "a tree unpacks as tar unpacks it, and packs back" {
    mkdir "$D/src" "$D/want"
    for dir in /usr/share/doc /usr/lib/python3 /usr/share/zoneinfo /etc/alternatives; do
        [ ! -d $dir ] || tar -C / -cf - "${dir#/}" 2>/dev/null | head -c 60000000 | tar -C "$D/src" -xf - 2>/dev/null || true
    done
    (cd "$D/src" && echo data >one && ln one two && ln -s one three && mkdir -m 2775 sticky && chown 12:34 sticky &&
        tree setxattr one user.note hello && truncate -s 5M sparse && echo x >>sparse)
    tar -C "$D/src" --format=pax --xattrs --sort=name -cf "$D/src.tar" .
    tar -C "$D/want" --xattrs --numeric-owner -xpf "$D/src.tar"
    commit - "$D/src.tar"
    diff -u <(describe "$D/want") <(describe "$(diff_dir "$chain")")
    tool pack "$chain" >"$D/packed.tar" 2>/dev/null
    first=$chain
    commit - "$D/packed.tar"
    diff -u <(describe "$(diff_dir "$first")") <(describe "$(diff_dir "$chain")")
    tool pack "$chain" 2>/dev/null | cmp - "$D/packed.tar"
}

@test "attributes: huge ids, times, modes, devices, names as bytes, xattrs" {
    commit - shapes.tar
    cd "$(diff_dir "$chain")"
    [ "$(stat -c %u:%g huge-id)" = 4000000000:3000000000 ]
    [ "$(stat -c %.Y time)" = 1234567890.125000000 ] || [ "$(stat -c %.3Y time)" = 1234567890.125 ]
    [ "$(stat -c %.1Y before-1970)" = -1.5 ]
    [ "$(stat -c %a:%u setuid)" = 6755:3 ]
    [ "$(stat -c %t:%T null)" = 1:3 ] && [ -c null ]
    [ "$(stat -c %t:%T disk)" = 103:11170 ] && [ -b disk ]
    [ -p fifo ]
    [ "$(cat $'dekomponiert-a\xcc\x88')" = nfd ]
    [ "$(cat $'latin-\xe4')" = bytes ]
    [ -L dangling ] && [ "$(stat -c %h dangling)" = 2 ]
    [ "$(find . -name 'nnn*' -size -2 | head -c 100 | wc -c)" = 100 ]
    tree getxattr xattr >"$D/xattrs"
    grep -q 'user.note=hello' "$D/xattrs"
    grep -q 'trusted.keep=1' "$D/xattrs"
    refute grep -Eq 'overlay|selinux' "$D/xattrs"
    tree getxattr cap | grep -q ^security.capability=
    [ "$(stat -c %s big)" = 1000003 ]
}

@test "the mode of files doesn't depend on the umask" {
    (umask 077 && tool commit - order.tar >"$D/out")
    cd "$(diff_dir "$(sed -n 's/^chain //p' "$D/out")")"
    [ "$(stat -c %a:%Y x)" = 700:1222222222 ]
    [ "$(stat -c %a:%Y x/y)" = 711:1333333333 ]
    [ "$(stat -c %a x/y/z)" = 644 ]
}

@test "sparse files keep their holes" {
    commit - sparse-gnu.tar
    file=$(diff_dir "$chain")/a
    [ "$(stat -c %s "$file")" = 1048576 ]
    [ "$(stat -c %b "$file")" -lt 64 ]
    [ "$(dd if="$file" bs=1 skip=4096 count=4 status=none)" = abcd ]
    [ "$(dd if="$file" bs=1 skip=524288 count=3 status=none)" = efg ]
    mkdir "$D/s"
    truncate -s 3M "$D/s/f"
    printf middle | dd of="$D/s/f" bs=1 seek=1500000 conv=notrunc status=none
    for form in --format=gnu --format=pax\ --sparse-version=0.0 --format=pax\ --sparse-version=0.1 --format=pax\ --sparse-version=1.0; do
        tar -C "$D/s" -S $form -cf "$D/s.tar" f
        commit - "$D/s.tar"
        cmp "$D/s/f" "$(diff_dir "$chain")/f"
        [ "$(stat -c %b "$(diff_dir "$chain")/f")" -lt 64 ]
        tool remove "$chain"
    done
}

@test "whiteouts and opaque directories" {
    commit - base.tar whiteouts.tar
    cd "$(diff_dir "$chain")"
    [ "$(stat -c %F:%t:%T etc/gone)" = "character special file:0:0" ]
    tree getxattr dir | grep -qx trusted.overlay.opaque=y
    tree getxattr usr | grep -qx trusted.overlay.opaque=y # removed, then used
    [ "$(cat usr/new)" = new ]
    [ ! -e .wh..wh.plnk ]
    tool pack "$chain" 2>/dev/null | tar -tf - >"$D/names"
    grep -qx etc/.wh.gone "$D/names"
    grep -qx dir/.wh..wh..opq "$D/names"
    tool flat "$chain" 2>/dev/null | tar -tf - >"$D/names"
    refute grep -Eq 'gone|dir/a|usr/lib|\.wh\.' "$D/names"
    grep -qx dir/c "$D/names"
}

@test "an entry replaces what was there before, of whatever kind" {
    commit - replace.tar
    cd "$(diff_dir "$chain")"
    [ "$(cat a)" = "file now" ]
    [ "$(cat b/2)" = 2 ]
    [ -d c ] && [ ! -L c ] && [ "$(cat c/3)" = 3 ]
    [ -L e ] && [ "$(cat b/5)" = 5 ] # followed, inside the layer
}

@test "what a layer needs from the layers below is settled" {
    commit - base.tar implied.tar
    cd "$(diff_dir "$chain")"
    [ "$(stat -c %a:%u:%g:%Y opt)" = 2770:7:8:1111111111 ]
    [ "$(stat -c %a:%u fresh/deep)" = 755:0 ]
    [ "$(stat -c %u .)" = 5 ] # the root as below
    [ "$(cat opt/lib-link)" = library ]
    [ "$(stat -c %a:%u:%h opt/lib-link)" = 4755:9:2 ]
    [ "$(stat -c %i opt/lib-link)" = "$(stat -c %i usr/lib/lib.so)" ]
    cd "$ARCHIVES"
    commit - link-before.tar
    [ "$(stat -c %h "$(diff_dir "$chain")/a")" = 2 ]
    rm -rf "$D/data"
    refused link-to-nothing.tar 'a: a hard link to not/there, which is neither in this layer nor below it'
}

@test "what many directories have below is settled" {
    commit - many-below.tar many-between.tar many-implied.tar
    cd "$(diff_dir "$chain")/var"
    [ "$(ls | wc -l)" = 300 ] && [ "$(cat 299/x/file)" = x ]
    expected=$(for i in {0..299}; do
        if [ $((i % 7)) = 0 ] && [ $i != 140 ]; then echo "$i 701:$i"; else echo "$i 755:0"; fi
    done)
    [ "$(stat -c '%n %a:%u' {0..299})" = "$expected" ]
}

@test "hostile archives: refused with a sentence, nothing outside touched, nothing left" {
    refused evil-dotdot.tar '\.\./sentinel/file: the name leads out of the layer'
    refused evil-dotdot-deep.tar 'the name leads out of the layer'
    refused evil-hardlink.tar 'sentinel/file' || { commit - evil-hardlink.tar; rm -rf "$D/data"; } # replaced before it was linked
    refused evil-whiteout-dotdot.tar 'a/.wh...: a whiteout of no name'
    refused evil-whiteout-dot.tar 'a/.wh..: a whiteout of no name'
    refused evil-whiteout-empty.tar 'a/.wh.: a whiteout of no name'
    refused evil-whiteout-dir.tar 'named like a whiteout'
    refused evil-device-0.tar 'etc: a device 0:0'
    refused evil-xattr-flood.tar 'more than 512 extended attributes'
    refused evil-xattr-large.tar 'user.n: a value of 70000 bytes is too long'
    refused evil-long-name.tar 'too long'
    refused evil-long-component.tar 'a part of the name is longer than 255 bytes'
    refused evil-uid.tar 'a: owner 4294967295:0 is out of range'
    refused evil-pax-number.tar 'size is no number'
    refused evil-size-negative.tar 'a: the size is negative'
    refused evil-size-huge.tar 'a: a size of .* bytes is impossible'
    refused evil-type.tar 'a: entries of type Q'
    refused evil-sparse-overlap.tar "a: the sparse map doesn't fit"
    refused evil-sparse-beyond.tar "a: the sparse map doesn't fit"
    refused evil-sparse-short.tar 'a: the sparse map tells of 3 bytes, the archive holds 7'
    refused evil-sparse-long.tar 'a: the sparse map tells of 100 bytes, the archive holds 7'
    refused evil-truncated.tar 'truncated'
    refused evil-header.tar 'no tar archive|truncated'
    refused evil-no-tar.tar 'no tar archive'
    refused evil-truncated.tar.gz 'the gzip stream is truncated'
    refused evil-checksum.tar.gz 'the gzip stream is damaged'
    refused evil-garbage.tar.gz 'garbage behind the gzip stream'
    refused evil-xz.tar 'the xz stream is damaged'
    untouched
}

@test "hostile archives that mean something inside stay inside" {
    for file in evil-absolute evil-symlink evil-symlink-rel evil-symlink-chain evil-hardlink-symlink evil-symlink-chmod \
        evil-whiteout-symlink evil-opaque-symlink; do
        run tool commit - $file.tar
        echo "$file: $output"
        grep -Eq '^chain|^error invalid' <<<"$output"
        untouched
    done
}

@test "bombs: bytes, ratio, entries" {
    MAX_BYTES=30000000 refused bomb.tar.gz 'over the limit of 30000000|more than the limit of 30000000'
    MAX_ENTRIES=100 refused many.tar 'n100: the archive has more than the limit of 100 entries'
    commit - bomb.tar.gz
}

@test "very deep trees are unpacked, packed and removed" {
    commit - deep.tar
    tool pack "$chain" 2>/dev/null | tar -tf - | grep -q 'd/d/d/x$'
    tool remove "$chain"
    [ "$(layers)" = 0 ]
}

@test "an empty archive is an empty layer" {
    commit - empty.tar
    [ "$(value entries)" = 0 ]
    [ -z "$(ls -A "$(diff_dir "$chain")")" ]
}

@test "a full disk is an error that leaves nothing" {
    mkdir -p "$D/small"
    truncate -s 24M "$D/disk"
    mkfs.ext4 -q "$D/disk"
    mount -o loop "$D/disk" "$D/small" || skip "no loop devices"
    run "$BUILD_DIR/tests/storage-tool" "$D/small/data" "$BUILD_DIR/keg-layer" commit - bomb.tar.gz
    [ "$status" = 1 ]
    grep -q 'zeros: cannot write: no space left on device' <<<"$output"
    [ "$(find "$D/small/data/layers" -name '.staging*' | wc -l)" = 0 ]
    umount "$D/small"
}

@test "a disk that can't keep what was written: every commit hears of it, not only the first that asks" {
    mkdir -p "$D/small" "$D/thin"
    mount -t tmpfs -o size=16m thin "$D/thin"
    truncate -s 64M "$D/thin/disk"
    mkfs.ext4 -q -m 0 -O ^has_journal -E nodiscard "$D/thin/disk"
    mount -o loop "$D/thin/disk" "$D/small" || { umount "$D/thin"; skip "no loop devices"; }
    head -c 6M /dev/urandom >"$D/random"
    tar -C "$D" -cf "$D/random.tar" random
    mkdir "$D/small/data"
    "$BUILD_DIR/tests/storage-tool" "$D/small/data" "$BUILD_DIR/keg-layer" list
    sync -f "$D/small"
    head -c 16M /dev/zero >"$D/thin/filler" 2>/dev/null || : # from here on the disk beneath takes nothing new
    run "$BUILD_DIR/tests/storage-tool" "$D/small/data" "$BUILD_DIR/keg-layer" apart "$D/random.tar" base.tar
    echo "$output"
    rm "$D/thin/filler"
    umount "$D/small"
    umount "$D/thin"
    [ "$(grep -c 'cannot sync .*/data/layers' <<<"$output")" = 2 ]
    refute grep committed <<<"$output"
}

@test "cancel, kill -9 of the worker, and a crash leave nothing visible" {
    mkfifo "$D/pipe"
    (cat base.tar; exec sleep 20) >"$D/pipe" 3>&- &
    feeder=$!
    run tool cancel "$D/pipe"
    kill $feeder 2>/dev/null || true
    [ "$(value consumed)" -gt 0 ]
    grep -q 'error cancelled: unpacking was cancelled' <<<"$output"
    [ "$(layers)" = 0 ]

    (cat base.tar; exec sleep 20) >"$D/pipe" 3>&- &
    feeder=$!
    "$BUILD_DIR/tests/storage-tool" "$D/data" "$BUILD_DIR/keg-layer" commit - "$D/pipe" >"$D/out" 2>&1 3>&- &
    job=$!
    for _ in $(seq 100); do
        worker=$(pgrep -P $job -x keg-layer || true)
        [ -z "$worker" ] || [ -z "$(find "$D/data/layers" -name passwd)" ] || break
        sleep 0.05
    done
    kill -9 "$worker"
    refute wait $job
    kill $feeder 2>/dev/null || true
    grep -q 'the layer worker was killed by signal 9' "$D/out"
    [ "$(layers)" = 0 ]

    # The one who started it dies: the worker doesn't go on without.
    (cat base.tar; exec sleep 20) >"$D/pipe" 3>&- &
    feeder=$!
    "$BUILD_DIR/tests/storage-tool" "$D/data" "$BUILD_DIR/keg-layer" commit - "$D/pipe" 3>&- &
    job=$!
    for _ in $(seq 100); do
        worker=$(pgrep -P $job -x keg-layer || true)
        [ -z "$worker" ] || [ -z "$(find "$D/data/layers" -name passwd)" ] || break
        sleep 0.05
    done
    kill -9 $job
    for _ in $(seq 100); do
        [ -e /proc/$worker ] || break
        sleep 0.05
    done
    [ ! -e /proc/$worker ]
    kill $feeder 2>/dev/null || true
    [ -z "$(tool list)" ]
    [ "$(layers)" = 0 ]

    STAGE_ONLY=1 tool commit - base.tar # ends between unpacking and committing
    [ "$(layers)" = 1 ]
    [ -z "$(tool list)" ]
    [ "$(layers)" = 0 ]
}

@test "layers: a stack in one go, list, refuse to remove what carries others" {
    commit - base.tar whiteouts.tar order.tar
    top=$chain
    [ "$(tool list | wc -l)" = 3 ]
    below=$(tool list | awk -v top="$top" '$1 == top { print $2 }')
    run tool remove "$below"
    [ "$status" = 1 ]
    grep -q 'error conflict: .* is in use' <<<"$output"
    tool remove "$top"
    tool remove "$below"
    [ "$(tool list | wc -l)" = 1 ]
    run tool remove "$top"
    grep -q 'error not found' <<<"$output"
    run tool commit sha256:zz base.tar
    grep -q 'error invalid' <<<"$output"
}

@test "containers: init layer, overlay mount, size, diff, export, removal" {
    commit - base.tar whiteouts.tar
    tool create web "$chain" >"$D/rootfs"
    run tool create web "$chain"
    grep -q 'error conflict' <<<"$output"
    lower=$(sed -n 's/^lower //p' "$D/rootfs" | paste -sd:)
    upper=$(sed -n 's/^upper //p' "$D/rootfs") work=$(sed -n 's/^work //p' "$D/rootfs")
    mkdir "$D/m"
    mount -t overlay overlay -o "lowerdir=$lower,upperdir=$upper,workdir=$work" "$D/m"
    (cd "$D/m" && [ -d dev/pts ] && [ -d dev/shm ] && [ -f dev/console ] && [ -d proc ] && [ -d sys ] && [ -f .dockerenv ] &&
        [ "$(readlink etc/mtab)" = /proc/mounts ] && [ -f etc/hosts ] && [ -f etc/hostname ] && [ -f etc/resolv.conf ] &&
        [ "$(stat -c %Y etc)" = 1000000000 ] && [ "$(stat -c %u .)" = 5 ] &&
        rm etc/passwd && mkdir made && printf 12345 >made/file && rm -r dir && mkdir dir && ln made/file made/second)
    umount "$D/m"
    [ "$(tool size web)" = 5 ]
    tool diff web 2>/dev/null >"$D/diff.tar"
    [ "$(tar -tf "$D/diff.tar" | paste -sd' ')" = "dir/ dir/.wh..wh..opq etc/ etc/.wh.passwd made/ made/file made/second" ]
    parent=$chain
    commit "$parent" "$D/diff.tar"
    tool export web 2>/dev/null >"$D/flat.tar"
    tar -tf "$D/flat.tar" >"$D/names"
    grep -qx made/second "$D/names"
    grep -qx .dockerenv "$D/names"
    refute grep -Eq 'passwd|dir/c|\.wh\.' "$D/names"
    tool delete web
    [ ! -e "$D/data/containers/web" ]
    tool delete web
    tool create scratch - >/dev/null
    tool export scratch 2>/dev/null | tar -tf - | grep -qx etc/hosts
}

@test "lookups in a stack follow links inside it and see whiteouts" {
    commit - base.tar
    tool create c "$chain" >/dev/null
    for path in /etc/passwd etc/abs /etc/up /etc/../etc//./passwd /lib/../../etc/passwd; do
        [ "$(tool cat c $path)" = "root:x:0:0::/root:/bin/sh" ]
    done
    [ "$(tool cat c /lib/lib.so)" = library ]
    [ "$(tool mount c lib/lib.so)" = library ]
    [ "$(tool stat c /usr/lib/lib.so)" = "104755 9 7" ]
    [ "$(tool stat c / | cut -d' ' -f1)" = 40755 ]
    run timeout 5 "$BUILD_DIR/tests/storage-tool" "$D/data" "$BUILD_DIR/keg-layer" cat c /etc/pipe
    grep -q 'error invalid: .*no regular file' <<<"$output"
    run tool cat c /etc/loop
    [ "$status" = 1 ]
    run tool cat c /etc/missing
    grep -q 'error not found' <<<"$output"
    upper=$D/data/containers/c/upper
    mkdir "$upper/etc" && mknod "$upper/etc/passwd" c 0 0
    run tool cat c /etc/passwd
    grep -q 'error not found' <<<"$output"
    ln -s "$ARCHIVES/sentinel/file" "$upper/etc/out"
    run tool cat c /etc/out
    [ "$status" = 1 ]
    tree setxattr "$upper/etc" trusted.overlay.opaque y
    run tool stat c /etc/gone
    grep -q 'error not found' <<<"$output"
    head -c 5000 /dev/zero >"$upper/etc/large"
    run tool cat c /etc/large
    grep -q 'larger than the 4096 bytes' <<<"$output"
}
