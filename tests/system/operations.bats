#!/usr/bin/env bats
# Every operation of Docker's API, its answers compared with the API's description; and what never waits.

setup_file() {
    load lib
    require root curl jq nft python3
    kegd_start
    image_busybox
}

teardown_file() {
    load lib
    kegd_stop
}

setup() {
    load lib
}

@test "operations: all of them are called, with every version of the API, and answer what they have to" {
    run python3 "$BATS_TEST_DIRNAME/../conformance/operations.py" "$KEG_ROOT/run/keg.sock" --versions
    echo "$output"
    [ "$status" = 0 ]
    [[ "${lines[-1]}" == "107 operations, "*" calls, 0 failures" ]]
}

@test "operations: list and inspect wait for no container whose monitor or processes don't answer" {
    keg run -d --name stuck --network none busybox sleep 1000
    local monitor i
    for i in /proc/[0-9]*; do
        [[ "$(readlink "$i/cwd" 2>/dev/null)" != "$KEG_ROOT/run/containers/"* ]] || monitor=${i#/proc/}
    done
    kill -STOP "$monitor"
    timeout 20 keg stop stuck >/dev/null 2>&1 3>&- & # holds its operation meanwhile
    timeout 20 keg exec stuck true >/dev/null 2>&1 3>&- &
    sleep 0.2
    timeout 3 keg ps --no-trunc | grep -q stuck
    [ "$(timeout 3 keg inspect -f '{{.State.Status}}' stuck)" = running ]
    [ "$(timeout 3 curl -s --unix-socket "$KEG_ROOT/run/keg.sock" http://keg/containers/stuck/json | jq -r .Name)" = /stuck ]
    timeout 3 keg top stuck | grep -q sleep
    timeout 3 keg stats --no-stream stuck | grep -q stuck
    timeout 3 keg cp stuck:/etc/passwd - >/dev/null
    timeout 3 keg info >/dev/null
    timeout 3 keg logs stuck
    kill -CONT "$monitor"
    keg rm -f stuck
}
