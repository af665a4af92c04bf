#!/usr/bin/env bats
# Debian's docker-registry behind TLS and authentication: authorities, client certificates, passwords, tokens, credential helpers,
# HTTP/2, IPv6; and what the program that speaks with it may do.

setup_file() {
    load lib
    load registry
    require root curl jq docker-registry openssl python3 nghttpx ip
    # in the test's own namespaces: names and addresses that are not loopback's, whose certificates are verified
    mkdir -p /etc/docker
    mount -t tmpfs none /etc/docker
    cp /etc/hosts /etc/docker/hosts
    echo "10.99.0.1 registry.test" >>/etc/docker/hosts
    mount --bind /etc/docker/hosts /etc/hosts
    for address in 10.99.0.1/32 10.98.0.1/32 fd99::1/128; do ip address add "$address" dev lo; done
    kegd_start --insecure-registry 10.98.0.0/16
    image_busybox
    export TLS=$KEG_ROOT/tls
    mkdir "$TLS" "$KEG_ROOT/bin"
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=registry.test \
        -addext subjectAltName=DNS:registry.test,IP:10.99.0.1,IP:fd99::1 \
        -keyout "$TLS/key.pem" -out "$TLS/cert.pem" 2>"$KEG_ROOT/openssl.log"
    python3 -W ignore -c 'import crypt; print("ann:" + crypt.crypt("sesame", crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16)))' \
        >"$TLS/htpasswd"
    registry_start registry :5800
    registry_start registry :5801 "{certificate: $TLS/cert.pem, key: $TLS/key.pem}" "auth: {htpasswd: {realm: keg, path: $TLS/htpasswd}}"
    registry_start registry :5802 "{certificate: $TLS/cert.pem, key: $TLS/key.pem}" \
        "auth: {token: {realm: 'https://registry.test:5803/token', service: keg, issuer: keg test, rootcertbundle: $TLS/cert.pem}}"
    registry_start registry :5804 "{certificate: $TLS/cert.pem, key: $TLS/key.pem, clientcas: [$TLS/cert.pem]}"
    server_start "$KEG_ROOT/tokens" python3 "$BATS_TEST_DIRNAME/token_server.py" 10.99.0.1:5803 "$TLS"
    server_start "$KEG_ROOT/nghttpx-output" \
        nghttpx --conf=/dev/null --no-ocsp -f10.99.0.1,5805 -b127.0.0.1,5800 --accesslog-file="$KEG_ROOT/http2.log" --accesslog-format='$request' \
        --errorlog-file="$KEG_ROOT/nghttpx.log" --workers=1 --single-process "$TLS/key.pem" "$TLS/cert.pem"
    eventually curl -sk --max-time 5 https://10.99.0.1:5805/v2/
    eventually curl -sk --max-time 5 https://registry.test:5803/token?service=keg
}

teardown_file() {
    load lib
    load registry
    servers_stop
    umount /etc/hosts /etc/docker || :
    for address in 10.99.0.1/32 10.98.0.1/32 fd99::1/128; do ip address del "$address" dev lo || :; done
    kegd_stop
}

setup() {
    load lib
    export HOME=$KEG_ROOT DOCKER_CONFIG=$KEG_ROOT/docker PATH=$KEG_ROOT/bin:$PATH
    rm -rf "$DOCKER_CONFIG" /etc/docker/certs.d
}

trust() { # HOST:PORT…
    local host
    for host; do
        mkdir -p "/etc/docker/certs.d/$host"
        cp "$TLS/cert.pem" "/etc/docker/certs.d/$host/ca.crt"
    done
}

login() { # HOST:PORT [PASSWORD]
    keg login -u ann --password-stdin "$1" <<<"${2:-sesame}"
}

there_and_back() { # HOST:PORT/NAME…: what was pushed is what is pulled
    local name id
    id=$(keg images -q --no-trunc busybox)
    for name; do
        keg tag busybox "$name"
        keg push -q "$name"
        keg rmi "$name"
        keg pull -q "$name"
        [ "$(keg inspect -f '{{.Id}}' "$name")" = "$id" ]
        keg rmi "$name"
    done
}

@test "registry: an authority of certs.d is for its host and port alone; by name, address and IPv6 literal" {
    trust registry.test:5801 10.99.0.1:5801 '[fd99::1]:5801'
    login registry.test:5801
    login 10.99.0.1:5801
    login '[fd99::1]:5801'
    there_and_back registry.test:5801/a 10.99.0.1:5801/b '[fd99::1]:5801/c'
    rm -r /etc/docker/certs.d/registry.test:5801
    run keg pull registry.test:5801/a
    [ "$status" = 1 ]
    [[ "$output" == *'Get "https://registry.test:5801/v2/a/manifests/latest"'*certificate* ]]
}

@test "registry: insecure ones are asked without verifying, and without TLS" {
    login 10.98.0.1:5801
    there_and_back 10.98.0.1:5801/d 10.98.0.1:5800/e
    run keg pull 10.99.0.1:5800/e # this one isn't among them
    [ "$status" = 1 ]
    [[ "$output" == *'Get "https://10.99.0.1:5800/v2/e/manifests/latest"'* ]]
}

@test "registry: passwords" {
    trust registry.test:5801
    run login registry.test:5801 wrong
    echo "$output"
    [ "$status" = 1 ]
    [[ "$output" == *'login attempt to https://registry.test:5801/v2/ failed with status: 401 Unauthorized'* ]]
    [ ! -e "$DOCKER_CONFIG/config.json" ]
    keg tag busybox registry.test:5801/f
    run keg push registry.test:5801/f
    [ "$status" = 1 ]
    [[ "$output" == *'"https://registry.test:5801/v2/f/'*': no basic auth credentials'* ]]
    run login registry.test:5801
    [ "$status" = 0 ]
    [[ "$output" == *"Login Succeeded"* ]]
    [ "$(jq -r '.auths["registry.test:5801"].auth' "$DOCKER_CONFIG/config.json" | base64 -d)" = ann:sesame ]
    [ "$(stat -c %a "$DOCKER_CONFIG/config.json")" = 600 ]
    # once more with what is kept; from an address of the same host, as other clients keep it
    run keg login registry.test:5801 </dev/null
    [ "$status" = 0 ]
    [[ "$output" == *"Authenticating with existing credentials... [Username: ann]"*"Login Succeeded"* ]]
    sed -i 's,registry.test:5801,https://registry.test:5801/v1/,' "$DOCKER_CONFIG/config.json"
    there_and_back registry.test:5801/f
    run keg logout registry.test:5801
    [ "$output" = "Removing login credentials for registry.test:5801" ]
    sed -i 's,https://registry.test:5801/v1/,https://registry.test:5801,' "$DOCKER_CONFIG/config.json"
    keg logout registry.test:5801
    [ "$(jq -c .auths "$DOCKER_CONFIG/config.json")" = '{}' ]
    run keg pull registry.test:5801/f
    [ "$status" = 1 ]
    DOCKER_AUTH_CONFIG='{"auths":{"registry.test:5801":{"username":"ann","password":"sesame"}}}' keg pull -q registry.test:5801/f
    # the registry's own words reach the API
    [ "$(api POST /v1.51/auth -H 'Content-Type: application/json' -o /dev/null -w '%{http_code}' \
        -d '{"username":"ann","password":"wrong","serveraddress":"registry.test:5801"}')" = 401 ]
}

@test "registry: tokens, anonymous, by password, and by the refresh token that a login leaves" {
    trust registry.test:5802
    keg tag busybox registry.test:5802/public/box
    run keg push registry.test:5802/public/box
    echo "$output"
    [ "$status" = 1 ]
    [[ "$output" == *"denied: requested access to the resource is denied"* ]]
    run login registry.test:5802 wrong
    echo "$output"
    [[ "$output" == *'Get "https://registry.test:5802/v2/": unauthorized: incorrect username or password'* ]]
    login registry.test:5802
    # the token is kept instead of the password
    [ "$(jq -r '.auths["registry.test:5802"] | .identitytoken, .auth' "$DOCKER_CONFIG/config.json")" = "refresh-ann
$(printf 'ann:' | base64)" ]
    : >"$KEG_ROOT/tokens.log"
    there_and_back registry.test:5802/public/box registry.test:5802/private/box
    cat "$KEG_ROOT/tokens.log"
    grep -q '^POST refresh repository:private/box:pull,push' "$KEG_ROOT/tokens.log"
    if grep password "$KEG_ROOT/tokens.log"; then false; fi
    # what another repository has is mounted from there, which the token must allow
    keg pull -q registry.test:5802/private/box
    keg tag busybox registry.test:5802/third/box
    run keg push registry.test:5802/third/box
    [[ "$output" == *": Mounted from p"*"/box"* ]]
    grep -q 'repository:third/box:pull,push.* repository:private/box:pull' "$KEG_ROOT/tokens.log"
    keg rmi registry.test:5802/private/box registry.test:5802/third/box
    # by password, and by nothing at all
    echo '{"auths":{"registry.test:5802":{"auth":"'"$(printf ann:sesame | base64)"'"}}}' >"$DOCKER_CONFIG/config.json"
    keg pull -q registry.test:5802/private/box
    grep -q '^GET password repository:private/box:pull' "$KEG_ROOT/tokens.log"
    rm "$DOCKER_CONFIG/config.json"
    keg pull -q registry.test:5802/public/box
    grep -q '^GET anonymous repository:public/box:pull' "$KEG_ROOT/tokens.log"
    run keg pull registry.test:5802/third/box
    [[ "$output" == *"pull access denied for registry.test:5802/third/box, repository does not exist or may require 'docker login': denied"* ]]
}

@test "registry: tokens that never do end in an error, not in a loop" {
    trust registry.test:5802
    login registry.test:5802
    echo -1000 >"$TLS/seconds"
    : >"$KEG_ROOT/tokens.log"
    run keg pull registry.test:5802/private/box
    rm "$TLS/seconds"
    echo "$output"
    [ "$status" = 1 ]
    [[ "$output" == *unauthorized* ]]
    [ "$(wc -l <"$KEG_ROOT/tokens.log")" -le 2 ]
    keg pull -q registry.test:5802/private/box
}

@test "registry: a client's certificate and its key" {
    trust registry.test:5804
    keg tag busybox registry.test:5804/g
    run keg push registry.test:5804/g
    echo "$output"
    [ "$status" = 1 ]
    # TLS 1.3's server refuses after the handshake, so that its alert may come too late to be read: what is said is the
    # alert, or how the connection ended
    [[ "$output" == *'Head "https://registry.test:5804/'* || "$output" == *certificate* ]]
    cp "$TLS/cert.pem" /etc/docker/certs.d/registry.test:5804/client.cert
    cp "$TLS/key.pem" /etc/docker/certs.d/registry.test:5804/client.key
    chmod 600 /etc/docker/certs.d/registry.test:5804/client.key
    there_and_back registry.test:5804/g
}

@test "registry: HTTP/2 where it is offered" {
    trust registry.test:5805
    head -c 3000000 /dev/urandom >"$KEG_ROOT/noise"
    tar -C "$KEG_ROOT" -c noise | keg import - registry.test:5805/noise
    : >"$KEG_ROOT/http2.log"
    keg push -q registry.test:5805/noise
    keg rmi registry.test:5805/noise
    keg pull -q registry.test:5805/noise
    there_and_back registry.test:5805/h
    cat "$KEG_ROOT/http2.log"
    grep -q '^PUT /v2/noise/blobs/uploads/.* HTTP/2' "$KEG_ROOT/http2.log"
    grep -q '^GET /v2/noise/blobs/.* HTTP/2' "$KEG_ROOT/http2.log"
    if grep -v 'HTTP/2' "$KEG_ROOT/http2.log"; then false; fi
}

helper() { # NAME, its text from standard input
    cat >"$KEG_ROOT/bin/docker-credential-$1"
    chmod +x "$KEG_ROOT/bin/docker-credential-$1"
}

@test "registry: credential helpers keep, give and forget" {
    trust registry.test:5801 registry.test:5802
    helper box <<END
#!/bin/sh
read -r input
echo "\$1 \$input" >>$KEG_ROOT/helper.log
case \$1 in
store) server=\${input#*ServerURL\":\"}; echo "\$input" >"$KEG_ROOT/kept-\${server%%:*}" ;;
get) cat "$KEG_ROOT/kept-\${input%%:*}" 2>/dev/null || { echo "credentials not found in native keychain"; exit 1; } ;;
erase) rm -f "$KEG_ROOT/kept-\${input%%:*}" ;;
esac
END
    mkdir -p "$DOCKER_CONFIG"
    echo '{"credsStore":"missing","credHelpers":{"registry.test:5801":"box","registry.test:5802":"box"}}' >"$DOCKER_CONFIG/config.json"
    run keg pull registry.test:5801/a
    [[ "$output" == *"no basic auth credentials"* ]]
    [[ "$output" != *WARNING* ]]
    login registry.test:5801
    jq -e '.Username == "ann" and .Secret == "sesame" and .ServerURL == "registry.test:5801"' "$KEG_ROOT/kept-registry.test"
    [ "$(jq -c .auths "$DOCKER_CONFIG/config.json")" = '{"registry.test:5801":{}}' ]
    keg pull -q registry.test:5801/a
    keg logout registry.test:5801
    [ ! -e "$KEG_ROOT/kept-registry.test" ]
    grep -q '^erase registry.test:5801' "$KEG_ROOT/helper.log"
    # a refresh token under the name that means one
    login registry.test:5802
    jq -e '.Username == "<token>" and .Secret == "refresh-ann"' "$KEG_ROOT/kept-registry.test"
    keg pull -q registry.test:5802/private/box
}

@test "registry: a credential helper that is missing or fails says so" {
    trust registry.test:5801 registry.test:5802
    helper locked <<<$'#!/bin/sh\necho the keychain is locked\nexit 3'
    mkdir -p "$DOCKER_CONFIG"
    echo '{"credsStore":"missing","credHelpers":{"registry.test:5802":"locked"}}' >"$DOCKER_CONFIG/config.json"
    run login registry.test:5801
    echo "$output"
    [ "$status" = 1 ]
    [[ "$output" == *'Error saving credentials: error storing credentials - err: exec: "docker-credential-missing": executable file not found in $PATH, out: ``'* ]]
    run login registry.test:5802
    echo "$output"
    [ "$status" = 1 ]
    [[ "$output" == *'Error saving credentials: error storing credentials - err: exit status 3, out: `the keychain is locked`'* ]]
    # what needs no credentials is pulled all the same
    run keg pull registry.test:5802/public/box
    echo "$output"
    [ "$status" = 0 ]
    [[ "$output" == *'WARNING: error getting credentials - err: exit status 3, out: `the keychain is locked`'* ]]
    run keg pull registry.test:5801/a
    echo "$output"
    [ "$status" = 1 ]
    [[ "$output" == *'WARNING: error getting credentials - err: exec: "docker-credential-missing"'*"no basic auth credentials"* ]]
}

@test "registry: the program that speaks with registries has no privileges" {
    python3 -c 'import socket, time
s = socket.create_server(("127.0.0.1", 5806))
c = s.accept()[0]
time.sleep(100)' 3>&- </dev/null &
    local server=$!
    eventually bash -c ': </dev/tcp/127.0.0.1/5806'
    keg pull 127.0.0.1:5806/x >/dev/null 2>&1 3>&- &
    local client=$! worker
    eventually pgrep -P "$KEGD_PID" -x keg-registry
    worker=$(pgrep -P "$KEGD_PID" -x keg-registry)
    eventually grep -q '^NoNewPrivs:.1' "/proc/$worker/status"
    cat "/proc/$worker/status"
    [ "$(awk '/^(Uid|Gid):/ {print $2, $3, $4, $5}' "/proc/$worker/status" | sort -u)" = "65534 65534 65534 65534" ]
    [ "$(awk '/^Groups:/ {print NF}' "/proc/$worker/status")" = 1 ]
    [ "$(awk '/^Cap(Inh|Prm|Eff|Amb):/ {print $2}' "/proc/$worker/status" | sort -u)" = 0000000000000000 ]
    # of descriptors nothing but its socket, nowhere to write, the requests
    ls -l "/proc/$worker/fd"
    if find "/proc/$worker/fd" -lname '/*' ! -lname /dev/null ! -lname '/memfd:*' ! -lname "$KEG_ROOT/kegd.log" | grep .; then false; fi
    kill "$client" "$server"
    wait "$client" "$server" || :
    # whoever asked has gone, and so has it
    eventually test ! -d "/proc/$worker"
}
