#!/usr/bin/env bats
# Log drivers: what they keep, where they send, and that `logs` gives it back whole, whatever happens to the files meanwhile.

bats_require_minimum_version 1.5.0

setup_file() {
    load lib
    require root curl python3
    kegd_start
    image_busybox
}

teardown_file() {
    load lib
    KEGD_PID=$(cat "$KEG_ROOT/kegd.pid") # the last test starts another
    kegd_stop
}

setup() {
    load lib
    WORK=$(mktemp -d "$KEG_ROOT/work.XXXXXX")
    RECEIVERS=
}

teardown() {
    local list
    # shellcheck disable=SC2086
    [ -z "$RECEIVERS" ] || kill $RECEIVERS 2>/dev/null || :
    list=$(keg ps -aq)
    # shellcheck disable=SC2086
    [ -z "$list" ] || keg rm -f $list >/dev/null
}

# start NAME OPTIONS… -- COMMAND: in the background, without a network
start() {
    local name=$1
    shift
    local options=()
    while [ "$1" != -- ]; do options+=("$1"); shift; done
    shift
    keg run -d --name "$name" --network none "${options[@]}" busybox sh -c "$*" >/dev/null
}

# finished NAME OPTIONS… -- COMMAND: the same, until it has ended
finished() {
    start "$@"
    keg wait "$1" >/dev/null
}

# receive KIND ADDRESS FILE [hold]
receive() {
    python3 "$BATS_TEST_DIRNAME/log_receiver.py" "$@" 3>&- &
    RECEIVERS="$RECEIVERS $!"
    eventually test -e "$3.ready"
}

files_of() { # NAME PATTERN
    local id
    id=$(keg inspect -f '{{.Id}}' "$1")
    # shellcheck disable=SC2086
    ls "$KEG_ROOT/data/containers/$id/"$2 2>/dev/null
}

says() { # TEXT COMMAND…: it fails with these words
    local text=$1
    shift
    run "$@"
    [ "$status" != 0 ] || { echo "succeeded: $*"; return 1; }
    [[ $output == *"$text"* ]] || { echo "said: $output"; return 1; }
}

# Lines of a number each, from 1 on, that a shell writes in a moment.
COUNT='i=0; while [ $i -lt %s ]; do i=$((i+1)); echo "line $i of the output of a program"; done'
count() { # N
    # shellcheck disable=SC2059
    printf "$COUNT" "$1"
}
expected() { # FROM TO
    seq -f 'line %.0f of the output of a program' "$1" "$2"
}

@test "options: what Docker refuses is refused in its words" {
    create() { keg create "$@" busybox true; }
    says "error looking up logging plugin nosuch: plugin \"nosuch\" not found" create --log-driver nosuch
    says "unknown log opt 'x' for json-file log driver" create --log-opt x=1
    says "unknown log opt 'x' for log driver local" create --log-driver local --log-opt x=1
    says "unknown log opt 'x' for journald log driver" create --log-driver journald --log-opt x=1
    says "unknown log opt 'x' for syslog log driver" create --log-driver syslog --log-opt x=1
    says "logger: logging mode not supported: foo" create --log-opt mode=foo
    says "logger: max-buffer-size option is only supported with 'mode=non-blocking'" create --log-opt max-buffer-size=1m
    says "error parsing option max-buffer-size: invalid size: 'zz'" create --log-opt mode=non-blocking --log-opt max-buffer-size=zz
    says "invalid value for option cache-disabled: zz" create --log-opt cache-disabled=zz
    says "unsupported scheme: 'foo'" create --log-driver syslog --log-opt syslog-address=foo://x
    says "invalid syslog facility" create --log-driver syslog --log-opt syslog-facility=zz
    says "Invalid syslog format" create --log-driver syslog --log-opt syslog-format=zz
    says "stat /nonexist: no such file or directory" create --log-driver syslog --log-opt syslog-address=unix:///nonexist
    says "failed to initialize logging driver: invalid size: 'zz'" create --log-opt max-size=zz
    says "failed to initialize logging driver: max-size must be a positive number" create --log-opt max-size=0
    says "failed to initialize logging driver: max-file cannot be less than 1" create --log-opt max-file=0
    says "compress cannot be true when max-file is less than 2 or max-size is not set" create --log-opt max-size=1k --log-opt compress=true
    says "template: log-tag:1: unclosed action" create --log-opt 'tag={{.ID'
    says "can't evaluate field Foo" create --log-opt 'tag={{.Foo}}'
    says "error parsing regexp" create --log-opt 'env-regex=('
}

@test "kegd: a driver and options for all, which a container's own go before" {
    KEG_ROOT=$WORK/other
    mkdir "$KEG_ROOT"
    run timeout 10 "$KEG_BUILD/kegd" --data-root "$KEG_ROOT/data" --exec-root "$KEG_ROOT/run" --log-driver nosuch
    [ "$status" != 0 ]
    [[ $output == *'error looking up logging plugin nosuch'* ]]
    run timeout 10 "$KEG_BUILD/kegd" --data-root "$KEG_ROOT/data" --exec-root "$KEG_ROOT/run" --log-opt x=1
    [[ $output == *"unknown log opt 'x'"* ]]
    kegd_start --log-driver local --log-opt max-size=1m --log-opt cache-max-size=2m
    image_busybox
    keg create --name one busybox true
    keg create --name two --log-opt max-size=3m busybox true
    keg create --name three --log-driver json-file busybox true
    for name in one two three; do keg inspect -f '{{json .HostConfig.LogConfig}}' $name; done >"$WORK/got"
    [ "$(keg info -f '{{.LoggingDriver}}')" = local ]
    kegd_stop
    cat "$WORK/got"
    grep -q '"local".*"max-size":"1m"' "$WORK/got"
    grep -q '"local".*"max-size":"3m"' "$WORK/got"
    grep '"json-file"' "$WORK/got" | grep -q '"Config":{"cache-max-size":"2m"}'
    for wrong in "--log-driver nope" "--log-opt max-size=zz" "--log-driver local --log-opt bla=1"; do
        # shellcheck disable=SC2086
        run "$KEG_BUILD/kegd" --validate $wrong
        [ "$status" = 1 ]
        [[ $output == "kegd: failed to set log opts: "* ]]
    done
}

@test "json-file: without options five files of 20 MB, and no more" {
    finished big -- 'yes "$(head -c 99 /dev/zero | tr "\0" x)" | head -c 130000000; echo; echo the end'
    [ "$(files_of big '*-json.log*' | wc -l)" = 5 ]
    size=$(files_of big '*-json.log*' | xargs du -cb | tail -n 1 | cut -f1)
    [ "$size" -gt 60000000 ]
    [ "$size" -lt 101000000 ]
    [ "$(keg logs -n 1 big)" = "the end" ]
}

@test "json-file: max-size=-1 turns rotation off" {
    finished all --log-opt max-size=-1 -- 'yes "$(head -c 999 /dev/zero | tr "\0" x)" | head -c 25000000'
    [ "$(files_of all '*-json.log*' | wc -l)" = 1 ]
    [ "$(keg logs all | wc -c)" = 25000000 ]
}

@test "json-file: compress makes .gz of what was put aside; logs reads it all" {
    finished zip --log-opt max-size=50k --log-opt max-file=20 --log-opt compress=true -- \
        'i=0; while [ $i -lt 4000 ]; do i=$((i+1)); echo "line $i of the output of a program"; [ $((i % 400)) != 0 ] || sleep 0.05; done'
    [ "$(files_of zip '*.gz' | wc -l)" -ge 5 ]
    gzip -t $(files_of zip '*.gz')
    [ -z "$(files_of zip '*.new')" ]
    keg logs zip | cmp - <(expected 1 4000)
    keg logs -n 3500 zip | cmp - <(expected 501 4000)
    keg logs -n 3 zip | cmp - <(expected 3998 4000)
}

@test "json-file: labels, env, their patterns and the tag stand in each line" {
    finished tagged --label a.b=1 --label c=2 -e X_A=3 -e Y=4 --log-opt labels-regex='^a' --log-opt env=Y --log-opt env-regex='^X_' \
        --log-opt 'tag={{.Name}}/{{.ID}}/{{ .ImageName }}' -- 'echo x'
    id=$(keg inspect -f '{{.Id}}' tagged)
    grep -qF "\"attrs\":{\"X_A\":\"3\",\"Y\":\"4\",\"a.b\":\"1\",\"tag\":\"tagged/${id:0:12}/busybox\"}" "$(files_of tagged '*-json.log')"
    [ "$(keg logs --details tagged)" = "X_A=3,Y=4,a.b=1,tag=tagged%2F${id:0:12}%2Fbusybox x" ]
}


@test "follow: no line is lost or told twice, by many rotations, to a fast and to a slow reader" {
    local driver lines=20000
    local size=20k # a reader may be 256 files behind
    [ -z "${KEG_FULL:-}" ] || { lines=200000; size=200k; }
    for driver in json-file local; do
        start fast --log-driver $driver --log-opt max-size=$size --log-opt max-file=2 -- \
            "while [ ! -e /go ]; do sleep 0.02; done; $(count $lines)"
        keg logs -f fast >"$WORK/fast" 3>&- & fast=$!
        # never more than 1 MB/s
        keg logs -f fast 3>&- 2>/dev/null | python3 -c 'import os, sys, time
while data := os.read(0, 4096):
    os.write(1, data)
    time.sleep(0.004)' >"$WORK/slow" 3>&- & slow=$!
        sleep 0.2
        keg exec fast touch /go
        wait $fast
        wait $slow
        expected 1 $lines | cmp - "$WORK/fast"
        expected 1 $lines | cmp - "$WORK/slow"
        [ "$(files_of fast '*log*' | wc -l)" -gt 1 ]
        keg rm -f fast >/dev/null
    done
}

@test "local: all, the end, times, streams, details, a second start" {
    finished ll --log-driver local --label who=me --log-opt labels=who -- "$(count 30000); echo problem >&2; printf unfinished"
    [ "$(keg inspect -f '{{.LogPath}}' ll)" = "" ]
    size=$(files_of ll 'local.log*' | xargs du -cb | tail -n 1 | cut -f1)
    [ "$size" -lt 400000 ] # of 1.2 MB
    keg logs ll 2>/dev/null | head -n 30000 | cmp - <(expected 1 30000)
    [ "$(keg logs -n 1 ll)" = unfinished ]
    [ "$(keg logs -n 2 ll 2>&1 >/dev/null)" = problem ]
    [ "$(keg logs -n 0 ll)" = "" ]
    [ "$(keg logs -n 20002 ll 2>/dev/null | head -n 1)" = "line 10001 of the output of a program" ]
    [ "$(keg logs --details -n 1 ll)" = "who=me unfinished" ]
    [[ $(keg logs -t -n 1 ll) =~ ^[0-9]{4}-[0-9-]+T[0-9:]+\.[0-9]{9}Z\ unfinished$ ]]
    keg start ll >/dev/null
    keg wait ll >/dev/null
    [ "$(keg logs ll 2>/dev/null | grep -c '^line\|^unfinishedline')" = 60000 ]
    # since and until a time between lines
    at=$(keg logs -t -n 100 ll 2>/dev/null | sed -n '50s/ .*//p')
    [ "$(keg logs --since "$at" ll 2>/dev/null | head -n 1)" = "$(keg logs -n 100 ll 2>/dev/null | sed -n 50p)" ]
    [ "$(keg logs --until "$at" ll 2>/dev/null | tail -n 1)" = "$(keg logs -n 100 ll 2>/dev/null | sed -n 50p)" ]
}

@test "local: a long line is whole again, and empty ones stay" {
    finished long --log-driver local -- 'head -c 50000 /dev/zero | tr "\0" a; echo; echo; echo b'
    keg logs long | cmp - <(head -c 50000 /dev/zero | tr '\0' a; echo; echo; echo b)
}

@test "local: rotation drops whole files; the rest has no gap" {
    finished rr --log-driver local --log-opt max-size=20k --log-opt max-file=3 --log-opt compress=false -- "$(count 5000)"
    [ "$(files_of rr 'local.log*' | grep -vc tail)" = 3 ]
    keg logs rr >"$WORK/got"
    lines=$(wc -l <"$WORK/got")
    [ "$lines" -gt 500 ]
    [ "$lines" -lt 5000 ]
    expected $((5001 - lines)) 5000 | cmp - "$WORK/got"
}

@test "local: damage costs what was damaged, and kegd says so" {
    finished dd --log-driver local -- "$(count 30000)"
    log=$(files_of dd local.log)
    printf 'XXXXXXXX' | dd of="$log" bs=1 seek=20000 conv=notrunc status=none
    keg logs dd >"$WORK/got"
    grep -qx 'line 30000 of the output of a program' "$WORK/got"
    [ "$(wc -l <"$WORK/got")" -lt 30000 ]
    grep -q 'local.log is damaged' "$KEG_ROOT/kegd.log"
    head -c 40 "$log" >"$WORK/short"
    cat "$WORK/short" >"$log"
    keg logs dd >/dev/null
    printf garbage >"$log.tail"
    [ "$(keg logs dd)" = "" ]
    keg start dd >/dev/null
    keg wait dd >/dev/null
    [ "$(keg logs -n 1 dd)" = "line 30000 of the output of a program" ]
}

@test "syslog: udp, tcp, unixgram; formats, facility, tag, streams; logs reads the cache" {
    receive udp 10514 "$WORK/udp"
    finished uu --log-driver syslog --log-opt syslog-address=udp://127.0.0.1:10514 --log-opt 'tag=t/{{.Name}}' -- 'echo out; echo; echo err >&2'
    eventually grep -q err "$WORK/udp"
    [ "$(tr -dc '\036' <"$WORK/udp" | wc -c)" = 2 ] # no empty messages
    tr '\036' '\n' <"$WORK/udp" | grep -qE '^<30>[A-Z][a-z]{2} [ 0-9]{2} [0-9:]{8} t/uu\[[0-9]+\]: out$'
    tr '\036' '\n' <"$WORK/udp" | grep -qE '^<27>[A-Z][a-z]{2} [ 0-9]{2} [0-9:]{8} t/uu\[[0-9]+\]: err$'
    [ "$(keg logs uu 2>&1 | sort)" = "
err
out" ]
    receive tcp 10515 "$WORK/tcp"
    host=$(hostname)
    for format in rfc3164 rfc5424 rfc5424micro; do
        finished $format --log-driver syslog --log-opt syslog-address=tcp://localhost:10515 --log-opt syslog-format=$format \
            --log-opt syslog-facility=local7 -- "echo $format"
    done
    eventually grep -q rfc5424micro$ "$WORK/tcp"
    id=$(keg inspect -f '{{.Id}}' rfc5424)
    grep -qE "^<190>[A-Z][a-z]{2} [ 0-9]{2} [0-9:]{8} $host [0-9a-f]{12}\[[0-9]+\]: rfc3164$" "$WORK/tcp"
    grep -qE "^<190>1 [0-9-]{10}T[0-9:]{8}(Z|[+-][0-9:]{5}) $host ${id:0:12} [0-9]+ ${id:0:12} - rfc5424$" "$WORK/tcp"
    grep -qE "^<190>1 [0-9-]{10}T[0-9:]{8}\.[0-9]{6}(Z|[+-][0-9:]{5}) $host [0-9a-f]{12} [0-9]+ [0-9a-f]{12} - rfc5424micro$" "$WORK/tcp"
    receive unixgram "$WORK/gram" "$WORK/unix"
    finished gg --log-driver syslog --log-opt "syslog-address=unixgram://$WORK/gram" --log-opt cache-disabled=true -- "$(count 2000)"
    eventually grep -q 'line 2000 ' "$WORK/unix"
    [ "$(tr '\036' '\n' <"$WORK/unix" | sed -n 's/.*: line/line/p' | cmp - <(expected 1 2000); echo $?)" = 0 ]
    says "configured logging driver does not support reading" keg logs gg
    says "connection refused" keg run --network none --log-driver syslog --log-opt syslog-address=tcp://127.0.0.1:9 busybox true
}

@test "syslog over TLS: by keg-tls, which is nobody; who isn't trusted gets nothing, who was away is found again" {
    [ -z "$(missing openssl)" ] || skip "$(missing openssl)"
    up() { (exec 8<>/dev/tcp/127.0.0.1/10540) 2>/dev/null; }
    local tls="$WORK/tls" pid
    mkdir -p "$tls"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 \
        -days 2 -keyout "$tls/key.pem" -out "$tls/ca.pem" 2>"$tls/openssl"
    cat >"$tls/server.py" <<'END'
import socket, ssl, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1] + "/ca.pem", sys.argv[1] + "/key.pem")
listening = socket.socket()
listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listening.bind(("127.0.0.1", 10540))
listening.listen()
out = open(sys.argv[2], "ab", 0)
while True:
    c, _ = listening.accept()
    try:
        c = context.wrap_socket(c, server_side=True)
        while data := c.recv(65536):
            out.write(data)
    except OSError:
        pass
END
    local to=(--log-driver syslog --log-opt syslog-address=tcp+tls://localhost:10540)
    says "connection refused" keg run --network none "${to[@]}" busybox true
    python3 "$tls/server.py" "$tls" "$tls/out" 3>&- &
    pid=$!
    eventually up
    says "failed to verify certificate of localhost" keg run --network none "${to[@]}" busybox true
    says "CA certificate \"$tls/server.py\" cannot be used" keg run --network none "${to[@]}" --log-opt syslog-tls-ca-cert="$tls/server.py" busybox true
    [ ! -s "$tls/out" ]
    finished tls1 "${to[@]}" --log-opt syslog-tls-ca-cert="$tls/ca.pem" -- 'seq 2000'
    all() { [ "$(grep -c ']: [0-9]*$' "$tls/out")" -eq 2000 ]; }
    eventually all
    finished tls2 "${to[@]}" --log-opt syslog-tls-skip-verify=true -- 'echo skipped'
    eventually grep -q skipped "$tls/out"
    start tls3 "${to[@]}" --log-opt syslog-tls-ca-cert="$tls/ca.pem" -- 'echo first; while [ ! -e /go ]; do sleep 0.1; done; echo second; sleep 100'
    eventually grep -q first "$tls/out"
    run -0 grep -l 65534 $(pgrep -f 'keg-tls dial --confine' | sed 's:.*:/proc/&/status:')
    kill "$pid"
    wait "$pid" || :
    keg exec tls3 touch /go
    python3 "$tls/server.py" "$tls" "$tls/again" 3>&- &
    pid=$!
    eventually grep -q second "$tls/again"
    keg rm -f tls3
    kill "$pid"
    wait "$pid" || :
    none() { [ -z "$(pgrep -f 'keg-tls dial --confine')" ]; }
    eventually none
}

@test "syslog: a server that doesn't read holds the program back, or in non-blocking mode loses lines" {
    receive tcp 10516 "$WORK/held" hold
    held=$!
    start nb --log-driver syslog --log-opt syslog-address=tcp://127.0.0.1:10516 --log-opt mode=non-blocking \
        --log-opt max-buffer-size=100k -- "$(count 200000)"
    [ "$(timeout 20 keg wait nb)" = 0 ]
    keg logs nb | cmp - <(expected 1 200000)
    kill "$held"
    receive tcp 10517 "$WORK/free" hold
    held=$!
    start bb --log-driver syslog --log-opt syslog-address=tcp://127.0.0.1:10517 -- "$(count 200000)"
    refute timeout 2 keg wait bb
    kill -USR1 "$held"
    [ "$(timeout 20 keg wait bb)" = 0 ]
    eventually grep -q 'line 200000 ' "$WORK/free"
    sed 's/.*: line/line/' "$WORK/free" | cmp - <(expected 1 200000)
}

@test "syslog: a server that was away is found again" {
    receive tcp 10518 "$WORK/first"
    start again --log-driver syslog --log-opt syslog-address=tcp://127.0.0.1:10518 -- \
        'echo one; while [ ! -e /two ]; do sleep 0.02; done; echo two; sleep 60'
    eventually grep -q one "$WORK/first"
    # shellcheck disable=SC2086
    kill $RECEIVERS
    receive tcp 10518 "$WORK/second"
    keg exec again touch /two
    eventually grep -q two "$WORK/second"
    keg kill again >/dev/null
}

@test "journald: Docker's fields by the native socket; logs reads the cache" {
    [ ! -e /run/systemd/journal ] || skip "this machine has a journal"
    says "journald is not enabled on this host" keg run --rm --network none --log-driver journald busybox true
    mkdir -p /run/systemd/journal
    receive unixgram /run/systemd/journal/socket "$WORK/journal"
    finished jj --log-driver journald --label my.label=v --log-opt labels=my.label --log-opt 'tag={{.Name}}' -- \
        'echo hello; echo oops >&2; head -c 20000 /dev/zero | tr "\0" a'
    rm -rf /run/systemd/journal
    rmdir /run/systemd 2>/dev/null || :
    id=$(keg inspect -f '{{.Id}}' jj)
    eventually grep -q 'CONTAINER_PARTIAL_ORDINAL=2' "$WORK/journal"
    tr '\036' '\n' <"$WORK/journal" >"$WORK/entries"
    for field in MESSAGE=hello PRIORITY=6 "CONTAINER_ID=${id:0:12}" "CONTAINER_ID_FULL=$id" CONTAINER_NAME=jj CONTAINER_TAG=jj \
        IMAGE_NAME=busybox SYSLOG_IDENTIFIER=jj MY_LABEL=v MESSAGE=oops PRIORITY=3 CONTAINER_PARTIAL_MESSAGE=true; do
        grep -qx "$field" "$WORK/entries"
    done
    [ "$(grep -c '^SYSLOG_TIMESTAMP=' "$WORK/entries")" = 4 ]
    [ "$(keg logs jj 2>/dev/null | head -n 1)" = hello ]
}

@test "docker: its client reads every driver's log" {
    require docker
    receive udp 10519 "$WORK/udp"
    export DOCKER_HOST=$KEG_HOST
    for driver in json-file local syslog; do
        options=(--log-driver "$driver")
        [ $driver != syslog ] || options+=(--log-opt syslog-address=udp://127.0.0.1:10519)
        docker run -d --name "d-$driver" --network none "${options[@]}" busybox sh -c "$(count 100); sleep 0.3; echo last" >/dev/null
        docker logs -f "d-$driver" | cmp - <(expected 1 100; echo last)
        [ "$(docker logs -n 1 "d-$driver")" = last ]
        docker logs --since 1h -t "d-$driver" | tail -n 1 | grep -qE '^2[0-9]{3}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{9}Z last$'
    done
    docker run -d --name d-none --log-driver none --network none busybox true >/dev/null
    says "configured logging driver does not support reading" docker logs d-none
}

@test "kegd is killed: the log goes on, and the next one follows it" {
    start alive --log-driver local -- 'i=0; while :; do i=$((i+1)); echo $i; sleep 0.01; done'
    kegd_kill
    sleep 0.2
    kegd_start
    keg logs -f alive >"$WORK/got" 3>&- & follower=$!
    sleep 0.2
    keg kill alive >/dev/null
    wait $follower
    [ "$(wc -l <"$WORK/got")" -gt 20 ]
    seq "$(wc -l <"$WORK/got")" | cmp - "$WORK/got"
}
