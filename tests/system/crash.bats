#!/usr/bin/env bats
# kegd is killed: what runs goes on, what was acknowledged is kept, and nothing is left behind. KEG_FULL=1: killed 200 times
# under load, otherwise 12 times.

setup_file() {
    load lib
    load census
    require root nft curl python3
    kegd_start
    image_busybox
    python3 "$BATS_TEST_DIRNAME/fake_registry.py" "$KEG_ROOT/port" >"$KEG_ROOT/registry.log" 2>&1 3>&- </dev/null &
    export REGISTRY_PID=$!
    disown
    eventually test -s "$KEG_ROOT/port"
    keg run --rm busybox true
}

teardown_file() {
    load lib
    KEGD_PID=$(cat "$KEG_ROOT/kegd.pid")
    kill "$REGISTRY_PID"
    kegd_stop
}

setup() {
    load lib
    load census
    KEGD_PID=$(cat "$KEG_ROOT/kegd.pid") # a test may have left another one than it found
    export TERMINAL_TIMEOUT=30
}

# kegd is killed; another one takes its place.
replace_kegd() {
    kegd_kill KILL
    kegd_start
}

terminal() { # FILE for what it shows, command; the script on standard input
    local shown=$1
    shift
    python3 "$BATS_TEST_DIRNAME/terminal.py" "$@" >"$shown" 2>&1 3>&-
}

pause_until() { # a line for terminal.py: waits for a file
    echo "shell for i in \$(seq 600); do [ -e $KEG_ROOT/$1 ] && break; sleep 0.05; done"
}

ROUNDS=${KEG_ROUNDS:-${KEG_FULL:+200}}
ROUNDS=${ROUNDS:-12}

@test "kill: open terminals of run -it and exec -it go on without kegd, and under the next one" {
    census another-kegd >"$KEG_ROOT/before"
    # keg run --rm -it: types before, while, after; its program ends with 9
    { echo 'expect / #'; echo 'send echo before-$((1+1))\r'; echo 'expect before-2'; echo "shell touch $KEG_ROOT/run-ready"
      pause_until killed; echo 'send echo while-$((40+2))\r'; echo 'expect while-42'; echo "shell touch $KEG_ROOT/run-while"
      pause_until replaced; echo 'send echo after-$((50+5))\r'; echo 'expect after-55'; pause_until exec-done
      echo 'send exit 9\r'
    } | terminal "$KEG_ROOT/run.txt" keg run -it --name term busybox sh &
    local run=$!
    eventually test -e "$KEG_ROOT/run-ready"
    { echo 'expect / #'; echo 'send echo before-$((1+1))\r'; echo 'expect before-2'; echo "shell touch $KEG_ROOT/exec-ready"
      pause_until killed; echo 'send echo while-$((40+2))\r'; echo 'expect while-42'; echo "shell touch $KEG_ROOT/exec-while"
      pause_until replaced; echo 'send echo after-$((50+5))\r'; echo 'expect after-55'; echo 'send exit 4\r'
    } | terminal "$KEG_ROOT/exec.txt" keg exec -it term sh &
    local exec=$!
    eventually test -e "$KEG_ROOT/exec-ready"

    kegd_kill KILL
    touch "$KEG_ROOT/killed"
    eventually test -e "$KEG_ROOT/run-while" -a -e "$KEG_ROOT/exec-while"
    kegd_start
    [ "$(keg ps --format '{{.Names}}')" = term ]
    keg inspect term | jq -e '.[0].ExecIDs | length == 1'
    touch "$KEG_ROOT/replaced"

    local status=0
    wait "$exec" || status=$?
    cat "$KEG_ROOT/exec.txt"
    [ "$status" = 4 ]
    touch "$KEG_ROOT/exec-done"
    status=0
    wait "$run" || status=$?
    cat "$KEG_ROOT/run.txt"
    [ "$status" = 9 ]
    [ "$(keg wait term)" = 9 ]
    keg rm term
    census_same "$KEG_ROOT/before" another-kegd
}

@test "kill: containers that end meanwhile have their exit codes; those of --rm are removed" {
    census another-kegd >"$KEG_ROOT/before"
    keg run -d --name code busybox sh -c 'sleep 0.3; exit 42'
    keg run -d --name hog -m 32m busybox sh -c 'sleep 0.3; x=x; while :; do x=$x$x; done'
    keg run -d --rm --name self busybox sleep 0.3
    keg run -d --name stays busybox sleep 1000
    keg run -d --name policy --restart always busybox sleep 0.5
    kegd_kill KILL
    sleep 1
    kegd_start
    [ "$(keg wait code)" = 42 ]
    [ "$(keg wait hog)" = 137 ]
    [ "$(keg inspect -f '{{.State.OOMKilled}}' hog)" = true ]
    run keg inspect self
    [ "$status" = 1 ]
    [ "$(keg inspect -f '{{.State.Running}}' stays)" = true ]
    eventually sh -c '[ "$(keg inspect -f "{{.State.Running}}" policy)" = true ]'
    keg stop -t 0 stays
    [ "$(keg inspect -f '{{.State.ExitCode}}' stays)" = 137 ]
    keg rm -f code hog stays policy
    census_same "$KEG_ROOT/before" another-kegd
}

@test "kill: wait and logs -f can be asked again; stop, kill and exec work under the next kegd" {
    census another-kegd >"$KEG_ROOT/before"
    keg run -d --name again busybox sh -c 'trap "exit 3" TERM; i=0; while :; do i=$((i+1)); echo line $i; sleep 0.1; done'
    replace_kegd
    [ "$(keg exec again echo inside)" = inside ]
    replace_kegd
    eventually sh -c 'keg logs again | grep -q "line 8"'
    keg pause again
    replace_kegd
    [ "$(keg inspect -f '{{.State.Status}}' again)" = paused ]
    keg unpause again
    keg stop again
    [ "$(keg wait again)" = 3 ]
    # no line is lost
    keg logs again | awk '{ if ($2 != NR) exit 1 }'
    keg rm again
    census_same "$KEG_ROOT/before" another-kegd
}

@test "kill: published ports work meanwhile and afterwards, and are free again in the end" {
    census another-kegd >"$KEG_ROOT/before"
    keg run -d --name web -p 8080:80 busybox sh -c 'mkdir /w; echo served >/w/index.html; exec httpd -f -p 80 -h /w'
    eventually curl -sf 127.0.0.1:8080
    kegd_kill KILL
    [ "$(curl -sf 127.0.0.1:8080)" = served ]
    kegd_start
    [ "$(curl -sf 127.0.0.1:8080)" = served ]
    run keg run -d --name other -p 8080:80 busybox sleep 1000
    [[ "$output" == *"port is already allocated"* ]]
    keg rm -f web other
    run curl -sf --max-time 2 127.0.0.1:8080
    [ "$status" != 0 ]
    keg run -d --name other -p 8080:80 busybox sleep 1000
    keg rm -f other
    census_same "$KEG_ROOT/before" another-kegd
}

@test "kill: $ROUNDS times under load, nothing acknowledged is lost and nothing is left" {
    census another-kegd >"$KEG_ROOT/before"
    python3 "$BATS_TEST_DIRNAME/crash_load.py" "$ROUNDS" "127.0.0.1:$(cat "$KEG_ROOT/port")" 3>&-
    rm -rf "$KEG_ROOT/crash"
    KEGD_PID=$(cat "$KEG_ROOT/kegd.pid")
    census_same "$KEG_ROOT/before" another-kegd
}
