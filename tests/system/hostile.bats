#!/usr/bin/env bats
# Layers and images made to harm: each is refused with a sentence or stays inside, a sentinel beside it stays as it was, and
# nothing is left. And layers in the forms that other programs give them, which all have to be one tree.
# With KEG_FULL=1 thousands of layers changed by chance instead of two hundred.

setup_file() {
    load lib
    require root python3
    kegd_start
    export PYTHONDONTWRITEBYTECODE=1 PLACE=$KEG_ROOT/hostile
    mkdir -p "$PLACE"/{layers,forms,images} "$PLACE/sentinel"
    chmod 777 "$PLACE/sentinel"
    echo untouched >"$PLACE/sentinel/file"
    chmod 666 "$PLACE/sentinel/file"
    portrait >"$PLACE/before"
    local made=$BATS_TEST_DIRNAME/tools/hostile.py
    python3 "$made" layers "$PLACE/layers" "$PLACE/sentinel"
    python3 "$made" forms "$PLACE/forms"
    python3 "$made" images "$PLACE/images"
}

teardown_file() {
    load lib
    kegd_stop
}

setup() {
    load lib
    D=$(mktemp -d "$PLACE/data.XXXXXX")
    cd "$PLACE"
}

teardown() {
    cd /
    rm -rf "$D"
}

# The sentinel with everything that can be changed of it.
portrait() {
    stat -c '%n %i %f %u:%g %h %s %Y.%y %Z.%z' "$PLACE/sentinel" "$PLACE/sentinel/file"
    getfattr -d -m - "$PLACE/sentinel/file" 2>/dev/null || :
    ls -lA "$PLACE/sentinel"
    cat "$PLACE/sentinel/file"
}

untouched() { diff -u "$PLACE/before" <(portrait); }

tool() { timeout 60 "$KEG_BUILD/tests/storage-tool" "$D/data" "$KEG_BUILD/keg-layer" "$@"; }
staged() { find "$D/data/layers" -mindepth 1 -maxdepth 1 -name '.staging*' | wc -l; }
chain() { sed -n 's/^chain //p' <<<"$output"; }

# What became of a layer: an end by a signal or a forbidden system call is a hole that only didn't lead anywhere.
civil() { # NAME
    if [ "$status" = 0 ]; then
        tool remove "$(chain)"
    else
        [ "$status" = 1 ] || { echo "$1: status $status: $output"; return 1; }
        grep -q '^error invalid: ' <<<"$output" || { echo "$1: $output"; return 1; }
    fi
    untouched || { echo "$1 got out"; return 1; }
}

@test "hostile layers: refused with a sentence, or inside; nothing outside touched, nothing left" {
    local name verdict pattern wrong=0 count=0
    while read -r name verdict pattern; do
        run tool commit - "layers/$name"
        civil "$name" || wrong=$((wrong + 1))
        if [ "$verdict" = refuse ] && { [ "$status" != 1 ] || ! grep -Eq "$pattern" <<<"$output"; }; then
            echo "$name: wanted \"$pattern\": $output"
            wrong=$((wrong + 1))
        fi
        count=$((count + 1))
    done <layers/expected
    echo "$count layers, $wrong wrong"
    [ "$count" -gt 90 ]
    [ "$wrong" = 0 ]
    [ "$(staged)" = 0 ]
    [ -z "$(tool list)" ]
}

@test "hostile layers over an image whose names are links out" {
    # the lower layer's names are links to the sentinel; the upper one uses them without describing them
    PYTHONPATH=$BATS_TEST_DIRNAME/tools python3 - <<EOF
from hostile import *
s = b"$PLACE/sentinel"
write("$D", "below", sym(b"a", s) + sym(b"b", s + b"/file") + d(b"etc") + END)
write("$D", "use", entry(b"a/file", b"evil") + END)
write("$D", "hard", hard(b"c", b"b") + hard(b"etc/d", b"a/file") + END)
write("$D", "through", hard(b"e", b"a/file") + END)
write("$D", "hide", entry(b"a/.wh.file") + entry(b"a/.wh..wh..opq") + END)
EOF
    for name in use hard through hide; do
        run tool commit - "$D/below" "$D/$name"
        echo "$name: $output"
        [ "$status" = 0 ] || grep -q '^error invalid: ' <<<"$output"
        untouched
    done
}

@test "layers changed by chance: each is refused or unpacked, and no worker ever ends otherwise" {
    local count=200 seed=1 i wrong=0
    [ -z "${KEG_FULL:-}" ] || { count=5000 seed=$((RANDOM * 32768 + RANDOM)); }
    mkdir "$D/seeds"
    cp layers/* "$D/seeds"
    cp forms/{plain,v7,pax-names,gnu-names,global,base-256} "$D/seeds"
    python3 "$BATS_TEST_DIRNAME/tools/hostile.py" mutate "$D" "$seed" "$count"
    for ((i = 0; i < count; i++)); do
        run tool commit - "$D/m$i"
        civil "seed $seed, m$i" || wrong=$((wrong + 1))
    done
    echo "$count layers of seed $seed, $wrong wrong"
    [ "$wrong" = 0 ]
    [ "$(staged)" = 0 ]
}

@test "bombs end early: by the ratio, by the sum of holes, behind the archive's end" {
    python3 - "$D" <<'EOF'
import gzip, sys
with gzip.open(sys.argv[1] + "/tail.gz", "wb", 9) as file:  # behind the end nothing is written to the disk
    for _ in range(1100):
        file.write(bytes(1 << 20))
EOF
    [ "$(stat -c %s "$D/tail.gz")" -lt 2000000 ]
    MAX_RATIO=900 run tool commit - "$D/tail.gz"
    echo "$output"
    grep -q 'error invalid: the archive unpacks to more than 900 times its size' <<<"$output"
    # a hundred files of 40 MB each that are nothing but holes
    PYTHONPATH=$BATS_TEST_DIRNAME/tools python3 - "$D" <<'EOF'
from hostile import *
write(sys.argv[1], "holes", b"".join(header(b"h%d" % i, b"S", 0, magic=b"ustar  \0", patch=[(483, number(40 << 20, 12))])
                                     for i in range(100)) + END)
EOF
    MAX_BYTES=1000000000 run tool commit - "$D/holes"
    echo "$output"
    grep -q 'the files together are over the limit of 1000000000 bytes' <<<"$output"
    run tool commit - "$D/holes"
    [ "$status" = 0 ]
    [ "$(du -sm "$D/data/layers" | cut -f1)" -lt 20 ]
}

@test "one tree in every form that tar programs and builders give it" {
    local name want='' got count=0
    for name in forms/plain forms/*; do
        run tool commit - "$name"
        echo "$name: $output"
        [ "$status" = 0 ]
        got=$(python3 "$BATS_TEST_DIRNAME/tools/tree.py" describe "$D/data/layers/$(chain | cut -d: -f2)/diff")
        : "${want:=$got}"
        diff -u <(echo "$want") <(echo "$got")
        tool remove "$(chain)"
        count=$((count + 1))
    done
    [ "$(wc -l <<<"$want")" = 5 ]
    [ "$count" -gt 25 ]
}

@test "hostile images: refused with a sentence, kegd lives on, nothing is left of them" {
    local name verdict pattern wrong=0 count=0 before after
    before=$(find "$KEG_ROOT/data/blobs" "$KEG_ROOT/data/layers" -mindepth 1 ! -name '.*' | sort)
    while read -r name verdict pattern; do
        run timeout 60 keg load -q -i "images/$name"
        if [ "$status" = 0 ] || ! grep -Eqi "$pattern" <<<"$output" || ! kill -0 "$KEGD_PID"; then
            echo "$name: status $status, wanted \"$pattern\": $output"
            wrong=$((wrong + 1))
        fi
        untouched
        count=$((count + 1))
    done <images/expected
    echo "$count images, $wrong wrong"
    [ "$count" -gt 30 ]
    [ "$wrong" = 0 ]
    [ -z "$(keg images -aq)" ]
    after=$(find "$KEG_ROOT/data/blobs" "$KEG_ROOT/data/layers" -mindepth 1 ! -name '.*' | sort)
    diff -u <(echo "$before") <(echo "$after")
}

@test "CVE-2024-36620: an image without history or configuration is an image" {
    keg load -q -i images/good
    [ "$(keg history -q null:1 | wc -l)" = 1 ]
    keg inspect null:1 >/dev/null
    run keg create null:1
    [[ "$output" == *"no command specified"* ]]
    keg rmi null:1 >/dev/null
}

@test "CVE-2023-25153: a gigabyte of index.json costs kegd no memory" {
    PYTHONPATH=$BATS_TEST_DIRNAME/tools python3 - "$D" <<'EOF'
from hostile import *
with gzip.open(sys.argv[1] + "/huge.gz", "wb", 1) as file:
    file.write(header(b"index.json", size=1 << 30))
    for _ in range(1024):
        file.write(b" " * (1 << 20))
    file.write(END)
EOF
    local before after
    before=$(awk '/^VmHWM/ {print $2}' "/proc/$KEGD_PID/status")
    run timeout 100 keg load -i "$D/huge.gz"
    echo "$output"
    [ "$status" != 0 ]
    after=$(awk '/^VmHWM/ {print $2}' "/proc/$KEGD_PID/status")
    [ $((after - before)) -lt 20000 ]
    [ "$(find "$KEG_ROOT/data/blobs" -type f -size +1M | wc -l)" = 0 ]
}
