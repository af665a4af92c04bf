#!/usr/bin/env bats
# Nothing is left behind: containers of every kind come and go, in a row and eight at a time, and afterwards the
# kernel, the disk and kegd itself are as they were. KEG_FULL=1: 1,000 containers, otherwise 120.

setup_file() {
    load lib
    load census
    require root nft curl
    kegd_start
    image_busybox
    mkdir "$KEG_ROOT/host"
}

teardown_file() {
    load lib
    kegd_stop
}

setup() {
    load lib
    load census
}

TURNS=${KEG_TURNS:-${KEG_FULL:+880}}
TURNS=${TURNS:-120}

# expect CODE COMMAND …
expect() {
    local want=$1 out got=0
    shift
    out=$("$@" 2>&1) || got=$?
    [ "$got" = "$want" ] || echo "exit $got instead of $want: $*: $out"
}

# One of each, told apart by $1 (which worker) and $2 (which turn).
turn() {
    local me="t$1-$2" port=$((20000 + $1))
    case $(($2 % 16)) in
    0) expect 0 keg run --rm busybox true ;;
    1) expect 7 keg run --rm --network none busybox sh -c 'exit 7' ;;
    2) expect 0 keg run --rm --network host busybox true ;;
    3) expect 0 keg run -d --name "$me" -p "$port:80" -p "$port:80/udp" busybox sleep 100
       expect 3 keg exec "$me" sh -c 'exit 3'
       expect 125 keg run --rm -p "$port:80" busybox true
       expect 0 keg rm -f "$me" ;;
    4) expect 0 keg create --name "$me" busybox sleep 100
       expect 0 keg start "$me"
       expect 0 keg stop -t 0 "$me"
       expect 0 keg start "$me"
       expect 0 keg kill "$me"
       expect 0 keg wait "$me"
       expect 0 keg rm "$me" ;;
    5) expect 0 keg run --rm -v "$me:/data" -v /anonymous -v "$KEG_ROOT/host:/host:ro" busybox touch /data/x /anonymous/x
       expect 0 keg volume rm "$me" ;;
    6) expect 0 keg run -d --name "$me" --network none busybox sleep 100
       expect 0 keg run --rm --network "container:$me" --pid "container:$me" busybox true
       expect 0 keg rm -f "$me" ;;
    7) expect 127 keg run --rm busybox no-such-program ;;
    8) expect 125 keg run --rm --mount type=bind,src=/no/such/place,dst=/x busybox true ;;
    9) expect 126 keg run --rm busybox /etc/passwd ;;
    10) expect 125 keg run --rm --pull never no-such-image true ;;
    11) expect 0 keg run --rm --init --read-only --tmpfs /tmp -m 64m --cpus 1 --pids-limit 50 busybox touch /tmp/x ;;
    12) expect 0 keg run -d --name "$me" -t busybox sleep 100
       expect 0 keg exec -d "$me" sleep 50
       expect 127 keg exec "$me" no-such-program
       expect 0 keg exec -t "$me" true
       expect 0 keg rm -f "$me" ;;
    13) expect 0 keg run -d --name "$me" --rm busybox sleep 100
       expect 0 keg pause "$me"
       expect 0 keg unpause "$me"
       expect 0 keg stop -t 0 "$me" ;;
    14) expect 0 keg network create "$me"
       expect 0 keg run --rm --network "$me" busybox true
       expect 0 keg network rm "$me" ;;
    15) expect 125 keg run --rm -u no-such-user busybox true
       expect 125 keg run --rm -w relative busybox true
       expect 125 keg create --no-such-option busybox ;;
    esac
}

@test "endurance: one container of each kind, and again, leaves nothing" {
    local i
    for i in $(seq 0 15); do turn 0 "$i"; done >"$KEG_ROOT/errors"
    cat "$KEG_ROOT/errors"
    [ ! -s "$KEG_ROOT/errors" ]
    census_before "$KEG_ROOT/before"
    for i in $(seq 16 47); do turn 0 "$i"; done >"$KEG_ROOT/errors"
    cat "$KEG_ROOT/errors"
    [ ! -s "$KEG_ROOT/errors" ]
    census_same "$KEG_ROOT/before"
}

@test "endurance: $TURNS turns, eight at a time, leave nothing and cost kegd no memory" {
    local worker i
    round() {
        for worker in 1 2 3 4 5 6 7 8; do
            (for ((i = worker; i <= $1; i += 8)); do turn "$worker" "$((i / 8 + worker + $2))"; done) 3>&- &
        done >"$KEG_ROOT/errors"
        wait
        cat "$KEG_ROOT/errors"
        [ ! -s "$KEG_ROOT/errors" ]
    }
    round $((TURNS / 4)) 0
    census_before "$KEG_ROOT/before"
    local before
    before=$(kegd_pss)
    round "$TURNS" 1000
    census_same "$KEG_ROOT/before"
    echo "PSS of kegd in kB: $before, then $(kegd_pss)"
    [ "$(kegd_pss)" -lt $((before + 1500)) ]
}
