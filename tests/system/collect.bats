#!/usr/bin/env bats
# Automatic collection of images: on a small disk, the one that was idle the longest goes first.

setup_file() {
    load lib
    require root curl jq
    export KEG_ROOT KEG_HOST
    KEG_ROOT=$(mktemp -d /var/tmp/keg-test.XXXXXX)
    KEG_HOST=unix://$KEG_ROOT/run/keg.sock
    mkdir "$KEG_ROOT/data"
    mount -t tmpfs -o size=100m none "$KEG_ROOT/data"
}

teardown_file() {
    load lib
    KEGD_PID=$(cat "$KEG_ROOT/kegd.pid")
    KEG_KEEP=1 kegd_stop
    umount "$KEG_ROOT/data"
    rm -rf "$KEG_ROOT"
}

setup() {
    load lib
}

image() { # of 10 MB, twice on the disk: as a blob and unpacked
    mkdir -p "$KEG_ROOT/tree"
    head -c 10000000 /dev/urandom >"$KEG_ROOT/tree/noise"
    tar -C "$KEG_ROOT/tree" -c noise | keg import -c 'CMD ["/noise"]' - "$1" >/dev/null
}

@test "collect: settings that make no sense are refused" {
    local setting
    for setting in high=0 high=100 high=x low=5 high=50,low=60 min-age=soon colour=red; do
        run "$KEG_BUILD/kegd" --validate $(sed 's/^/--image-gc /; s/,/ --image-gc /' <<<"$setting") $([[ $setting == min* ]] && echo --image-gc high=80)
        echo "$setting: $output"
        [ "$status" = 1 ]
        [[ "$output" == *image-gc* ]]
    done
    "$KEG_BUILD/kegd" --validate --image-gc high=85
}

@test "collect: what is idle goes from the oldest on; kept names and containers' images stay" {
    kegd_start --bridge none --image-gc high=70 --image-gc low=65 --image-gc min-age=0s --image-gc 'keep=base:*'
    image base:1
    image used
    image old
    keg create --name user --network none used >/dev/null
    [ "$(keg images -q | wc -l)" = 3 ]
    image new # the fourth: 80 of 100 MB
    eventually eval '! keg inspect old >/dev/null 2>&1'
    keg inspect base:1 used >/dev/null
    eventually eval '[ "$(df --output=pcent "$KEG_ROOT/data" | tr -dc 0-9)" -le 65 ]'
    grep -q 'removed image sha256:' "$KEG_ROOT/kegd.log"
}

@test "collect: without the setting nothing goes" {
    KEGD_PID=$(cat "$KEG_ROOT/kegd.pid")
    kegd_kill TERM
    kegd_start --bridge none
    local n
    n=$(keg images -q | wc -l)
    image more || :
    image evenmore || :
    [ "$(keg images -q | wc -l)" -gt "$n" ]
    keg inspect base:1 used >/dev/null
}
