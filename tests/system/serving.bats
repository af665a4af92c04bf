#!/usr/bin/env bats
# kegd afar: TLS with client certificates, SSH, contexts, sockets that others opened; slow, false and vanished clients; a
# configuration that is read again.
bats_require_minimum_version 1.5.0

setup_file() {
    load lib
    require root openssl python3
    KEG_ROOT=$(mktemp -d /var/tmp/keg-test.XXXXXX)
    export KEG_ROOT HOME=$KEG_ROOT/home PORT=23976
    mkdir -p "$HOME"
    unset KEG_CONTEXT DOCKER_CONTEXT DOCKER_HOST DOCKER_TLS_VERIFY DOCKER_CERT_PATH
    certificates
    echo '{"labels": ["a=1"]}' >"$KEG_ROOT/daemon.json"
    kegd_start -H "unix://$KEG_ROOT/run/keg.sock" -H "tcp://127.0.0.1:$PORT" --config-file "$KEG_ROOT/daemon.json" \
        --tlsverify --tlscacert "$KEG_ROOT/ca.pem" --tlscert "$KEG_ROOT/server.pem" --tlskey "$KEG_ROOT/server-key.pem"
    image_busybox
}

teardown_file() {
    load lib
    kegd_stop
}

setup() {
    load lib
    tls=(-H "tcp://127.0.0.1:$PORT" --tlsverify --tlscacert "$KEG_ROOT/ca.pem" --tlscert "$KEG_ROOT/cert.pem" --tlskey "$KEG_ROOT/key.pem")
}

# An authority, one more that nobody trusts, and what they have signed.
certificates() {
    local name ca
    cd "$KEG_ROOT" || return
    printf 'subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth,clientAuth\n' >extensions
    for name in ca other-ca; do
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$name" -days 2 -keyout "$name-key.pem" -out "$name.pem"
    done 2>openssl.log
    while read -r name ca; do
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$name" -keyout "$name-key.pem" -out "$name.csr"
        openssl x509 -req -in "$name.csr" -CA "$ca.pem" -CAkey "$ca-key.pem" -CAcreateserial -days 2 -extfile extensions -out "$name.pem"
    done <<<$'server ca\nclient ca\nstranger other-ca' 2>>openssl.log
    mv client.pem cert.pem
    mv client-key.pem key.pem
    cd - >/dev/null
}

front_pid() {
    pgrep -P "$KEGD_PID" -x keg-tls
}

@test "TLS: documents, streams and upgraded connections, half-closed ones too" {
    run -0 keg "${tls[@]}" version
    [[ $output == *"Server: keg"* ]]
    run -0 keg "${tls[@]}" run --rm -i --network none busybox cat <<<"there and back"
    [ "$output" = "there and back" ]
    run -7 keg "${tls[@]}" run --rm --network none busybox sh -c 'exit 7'
    [ "$(seq 200000 | keg "${tls[@]}" run --rm -i --network none busybox sha256sum)" = "$(seq 200000 | sha256sum)" ]
    [ "$(keg "${tls[@]}" save busybox | tar t | grep -c manifest.json)" -eq 1 ]
}

@test "TLS: the variables, and a name instead of an address" {
    DOCKER_HOST=tcp://localhost:$PORT KEG_HOST='' DOCKER_TLS_VERIFY=1 DOCKER_CERT_PATH=$KEG_ROOT run -0 keg images -q
    [ -n "$output" ]
}

@test "TLS: who has no certificate, a stranger's, trusts another, or speaks HTTP, is told so" {
    run -1 keg -H "tcp://127.0.0.1:$PORT" ps
    [[ $output == *"Client sent an HTTP request to an HTTPS server."* ]]
    run -1 keg -H "tcp://127.0.0.1:$PORT" --tlsverify --tlscacert "$KEG_ROOT/ca.pem" ps
    [[ $output == *"does it want a certificate"* ]]
    run -1 keg -H "tcp://127.0.0.1:$PORT" --tlsverify --tlscacert "$KEG_ROOT/ca.pem" --tlscert "$KEG_ROOT/stranger.pem" --tlskey "$KEG_ROOT/stranger-key.pem" ps
    [[ $output == "error during connect: "* ]]
    run -1 keg -H "tcp://127.0.0.1:$PORT" --tlsverify --tlscacert "$KEG_ROOT/other-ca.pem" ps
    [[ $output == *"tls: failed to verify certificate of 127.0.0.1: "* ]]
    run -1 keg -H "tcp://127.0.0.2:$PORT" "${tls[@]:2}" ps
    [[ $output == *"connection refused" ]]
    run -1 keg "${tls[@]}" --tlscert "$KEG_ROOT/nothing.pem" ps
    [[ $output == *"could not read certificate \"$KEG_ROOT/nothing.pem\": no such file or directory" ]]
}

@test "TLS: what meets the network is nobody, has no rights and no network of its own; another follows it" {
    local pid
    pid=$(front_pid)
    run -0 grep -E '^(Uid|CapEff|CapPrm|NoNewPrivs):' "/proc/$pid/status"
    [[ $output == *$'Uid:\t65534\t65534\t65534\t65534'* && $output == *$'CapPrm:\t0000000000000000'* && $output == *$'NoNewPrivs:\t1'* ]]
    [ "$(readlink "/proc/$pid/ns/net")" != "$(readlink "/proc/$KEGD_PID/ns/net")" ]
    kill -KILL "$pid"
    eventually keg "${tls[@]}" version
    [ "$(front_pid)" != "$pid" ]
}

@test "TLS: clients that say nothing, half of something, or leave, cost others nothing and leave nothing" {
    local before
    keg "${tls[@]}" version >/dev/null
    before=$(ls "/proc/$(front_pid)/fd" "/proc/$KEGD_PID/fd" | wc -l)
    python3 - "$PORT" "$KEG_ROOT" >"$KEG_ROOT/slow.out" <<'END' &
import signal, socket, ssl, sys
port, root = int(sys.argv[1]), sys.argv[2]
context = ssl.create_default_context(cafile=root + "/ca.pem")
context.load_cert_chain(root + "/cert.pem", root + "/key.pem")
held = []
for i in range(150):
    s = socket.create_connection(("127.0.0.1", port))
    if i % 3 == 1:
        s.send(b"\x16\x03\x01\x02")
    if i % 3 == 2:
        s = context.wrap_socket(s, server_hostname="127.0.0.1")
        s.send(b"GET /_ping HTTP/1.1\r\nHost: ")
    held.append(s)
print("held", flush=True)
signal.pause()
END
    local slow=$!
    eventually grep -q held "$KEG_ROOT/slow.out"
    run -0 timeout 5 keg "${tls[@]}" images -q
    run -0 timeout 5 keg ps -q
    kill "$slow"
    wait "$slow" || :
    same() { [ "$(ls "/proc/$(front_pid)/fd" "/proc/$KEGD_PID/fd" | wc -l)" -le "$before" ]; }
    eventually same
}

@test "TLS: readers of large answers who don't read cost others nothing, and kegd little memory" {
    rss() { awk '/^VmRSS/ {print $2}' "/proc/$1/status"; }
    local before
    keg "${tls[@]}" version >/dev/null
    before=$(($(rss "$KEGD_PID") + $(rss "$(front_pid)")))
    head -c 20000000 /dev/urandom >"$KEG_ROOT/large"
    tar -C "$KEG_ROOT" -c large | keg import - large >/dev/null
    python3 - "$PORT" "$KEG_ROOT" >"$KEG_ROOT/lazy.out" <<'END' &
import signal, socket, ssl, sys
port, root = int(sys.argv[1]), sys.argv[2]
context = ssl.create_default_context(cafile=root + "/ca.pem")
context.load_cert_chain(root + "/cert.pem", root + "/key.pem")
held = []
for i in range(20):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    s.connect(("127.0.0.1", port))
    s = context.wrap_socket(s, server_hostname="127.0.0.1")
    s.sendall(b"GET /images/large/get HTTP/1.1\r\nHost: x\r\n\r\n")
    assert s.recv(12) == b"HTTP/1.1 200"
    held.append(s)
print("held", flush=True)
signal.pause()
END
    local lazy=$!
    eventually grep -q held "$KEG_ROOT/lazy.out"
    run -0 timeout 5 keg "${tls[@]}" images -q
    run -0 timeout 10 keg "${tls[@]}" save large -o "$KEG_ROOT/large.tar"
    [ $(($(rss "$KEGD_PID") + $(rss "$(front_pid)"))) -lt $((before + 20 * 512)) ]
    kill "$lazy"
    wait "$lazy" || :
    run -0 keg rmi large
    rm "$KEG_ROOT/large" "$KEG_ROOT/large.tar"
}

@test "TCP without TLS has to be meant where others reach it; a wrong key is told at the start" {
    run -1 kegd --data-root "$KEG_ROOT/d2" --exec-root "$KEG_ROOT/r2" -H tcp://0.0.0.0:23977
    [[ $output == *"tcp://0.0.0.0:23977 without --tlsverify gives root on this machine to everyone who reaches it"* ]]
    run -1 kegd --data-root "$KEG_ROOT/d2" --exec-root "$KEG_ROOT/r2" -H tcp://0.0.0.0:23977 --tlsverify \
        --tlscacert "$KEG_ROOT/ca.pem" --tlscert "$KEG_ROOT/server.pem" --tlskey "$KEG_ROOT/key.pem"
    [[ $output == *"key \"$KEG_ROOT/key.pem\" cannot be used: key values mismatch"* || $output == *"don't belong together"* ]]
    run -1 kegd --data-root "$KEG_ROOT/d2" --exec-root "$KEG_ROOT/r2" -H tcp://127.0.0.1:23977 --tls --tlscert "$KEG_ROOT/none" --tlskey "$KEG_ROOT/key.pem"
    [[ $output == *"could not read certificate"*"no such file"* ]]
}

@test "--validate tells what the start would refuse: files of TLS, groups, drivers, open addresses" {
    local validate=("$KEG_BUILD/kegd" --validate --config-file "$KEG_ROOT/empty.json")
    echo '{}' >"$KEG_ROOT/empty.json"
    run -0 "${validate[@]}" --tlsverify --tlscacert "$KEG_ROOT/ca.pem" --tlscert "$KEG_ROOT/server.pem" --tlskey "$KEG_ROOT/server-key.pem" -H tcp://0.0.0.0
    [ "$output" = "configuration OK" ]
    run -1 "${validate[@]}" --tlsverify --tlscacert "$KEG_ROOT/ca.pem" --tlscert "$KEG_ROOT/server.pem" --tlskey "$KEG_ROOT/key.pem"
    [[ $output == "kegd: invalid TLS configuration (--tlscacert, --tlscert, --tlskey): "* ]]
    run -1 "${validate[@]}" --tlsverify
    [[ $output == *"could not read CA certificate \"$HOME/.docker/ca.pem\": no such file or directory" ]]
    run -1 "${validate[@]}" -H tcp://0.0.0.0:2375
    [[ $output == *"tcp://0.0.0.0:2375 without --tlsverify gives root"* ]]
    run -1 "${validate[@]}" --group no-such-group
    [[ $output == *"group no-such-group not found: create it with groupadd"* ]]
    run -1 "${validate[@]}" --log-opt nonsense=1
    [[ $output == *"unknown log opt 'nonsense' for json-file log driver"* ]]
    run -1 kegd --data-root "$KEG_ROOT/d5" --exec-root "$KEG_ROOT/r5" --bip 1.2.3
    [[ $output == *'invalid argument "1.2.3" for "--bip" flag: invalid CIDR address: 1.2.3'* ]]
    [ ! -e "$KEG_ROOT/d5" ]
}

@test "contexts: docker's own store; in use by name, by variable, by option, with their certificates" {
    run -0 keg context create far --description "far away" \
        --docker "host=tcp://127.0.0.1:$PORT,ca=$KEG_ROOT/ca.pem,cert=$KEG_ROOT/cert.pem,key=$KEG_ROOT/key.pem"
    [ "$output" = $'far\nSuccessfully created context "far"' ]
    local hash
    hash=$(printf far | sha256sum | cut -d' ' -f1)
    [ "$(cat "$HOME/.docker/contexts/meta/$hash/meta.json")" = \
        '{"Name":"far","Metadata":{"Description":"far away"},"Endpoints":{"docker":{"Host":"tcp://127.0.0.1:'$PORT'","SkipTLSVerify":false}}}' ]
    [ "$(stat -c %a "$HOME/.docker/contexts/tls/$hash/docker/key.pem")" = 600 ]
    run -0 keg -c far images -q
    [ -n "$output" ]
    export KEG_HOST=
    DOCKER_CONTEXT=far run -0 keg images -q
    [ -n "$output" ]
    run -0 keg context use far
    [ "$output" = $'far\nCurrent context is now "far"' ]
    [ "$(keg context show)" = far ]
    run -0 keg images -q
    [ -n "$output" ]
    run -0 keg context ls
    [[ ${lines[0]} == "NAME"*"DESCRIPTION"*"DOCKER ENDPOINT"*"ERROR"* && $output == *"far *"*"far away"*"tcp://127.0.0.1:$PORT"* ]]
    [ "$(keg context ls -q | paste -sd ' ')" = "default far" ]
    [ "$(keg context inspect --format '{{.Name}} {{.TLSMaterial.docker}}')" = "far [ca.pem cert.pem key.pem]" ]
    KEG_HOST=unix://$KEG_ROOT/run/keg.sock run -0 keg context ls
    [[ $output == *"default *"*"Warning: KEG_HOST environment variable overrides the active context."* ]]
    run -1 keg context rm far
    [ "$output" = 'context "far" is in use, set -f flag to force remove' ]
    run -0 keg context export far "$KEG_ROOT/far.tar"
    run -0 keg context import copy "$KEG_ROOT/far.tar"
    [ "$output" = $'copy\nSuccessfully imported context "copy"' ]
    run -0 keg -c copy images -q
    [ -n "$output" ]
    run -0 keg context update copy --docker host=tcp://127.0.0.1:1
    [ "$(keg context inspect copy --format '{{.Endpoints.docker.Host}} {{.TLSMaterial}}')" = "tcp://127.0.0.1:1 map[]" ]
    run -0 keg context rm -f far copy
    [ "$(keg context ls -q)" = default ]
    [ "$(keg context show)" = default ]
}

@test "contexts: mistakes have docker's words" {
    run -1 keg context create a
    [ "$output" = 'context name "a" is invalid, names are validated against regexp "^[a-zA-Z0-9][a-zA-Z0-9_.+-]+$"' ]
    run -1 keg context create default
    [ "$output" = '"default" is a reserved context name' ]
    run -1 keg context create aa --docker foo=1
    [ "$output" = 'unable to create docker endpoint config: unrecognized config key: foo' ]
    run -125 keg context create aa --docker foo
    [ "${lines[0]}" = 'invalid argument "foo" for "--docker" flag: foo must be formatted as key=value' ]
    run -1 keg context create aa --docker host=tcp://x,ca="$KEG_ROOT/extensions"
    [[ $output == *"failed to retrieve context tls info: ca.pem seems invalid" ]]
    [ ! -e "$HOME/.docker/contexts/tls/$(printf aa | sha256sum | cut -d' ' -f1)" ]
    run -1 keg context rm nothing
    [ "$output" = 'context "nothing" does not exist' ]
    run -1 keg -c nothing ps
    [[ $output == 'Failed to initialize: unable to resolve docker endpoint: context "nothing": context not found: '* ]]
    run -1 keg -c nothing -H tcp://x ps
    [ "$output" = 'conflicting options: cannot specify both --host and --context' ]
    run -1 keg context import bb "$KEG_ROOT/extensions"
    [[ $output == *"EOF"* ]]
}

@test "SSH: both ends by way of dial-stdio; what ssh is told, and how it ended" {
    mkdir -p "$KEG_ROOT/bin"
    cat >"$KEG_ROOT/bin/ssh" <<END
#!/bin/sh
echo "\$@" >"$KEG_ROOT/ssh.said"
[ -z "\$SSH_FAILS" ] || exit 255
for last; do :; done
PATH=$KEG_BUILD:\$PATH exec sh -c "\$last"
END
    chmod +x "$KEG_ROOT/bin/ssh"
    export PATH=$KEG_ROOT/bin:$PATH
    run -0 keg -H "ssh://me@there:2222$KEG_ROOT/run/keg.sock" run --rm -i --network none busybox cat <<<"by ssh"
    [ "$output" = "by ssh" ]
    [[ $(cat "$KEG_ROOT/ssh.said") == "-o ConnectTimeout=30 -T -l me -p 2222 -- there sh -c 'command -v keg"*"system dial-stdio'" ]]
    SSH_FAILS=1 run -1 keg -H ssh://there ps
    [[ $output == *"error during connect: ssh has exited with exit status 255"* ]]
    run -1 keg -H "ssh://-oProxyCommand=x" ps
    [[ $output == *"unable to parse docker host"* ]]
}

@test "sockets that a service manager opened; their group and mode are its own" {
    cat >"$KEG_ROOT/activate.py" <<'END'
import os, socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen()
os.dup2(s.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="api")
os.execv(sys.argv[2], sys.argv[2:])
END
    python3 "$KEG_ROOT/activate.py" "$KEG_ROOT/activated.sock" "$KEG_BUILD/kegd" --data-root "$KEG_ROOT/d3" --exec-root "$KEG_ROOT/r3" \
        --bridge none -H fd://api >"$KEG_ROOT/fd.log" 2>&1 3>&- </dev/null &
    local pid=$!
    eventually keg -H "unix://$KEG_ROOT/activated.sock" version
    kill "$pid"
    wait "$pid" || :
    run -1 kegd --data-root "$KEG_ROOT/d3" --exec-root "$KEG_ROOT/r3" --bridge none -H fd://
    [[ $output == *"no sockets found via socket activation"* ]]
}

@test "the socket is its group's, and nobody else's; info tells how kegd is set up" {
    mkdir "$KEG_ROOT/cdi"
    echo '{"cdiVersion":"0.6.0","kind":"vendor.com/thing","devices":[{"name":"b","containerEdits":{}},{"name":"a","containerEdits":{}}]}' >"$KEG_ROOT/cdi/x.json"
    HTTPS_PROXY=http://me:secret@proxy:3128 kegd --data-root "$KEG_ROOT/d4" --exec-root "$KEG_ROOT/r4" --bridge none --group 4321 \
        -H "unix://$KEG_ROOT/r4/keg.sock" -H tcp://127.0.0.1:23978 --seccomp-profile unconfined --no-new-privileges --label a=1 \
        --default-address-pool base=10.200.0.0/16,size=24 --cdi-spec-dir "$KEG_ROOT/cdi" --insecure-registry z:1 --insecure-registry 10.9.0.0/16 >"$KEG_ROOT/group.log" 2>&1 3>&- </dev/null &
    local pid=$!
    eventually test -S "$KEG_ROOT/r4/keg.sock"
    eventually keg -H "unix://$KEG_ROOT/r4/keg.sock" version
    [ "$(stat -c '%a %u %g' "$KEG_ROOT/r4/keg.sock")" = "660 0 4321" ]
    [ "$(stat -c '%a %u %g' "$KEG_ROOT/run/keg.sock")" = "600 0 0" ]
    chmod 755 "$KEG_ROOT"
    run -0 setpriv --reuid 4321 --regid 4321 --clear-groups "$KEG_BUILD/keg" -H "unix://$KEG_ROOT/r4/keg.sock" version
    run -1 setpriv --reuid 4321 --regid 1 --clear-groups "$KEG_BUILD/keg" -H "unix://$KEG_ROOT/r4/keg.sock" version
    [[ $output == *"permission denied while trying to connect"* ]]
    run -0 keg -H "unix://$KEG_ROOT/r4/keg.sock" info
    local part
    for part in $' CDI spec directories:\n  '"$KEG_ROOT/cdi"$'\n Discovered Devices:\n  cdi: vendor.com/thing=a\n  cdi: vendor.com/thing=b' \
        $'  seccomp\n   Profile: unconfined\n  cgroupns\n  no-new-privileges\n' $' HTTPS Proxy: http://xxxxx:xxxxx@proxy:3128\n' \
        $' Labels:\n  a=1\n' $' Insecure Registries:\n  z:1\n  10.9.0.0/16\n  ::1/128\n  127.0.0.0/8\n' \
        $' Default Address Pools:\n   Base: 10.200.0.0/16, Size: 24\n' \
        $'WARNING: API is accessible on http://127.0.0.1:23978 without encryption.\n         Access to the remote API is equivalent' \
        'WARNING: daemon is not using the default seccomp profile'; do
        [[ $output == *"$part"* ]] || { echo "not there: $part"; false; }
    done
    kill "$pid"
    wait "$pid" || :
}

@test "SIGHUP: labels, registries and the log's level change, and an event says so; a wrong file changes nothing" {
    local since
    [ "$(keg info --format '{{.Labels}} {{.Debug}}')" = "[a=1] false" ]
    since=$(date +%s)
    echo '{"labels": ["b=2"], "debug": true, "registry-mirrors": ["https://mirror.example"], "max-concurrent-downloads": 7}' >"$KEG_ROOT/daemon.json"
    kill -HUP "$KEGD_PID"
    changed() { [ "$(keg info --format '{{.Labels}} {{.Debug}} {{.RegistryConfig.Mirrors}}')" = "[b=2] true [https://mirror.example/]" ]; }
    eventually changed
    run -0 keg events --since "$since" --until "$(($(date +%s) + 1))" --filter type=daemon --format '{{json .Actor.Attributes}}'
    [[ $output == *'"labels":"[\"b=2\"]"'* && $output == *'"debug":"true"'* && $output == *'"max-concurrent-downloads":"7"'* && $output == *'"shutdown-timeout":"15"'* ]]
    echo '{"labels": 5}' >"$KEG_ROOT/daemon.json"
    kill -HUP "$KEGD_PID"
    eventually grep -q "configuration not reloaded" "$KEG_ROOT/kegd.log"
    changed
}

@test "SIGHUP: certificates are read again; who is connected stays so, a wrong one changes nothing" {
    local subject followed old follower
    subject() { openssl s_client -connect "127.0.0.1:$PORT" -cert "$KEG_ROOT/cert.pem" -key "$KEG_ROOT/key.pem" </dev/null 2>/dev/null | sed -n 's/^subject=//p'; }
    old=$(front_pid)
    [ "$(subject)" = "CN = server" ]
    keg "${tls[@]}" events >"$KEG_ROOT/followed" 3>&- &
    follower=$!
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=renewed" -keyout "$KEG_ROOT/new-key.pem" -out "$KEG_ROOT/new.csr" 2>>"$KEG_ROOT/openssl.log"
    openssl x509 -req -in "$KEG_ROOT/new.csr" -CA "$KEG_ROOT/ca.pem" -CAkey "$KEG_ROOT/ca-key.pem" -CAcreateserial -days 2 -extfile "$KEG_ROOT/extensions" -out "$KEG_ROOT/new.pem" 2>>"$KEG_ROOT/openssl.log"
    echo '{}' >"$KEG_ROOT/daemon.json"
    follows() { keg network create followed-"$RANDOM" >/dev/null; grep -q followed- "$KEG_ROOT/followed"; }
    eventually follows
    cp "$KEG_ROOT/server.pem" "$KEG_ROOT/kept.pem"
    cp "$KEG_ROOT/new.pem" "$KEG_ROOT/server.pem"
    kill -HUP "$KEGD_PID" # the key isn't this certificate's
    eventually grep -q "configuration not reloaded: invalid TLS" "$KEG_ROOT/kegd.log"
    [ "$(subject)" = "CN = server" ]
    cp "$KEG_ROOT/new-key.pem" "$KEG_ROOT/server-key.pem"
    kill -HUP "$KEGD_PID"
    renewed() { [ "$(subject)" = "CN = renewed" ]; }
    eventually renewed
    run -0 keg "${tls[@]}" version
    followed=$(wc -l <"$KEG_ROOT/followed")
    keg network create afterwards >/dev/null
    more() { [ "$(wc -l <"$KEG_ROOT/followed")" -gt "$followed" ]; }
    eventually more
    [ -d "/proc/$old" ]
    kill "$follower"
    wait "$follower" || :
    gone() { [ ! -d "/proc/$old" ]; }
    eventually gone
    [ "$(front_pid | wc -l)" -eq 1 ]
    keg network prune -f >/dev/null
}

@test "docker's client: TLS, and a context that keg made" {
    [ -z "$(missing docker)" ] || skip "$(missing docker)"
    keg context create shared --docker "host=tcp://127.0.0.1:$PORT,ca=$KEG_ROOT/ca.pem,cert=$KEG_ROOT/cert.pem,key=$KEG_ROOT/key.pem"
    unset DOCKER_HOST
    [ "$(docker --context shared run --rm -i --network none busybox cat <<<"shared")" = shared ]
    [ "$(docker context inspect shared --format '{{.Endpoints.docker.Host}}')" = "tcp://127.0.0.1:$PORT" ]
    docker context update shared --description "by docker"
    [ "$(keg context ls --format '{{.Name}}={{.Description}}' | grep shared)" = "shared=by docker" ]
    docker context rm shared
    [ "$(keg context ls -q)" = default ]
}

@test "TLS: 1,000 followers at once, and nothing left of them" {
    [ -n "${KEG_FULL:-}" ] || skip "KEG_FULL=1 for the long ones"
    local before front
    front=$(front_pid)
    before=$(ls "/proc/$front/fd" "/proc/$KEGD_PID/fd" | wc -l)
    python3 - "$PORT" "$KEG_ROOT" >"$KEG_ROOT/many.out" <<'END' &
import resource, signal, socket, ssl, sys
port, root = int(sys.argv[1]), sys.argv[2]
resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
context = ssl.create_default_context(cafile=root + "/ca.pem")
context.load_cert_chain(root + "/cert.pem", root + "/key.pem")
held = []
for i in range(1000):
    s = context.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="127.0.0.1")
    s.sendall(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
    held.append(s)
print("held", flush=True)
signal.pause()
END
    local followers=$!
    for _ in $(seq 300); do
        grep -q held "$KEG_ROOT/many.out" && break
        sleep 0.1
    done
    grep -q held "$KEG_ROOT/many.out"
    run -0 timeout 5 keg "${tls[@]}" images -q
    [ "$(awk '/^VmRSS/ {print $2}' "/proc/$KEGD_PID/status")" -lt 40960 ]
    kill "$followers"
    wait "$followers" || :
    same() { [ "$(ls "/proc/$front/fd" "/proc/$KEGD_PID/fd" | wc -l)" -le "$before" ]; }
    eventually same
}

@test "the unit for systemd is understood by it, and names the installed program" {
    command -v systemd-analyze >/dev/null || skip "needs the program systemd-analyze"
    grep -qx 'ExecStart=/.*/bin/kegd' "$KEG_BUILD/kegd.service"
    sed "s#^ExecStart=.*#ExecStart=$KEG_BUILD/kegd#" "$KEG_BUILD/kegd.service" >"$BATS_TEST_TMPDIR/kegd.service"
    run -0 systemd-analyze verify --man=no "$BATS_TEST_TMPDIR/kegd.service"
    [ -z "$output" ]
}
