#!/usr/bin/env bats
# What execs leave behind: found, ended if asked to; and clients that vanish.

setup_file() {
    load lib
    require root python3 curl
    kegd_start
    image_busybox
    keg run -d --name box --network none busybox sleep 1000 >/dev/null
}

teardown_file() {
    load lib
    KEGD_PID=$(cat "$KEG_ROOT/kegd.pid")
    kegd_stop
}

setup() {
    load lib
    KEGD_PID=$(cat "$KEG_ROOT/kegd.pid")
}

value() { python3 -c 'import json,sys; v=json.load(sys.stdin)[sys.argv[1]]
print(*v) if isinstance(v, list) else print(v)' "$1"; }
# exec_new CONTAINER JSON: its id
exec_new() { api POST "/containers/$1/exec" -d "$2" -H 'Content-Type: application/json' | value Id; }
exec_start() { api POST "/exec/$1/start" -d '{"Detach":true}' -H 'Content-Type: application/json'; }
exec_is() { api GET "/exec/$1/json" | value "$2"; }
ended() { [ "$(exec_is "$1" Running)" = False ]; }
left() { [ "$(exec_is "$1" LeftPids | wc -w)" = "$2" ]; }
programs() { keg top box -o pid,args | grep -c "$1"; }
programs_are() { [ "$(programs "$1")" = "$2" ]; }
none_runs() { [ "$(programs "$1")" = 0 ]; }
# The groups of execs that there are.
groups() { find /sys/fs/cgroup/ -type d -path "*$(keg inspect -f '{{.Id}}' box)/keg-exec.*" | wc -l; }
no_groups() { keg exec box true && [ "$(groups)" = 0 ]; }
# vanish EXEC: a client that starts it attached, reads a line and is gone
vanish() {
    python3 - "$KEG_ROOT/run/keg.sock" "$1" <<'EOF'
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(20)
s.connect(sys.argv[1])
body = b'{"Detach":false}'
s.sendall(b"POST /exec/%s/start HTTP/1.1\r\nHost: keg\r\nContent-Type: application/json\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
          b"Content-Length: %d\r\n\r\n%s" % (sys.argv[2].encode(), len(body), body))
data = b""
while b"ready" not in data:
    piece = s.recv(4096)
    assert piece, data
    data += piece
EOF
}

@test "exec: what it leaves behind is found, by this kegd and the next, and ended if asked" {
    id=$(exec_new box '{"Cmd":["sh","-c","(setsid sleep 3001 & setsid sleep 3002 &) </dev/null >/dev/null 2>&1; exit 7"]}')
    exec_start "$id"
    eventually ended "$id"
    [ "$(exec_is "$id" ExitCode)" = 7 ]
    left "$id" 2
    for pid in $(exec_is "$id" LeftPids); do eventually grep -z '^sleep' "/proc/$pid/cmdline"; done
    [[ $(api GET /containers/box/json | value ExecIDs) == *"$id"* ]]
    kegd_kill
    kegd_start
    left "$id" 2
    kill "$(exec_is "$id" LeftPids | cut -d' ' -f1)"
    eventually left "$id" 1
    [ "$(api POST "/keg/exec/$id/end" -o /dev/null -w '%{http_code}')" = 204 ]
    left "$id" 0
    none_runs 'sleep 300'
    [[ $(api GET /containers/box/json | value ExecIDs) != *"$id"* ]]
    # one that runs can be ended as a whole, too
    id=$(exec_new box '{"Cmd":["sh","-c","setsid sleep 3003 & setsid sleep 3004 & wait"]}')
    exec_start "$id"
    eventually programs_are '[0-9] *sleep 300[34]' 2
    left "$id" 0
    api POST "/keg/exec/$id/end"
    eventually ended "$id"
    [ "$(exec_is "$id" ExitCode)" = 137 ]
    none_runs 'sleep 300'
    [[ $(api POST /keg/exec/nobody/end) == *"No such exec instance: nobody"* ]]
    eventually no_groups
}

@test "exec: ends with its process, or its client, where it says so" {
    run keg exec --ends-with process box sh -c 'setsid sleep 3011 </dev/null >/dev/null 2>&1 & echo hello; exit 3'
    [ "$status" = 3 ]
    [ "$output" = hello ]
    none_runs 'sleep 3011'
    for bond in process client ''; do
        id=$(exec_new box '{"Cmd":["sh","-c","setsid sleep 3012 & echo ready; sleep 3013"],"AttachStdout":true,"EndsWith":"'$bond'"}')
        vanish "$id"
        if [ "$bond" = client ]; then
            eventually ended "$id"
            [ "$(exec_is "$id" ExitCode)" = 137 ]
            none_runs 'sleep 301'
        else
            [ "$(exec_is "$id" Running)" = True ]
            api POST "/keg/exec/$id/end"
            eventually ended "$id"
        fi
    done
    # with input, and a kegd that is away
    id=$(exec_new box '{"Cmd":["sh","-c","echo ready; cat; sleep 3014"],"AttachStdin":true,"AttachStdout":true,"EndsWith":"client"}')
    vanish "$id"
    eventually none_runs 'sleep 3014'
    run keg exec --ends-with never box true
    [ "$status" = 1 ]
    [[ $output == *'EndsWith "never": must be none, process or client'* ]]
    eventually no_groups
}

@test "exec: a container's label decides for all its execs, detaching is no vanishing" {
    run keg run -d --name no --network none --label keg.exec.ends-with=x busybox true
    [ "$status" != 0 ]
    [[ $output == *"label keg.exec.ends-with=x: must be none, process or client"* ]]
    keg run -d --name labelled --network none --label keg.exec.ends-with=client busybox sleep 1000
    id=$(exec_new labelled '{"Cmd":["sh","-c","echo ready; sleep 3021"],"AttachStdout":true}')
    vanish "$id"
    eventually ended "$id"
    id=$(exec_new labelled '{"Cmd":["sh","-c","echo ready; sleep 3022"],"AttachStdout":true,"EndsWith":"none"}')
    vanish "$id"
    [ "$(exec_is "$id" Running)" = True ]
    python3 "$BATS_TEST_DIRNAME/terminal.py" "$KEG_BUILD/keg" exec -it labelled sh -c 'echo here; sleep 3023' <<'EOF'
expect here
send \x10\x11
expect read escape sequence
EOF
    keg top labelled | grep 'sleep 3023'
    # a terminal whose client is killed
    python3 "$BATS_TEST_DIRNAME/terminal.py" "$KEG_BUILD/keg" exec -it labelled sh -c 'echo here; sleep 3024' <<'EOF' || :
expect here
kill KILL
EOF
    eventually bash -c "! '$KEG_BUILD/keg' top labelled | grep 'sleep 3024'"
    keg top labelled | grep 'sleep 3023'
    keg rm -f labelled
    [ "$(exec_is "$id" Running 2>/dev/null)" != True ]
}

@test "exec: many that leave nothing leave no groups, and none is in another's way" {
    for i in 1 2 3 4 5 6 7 8; do keg exec box sh -c "sleep 0.2; exit $i" & pids+=($!); done
    for i in 1 2 3 4 5 6 7 8; do
        wait "${pids[i - 1]}" || code=$?
        [ "$code" = "$i" ]
    done
    eventually no_groups
    # a restart takes all of it away
    keg exec -d box sh -c 'setsid sleep 3031 & setsid sleep 3032 &'
    eventually programs_are 'sleep 303[12]' 2
    keg restart -t 0 box
    none_runs 'sleep 303'
    [ "$(groups)" = 0 ]
}
