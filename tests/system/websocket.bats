#!/usr/bin/env bats
# attach by websocket.

setup_file() {
    load lib
    require root curl python3 nft
    kegd_start
    image_busybox
    export SOCK=$KEG_ROOT/run/keg.sock
}

teardown_file() {
    setup # the kegd that runs now
    kegd_stop
}

setup() {
    load lib
    KEGD_PID=$(cat "$KEG_ROOT/kegd.pid")
}

teardown() {
    local ids
    ids=$(keg ps -aq)
    # shellcheck disable=SC2086
    [ -z "$ids" ] || keg rm -f $ids >/dev/null
}

ws() { python3 "$BATS_TEST_DIRNAME/websocket.py" "$SOCK" "$@"; }

@test "websocket: both ways, raw bytes in frames, ended by the container's end" {
    keg run -di --name echo busybox sh -c 'read a; echo "got $a"; echo err >&2; read b; echo "then $b" | head -c 30; sleep 0.2'
    ws '/v1.51/containers/echo/attach/ws?stream=1&stdin=1&stdout=1&stderr=1' --text $'one\n' --split $'two\n' >"$BATS_TEST_TMPDIR/said"
    cat "$BATS_TEST_TMPDIR/said"
    [ "$(head -n 1 "$BATS_TEST_TMPDIR/said")" = "HTTP/1.1 101 Switching Protocols" ]
    grep -qx "got one" "$BATS_TEST_TMPDIR/said"
    grep -qx "err" "$BATS_TEST_TMPDIR/said"
    grep -qx "then two" "$BATS_TEST_TMPDIR/said"
    grep -qx '\[pong hello\]' "$BATS_TEST_TMPDIR/said"
    grep -q '\[close 1000\]' "$BATS_TEST_TMPDIR/said"
    grep -qx '\[frames of \[2\]\]' "$BATS_TEST_TMPDIR/said"
    refute grep -q $'\001' "$BATS_TEST_TMPDIR/said"
}

@test "websocket: what was said before, older versions' text frames, large messages, a terminal, detach keys" {
    keg run -d --name done busybox echo early
    keg wait done
    ws '/v1.27/containers/done/attach/ws?logs=1&stdout=1' >"$BATS_TEST_TMPDIR/said"
    grep -qx early "$BATS_TEST_TMPDIR/said"
    grep -qx '\[frames of \[1\]\]' "$BATS_TEST_TMPDIR/said"
    keg run -di --name count busybox sh -c 'head -c 300001 | wc -c; sleep 0.2'
    ws '/containers/count/attach/ws?stream=1&stdin=1&stdout=1' --large 300000 >"$BATS_TEST_TMPDIR/said"
    grep -qx 300001 "$BATS_TEST_TMPDIR/said"
    keg run -dit --name tty busybox sh
    ws '/containers/tty/attach/ws?stream=1&stdin=1&stdout=1&detachKeys=ctrl-a,z' --text $'echo "a"b\n' --await $'\nab' --text $'\001z' >"$BATS_TEST_TMPDIR/said"
    grep -q '^ab' "$BATS_TEST_TMPDIR/said"
    grep -q '\[close 1000\]' "$BATS_TEST_TMPDIR/said"
    [ "$(keg inspect -f '{{.State.Running}}' tty)" = true ]
}

@test "websocket: a client that closes or breaks the protocol leaves alone; what is no websocket is refused" {
    keg run -di --name c1 busybox cat
    ws '/containers/c1/attach/ws?stream=1&stdin=1&stdout=1' --eof | grep -q '\[close 1000\]'
    ws '/containers/c1/attach/ws?stream=1&stdin=1&stdout=1' --bad | grep -q '\[close 1002\]'
    [ "$(keg inspect -f '{{.State.Running}}' c1)" = true ]
    ws '/containers/nobody/attach/ws' | grep -q 'No such container: nobody'
    [[ "$(curl -s -w '%{http_code}' --unix-socket "$SOCK" http://keg/containers/c1/attach/ws)" == *"not websocket protocol"*400 ]]
    local before i
    before=$(ls /proc/"$KEGD_PID"/fd | wc -l)
    for i in 1 2 3 4 5; do ws '/containers/c1/attach/ws?stream=1&stdin=1&stdout=1' --eof >/dev/null; done
    eventually [ "$(ls /proc/"$KEGD_PID"/fd | wc -l)" -le $((before + 1)) ]
}

# The processor time that the container's monitor has used, in ticks.
ticks() { awk '{print $14 + $15}' "/proc/$(awk '{print $4}' "/proc/$(keg inspect -f '{{.State.Pid}}' "$1")/stat")/stat"; }
says() { [ "$(keg logs "$1")" = "$2" ]; }

@test "websocket: what was sent before the end arrives, however the client ends" {
    for end in --eof --gone --half; do
        keg run -di --name last busybox sh -c 'sleep 0.2; head -c 200014 | tail -c 9'
        ws '/containers/last/attach/ws?stream=1&stdin=1&stdout=1' --large 200004 --text $'the last\n' $end >/dev/null
        eventually says last 'the last'
        keg rm -f last
    done
}

@test "websocket: the container ends first, its streams are closed, nobody turns in circles" {
    keg run -di --name first busybox sh -c 'exec 0<&- 1>&- 2>&-; sleep 1000'
    ws '/containers/first/attach/ws?stream=1&stdin=1&stdout=1' --text $'nobody reads this\n' >"$BATS_TEST_TMPDIR/said" &
    sleep 0.2
    before=$(ticks first)
    sleep 0.4
    [ $(($(ticks first) - before)) -le 5 ]
    keg kill first
    wait $!
    grep -q '\[close 1000\]' "$BATS_TEST_TMPDIR/said"
    keg create -i --name later busybox sh -c 'echo last words; exit 3'
    ws '/containers/later/attach/ws?stream=1&stdin=1&stdout=1' --shell "'$KEG_BUILD/keg' start later" --split $'not read\n' >"$BATS_TEST_TMPDIR/said" || :
    grep -qx 'last words' "$BATS_TEST_TMPDIR/said"
    grep -q '\[close 1000\]' "$BATS_TEST_TMPDIR/said"
}

@test "websocket: it goes on without kegd, and under the next one" {
    keg run -di --name on busybox cat
    ws '/containers/on/attach/ws?stream=1&stdin=1&stdout=1' --text $'one\n' --await one --shell "kill -KILL $KEGD_PID" \
        --split $'two\n' --await two --shell ". '$BATS_TEST_DIRNAME/lib.bash'; kegd_start >/dev/null" --text $'three\n' --await three --eof >"$BATS_TEST_TMPDIR/said" &
    wait $! # which also reaps the kegd that is killed
    KEGD_PID=$(cat "$KEG_ROOT/kegd.pid")
    grep -q '\[pong hello\]' "$BATS_TEST_TMPDIR/said"
    grep -q '\[close 1000\]' "$BATS_TEST_TMPDIR/said"
    [ "$(keg inspect -f '{{.State.Running}}' on)" = true ]
}
