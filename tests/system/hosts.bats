#!/usr/bin/env bats
# hosts.toml: where registries are asked, in the order and for what it says; other headers, another base, certificates.

setup_file() {
    load lib
    load registry
    require root curl jq docker-registry openssl python3
    mkdir -p /etc/docker # in the test's own mount namespace, before kegd makes one of its own
    mount -t tmpfs none /etc/docker
    kegd_start
    image_busybox
    # a registry with TLS, and a proxy before it that wants a header and lets requests be counted
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=mirror \
        -addext subjectAltName=IP:127.0.0.1 -keyout "$KEG_ROOT/key" -out "$KEG_ROOT/cert" 2>/dev/null
    registry_start registry 127.0.0.1:5000 "{certificate: $KEG_ROOT/cert, key: $KEG_ROOT/key}"
    server_start "$KEG_ROOT/proxy" python3 "$BATS_TEST_DIRNAME/header_proxy.py" 5004 https://127.0.0.1:5000
    eventually curl -sf --max-time 5 -H 'X-Word: sesame' 127.0.0.1:5004/api/
    python3 -c 'import crypt; print("ann:" + crypt.crypt("sesame", crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16)))' >"$KEG_ROOT/htpasswd"
    registry_start closed 127.0.0.1:5007 "" "auth: {htpasswd: {realm: keg, path: $KEG_ROOT/htpasswd}}"
}

teardown_file() {
    load lib
    load registry
    servers_stop
    kegd_stop
    umount /etc/docker || :
}

setup() {
    load lib
}

hosts() { # the file for registry.test, from standard input
    rm -rf /etc/docker/certs.d
    mkdir -p /etc/docker/certs.d/registry.test
    cat >/etc/docker/certs.d/registry.test/hosts.toml
    cp "$KEG_ROOT/cert" /etc/docker/certs.d/registry.test/mirror.pem
}

@test "hosts: another server, with its own authority; push and pull" {
    hosts <<'END'
server = "https://127.0.0.1:5000"
ca = "mirror.pem"
END
    keg tag busybox registry.test/box:1
    keg push -q registry.test/box:1
    keg rmi registry.test/box:1
    keg pull -q registry.test/box:1
    # without the authority it is a stranger
    hosts <<<'server = "https://127.0.0.1:5000"'
    run keg pull registry.test/box:1
    [ "$status" = 1 ]
    [[ "$output" == *certificate* ]]
    hosts <<<$'server = "https://127.0.0.1:5000"\nskip_verify = true'
    keg pull -q registry.test/box:1
}

@test "hosts: a mirror with a header and a base of its own is asked first" {
    hosts <<'END'
server = "https://127.0.0.1:5000"
ca = "mirror.pem"
[host."http://127.0.0.1:5004/api"]
  capabilities = ["pull", "resolve"]
  override_path = true
  [host."http://127.0.0.1:5004/api".header]
    x-word = "sesame"
END
    keg tag busybox registry.test/box:1
    : >"$KEG_ROOT/proxy.log"
    keg push -q registry.test/box:1
    [ ! -s "$KEG_ROOT/proxy.log" ]
    keg rmi -f registry.test/box:1 busybox
    keg pull -q registry.test/box:1
    cat "$KEG_ROOT/proxy.log"
    # told, as containerd does, which registry it stands for
    grep -q '^GET /api/box/manifests/1?ns=registry.test 200' "$KEG_ROOT/proxy.log"
    grep -q '^GET /api/box/blobs/sha256:.*?ns=registry.test 200' "$KEG_ROOT/proxy.log"
    keg tag registry.test/box:1 busybox
}

@test "hosts: a mirror that may only be asked for digests, or doesn't answer, is passed over" {
    hosts <<'END'
server = "https://127.0.0.1:5000/v2"
ca = "mirror.pem"
[host."http://127.0.0.1:9"]
[host."http://127.0.0.1:5004/api"]
  capabilities = ["pull"]
  override_path = true
  header = {x-word = ["sesame"]}
END
    : >"$KEG_ROOT/proxy.log"
    keg tag busybox keep
    keg rmi -f registry.test/box:1
    keg pull -q registry.test/box:1
    cat "$KEG_ROOT/proxy.log"
    if grep 'manifests/1 ' "$KEG_ROOT/proxy.log"; then false; fi # it is no judge of tags
}

@test "hosts: a mirror that takes no connections is given up after its dial_timeout" {
    # a queue that is full: further connections are never answered
    python3 -c 'import socket, sys, time
s = socket.create_server(("127.0.0.1", 5006), backlog=0)
full = [socket.socket() for _ in range(4)]
for c in full:
    c.setblocking(False)
    c.connect_ex(("127.0.0.1", 5006))
print("full", flush=True)
time.sleep(100)' >"$KEG_ROOT/full" 3>&- </dev/null &
    local pid=$!
    eventually grep -q full "$KEG_ROOT/full"
    hosts <<'END'
server = "https://127.0.0.1:5000"
ca = "mirror.pem"
[host."http://127.0.0.1:5006"]
  dial_timeout = "300ms"
END
    keg rmi -f registry.test/box:1
    SECONDS=0
    run keg pull -q registry.test/box:1
    kill "$pid"
    wait "$pid" || :
    echo "$output"
    [ "$status" = 0 ]
    [ "$SECONDS" -lt 12 ] # less than the 15 s that connections have otherwise
}

@test "hosts: what can't be used is named with its file, line and key" {
    local file=/etc/docker/certs.d/registry.test/hosts.toml
    hosts <<<'server = 5'
    run keg pull registry.test/box:1
    [ "$status" = 1 ]
    [[ "$output" == *"$file:1: server must be an address in quotes"* ]]
    hosts <<<$'[host."ftp://x"]\n'
    run keg pull registry.test/box:1
    [[ "$output" == *"$file:1: the host \"ftp://x\" has to begin with https:// or http://"* ]]
    hosts <<<$'[host."https://x"]\ncapabilities = ["fly"]'
    run keg pull registry.test/box:1
    [[ "$output" == *"$file:2: "*'capability "fly"'* ]]
    hosts <<<$'[host."https://x"]\n# comment\ncapabilites = ["pull"]'
    run keg pull registry.test/box:1
    [[ "$output" == *"$file:3: capabilites is not known here"* ]]
    hosts <<<$'[host."https://x"]\nca = "nowhere.pem"'
    run keg pull registry.test/box:1
    [[ "$output" == *"read nowhere.pem"* ]]
    # a certificate without its key, as docker says it
    rm "$file"
    cp "$KEG_ROOT/cert" /etc/docker/certs.d/registry.test/client.cert
    run keg pull registry.test/box:1
    [[ "$output" == *"missing key client.key for client certificate client.cert. CA certificates must use the extension .crt"* ]]
}

@test "hosts: _default is for all that have none of their own" {
    rm -rf /etc/docker/certs.d
    mkdir -p /etc/docker/certs.d/_default
    cp "$KEG_ROOT/cert" /etc/docker/certs.d/_default/mirror.pem
    printf '[host."https://127.0.0.1:5000"]\nca = "mirror.pem"\n' >/etc/docker/certs.d/_default/hosts.toml
    keg pull -q elsewhere.test/box:1
    keg rmi elsewhere.test/box:1
    # a host with a port may be named as containerd does it where colons are not wanted
    mv /etc/docker/certs.d/_default /etc/docker/certs.d/elsewhere.test_5000_
    keg pull -q elsewhere.test:5000/box:1
    keg rmi elsewhere.test:5000/box:1
}

@test "hosts: a mirror that wants a password gets the one that the user has for its host, and no other" {
    export DOCKER_CONFIG=$KEG_ROOT/docker
    echo sesame | keg login -u ann --password-stdin 127.0.0.1:5007 >/dev/null
    keg tag busybox 127.0.0.1:5007/only/here:1
    keg push -q 127.0.0.1:5007/only/here:1
    keg rmi 127.0.0.1:5007/only/here:1 >/dev/null
    hosts <<'END'
server = "https://127.0.0.1:5000"
ca = "mirror.pem"
[host."http://127.0.0.1:5007"]
  capabilities = ["pull", "resolve"]
END
    local config
    pull() { # CONFIG: as a client that sends what it has for all servers
        config=$(printf %s "$1" | base64 -w0 | tr '+/' '-_')
        api POST '/images/create?fromImage=registry.test/only/here&tag=1' -H "X-Registry-Config: $config"
    }
    pull '{}' | grep -q '"message"'
    pull '{"127.0.0.1:5000": {"username": "ann", "password": "sesame"}}' | grep -q '"message"'
    pull '{"http://127.0.0.1:5007/v2/": {"username": "ann", "password": "sesame"}}' | grep -q 'Downloaded newer image\|up to date'
    keg image inspect registry.test/only/here:1 >/dev/null
    # what can't be read is none, as Docker takes X-Registry-Auth
    keg rmi registry.test/only/here:1 >/dev/null
    api POST '/images/create?fromImage=registry.test/only/here&tag=1' -H 'X-Registry-Config: !' | grep -q '"message"'
}
