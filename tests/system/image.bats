#!/usr/bin/env bats
# Pulling from registries that behave and that don't; archives in and out. Needs no kegd: image-tool drives the library
# with its real workers (keg-registry, keg-archive, keg-layer).

setup_file() {
    load lib
    require root python3 openssl curl
    export WORK
    WORK=$(mktemp -d /var/tmp/keg-image.XXXXXX)
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=registry.test -addext subjectAltName=DNS:registry.test \
        -keyout "$WORK/key.pem" -out "$WORK/cert.pem" 2>"$WORK/openssl.log"
    python3 "$BATS_TEST_DIRNAME/fake_registry.py" "$WORK/port" "$WORK" >"$WORK/registry.log" 2>&1 3>&- </dev/null &
    export REGISTRY_PID=$!
    eventually test -s "$WORK/port"
    export REGISTRY
    REGISTRY=127.0.0.1:$(cat "$WORK/port")
}

teardown_file() {
    [ -z "${REGISTRY_PID:-}" ] || kill "$REGISTRY_PID" 2>/dev/null || :
    [ -z "${WORK:-}" ] || rm -rf "$WORK"
}

setup() {
    load lib
    DATA=$WORK/data-$BATS_TEST_NUMBER
}

tool() { # VERB ARGUMENTS…: on this test's data
    timeout 60 "$KEG_BUILD/tests/image-tool" "$DATA" "$KEG_BUILD" "$@"
}

pull() { # REPOSITORY [USER:PASSWORD]
    tool pull "$REGISTRY/$1" "${@:2}"
}

member() { # NAME: of the image, the output's last line
    tail -n 1 <<<"$output" | python3 -c 'import json, sys; v = json.load(sys.stdin)[sys.argv[1]]
print(v if isinstance(v, (str, int)) else "\n".join(v))' "$1"
}

count() { # PATTERN: how often the registry was asked for such paths
    curl -s "http://$REGISTRY/_stats" | python3 -c 'import json, re, sys
print(sum(n for p, n in json.load(sys.stdin)["counts"].items() if re.search(sys.argv[1], p)))' "$1"
}

layers() { find "$DATA/layers" -mindepth 1 -maxdepth 1 ! -name '.*' | wc -l; }
blobs() { find "$DATA/blobs/sha256" -type f | wc -l; }
rubbish() { find "$DATA/layers" -mindepth 1 -maxdepth 1 -name '.[st][tr]a[gs]*' | wc -l; }

whole() { # the image just pulled: 3 layers unpacked, blobs intact
    local id
    [ "$(member layers | wc -l)" = 3 ]
    for id in $(member layers); do [ -d "$DATA/layers/${id#sha256:}/diff" ]; done
    for id in $(member blobs); do
        [ "$(sha256sum <"$DATA/blobs/sha256/${id#sha256:}")" = "${id#sha256:}  -" ]
    done
    cat "$DATA"/layers/*/diff/layer0 >/dev/null
}

refused() { # REPOSITORY PATTERN: the pull fails with these words and leaves nothing visible
    DATA=$WORK/refused-$BATS_TEST_NUMBER
    run pull "$1"
    [ "$status" -eq 1 ]
    [[ "$output" =~ $2 ]] || { echo "$output"; false; }
    [ "$(rubbish)" = 0 ]
    [ "$(layers)" = 0 ]
}

@test "pull: OCI, Docker schema 2, gzip, zstd and plain layers" {
    local repository
    for repository in ok/oci ok/docker ok/zstd ok/plain; do
        run pull $repository
        [ "$status" -eq 0 ] || { echo "$output"; false; }
        whole
        [ "$(member tags)" = "$REGISTRY/$repository:latest" ]
        [[ "$output" == *"Status: Downloaded newer image for $REGISTRY/$repository:latest"* ]]
        [ "$(grep -c '"Pull complete"' <<<"$output")" = 3 ]
    done
}

@test "pull: lists and indexes, nested too, choose this platform and pass over attestations" {
    [ "$(uname -m)" = x86_64 ] || skip "the fake images are for amd64"
    local repository
    for repository in ok/list ok/index ok/nested; do
        run pull $repository
        [ "$status" -eq 0 ] || { echo "$output"; false; }
        whole
        [ "$(member digests)" = "$REGISTRY/$repository@$(member index)" ]
        [ "$(member index)" != "$(member manifest)" ]
        [[ "$output" == *"Digest: $(member index)"* ]]
    done
}

@test "pull: by digest has no tag; a second pull fetches no layer" {
    run pull ok/oci
    local digest before
    digest=$(member manifest)
    before=$(count ok/oci/blobs)
    run tool pull "$REGISTRY/ok/oci@$digest"
    [ "$status" -eq 0 ]
    [ -z "$(member tags)" ]
    [[ "$output" != *'Already exists'* ]]
    [ "$(count ok/oci/blobs)" = "$before" ]
}

@test "pull: layers that are here stay, in another compression only their blobs come" {
    pull ok/oci >/dev/null
    run pull ok/more
    [ "$status" -eq 0 ] || { echo "$output"; false; }
    [ "$(grep -c '"Already exists"' <<<"$output")" = 3 ]
    [ "$(grep -c '"Pull complete"' <<<"$output")" = 1 ]
    run pull ok/other-compression
    [ "$status" -eq 0 ] || { echo "$output"; false; }
    whole
    [ "$(layers)" = 4 ]
}

@test "pull: a removed blob or a removed layer is made again" {
    run pull ok/oci
    local layer before
    layer=$(member layers | tail -n 1)
    before=$(count ok/oci/blobs)
    rm -r "${DATA:?}/layers/${layer#sha256:}"
    run pull ok/oci
    [ "$status" -eq 0 ] || { echo "$output"; false; }
    whole
    [ "$(count ok/oci/blobs)" = "$before" ]
    rm "$DATA/blobs/sha256/$(member blobs | tail -n 1 | cut -d: -f2)"
    run pull ok/oci
    [ "$status" -eq 0 ] || { echo "$output"; false; }
    whole
    [ "$(count ok/oci/blobs)" = $((before + 1)) ]
}

@test "auth: tokens by password and by refresh token, basic" {
    local pair
    for pair in auth/token,user:secret auth/basic,user:secret auth/refresh,token:sesame; do
        run pull "${pair%,*}" "${pair#*,}"
        [ "$status" -eq 0 ] || { echo "$output"; false; }
        whole
    done
    [ "$(count '^/token')" -ge 1 ]
}

@test "auth: wrong and missing credentials" {
    run pull auth/basic
    [ "$status" -eq 1 ]
    [[ "$output" == *'unauthorized: Get "http://'*'": no basic auth credentials'* ]]
    run pull auth/token
    [[ "$output" == *"not found: pull access denied for $REGISTRY/auth/token, repository does not exist or may require 'docker login'"* ]]
    run pull auth/token user:wrong
    [[ "$output" == *'unauthorized: Get "http://'*'": unauthorized: incorrect username or password'* ]]
    run pull bad/denied
    [[ "$output" == *"pull access denied for $REGISTRY/bad/denied"*"denied: requested access to the resource is denied"* ]]
}

@test "auth: login" {
    run tool login "$REGISTRY" user:secret
    [ "$status" -eq 0 ]
    [ "$output" = "token: none" ]
}

@test "redirects are followed, credentials are not sent along" {
    run pull redirect/elsewhere user:secret
    [ "$status" -eq 0 ] || { echo "$output"; false; }
    whole
    [[ "$(curl -s "http://$REGISTRY/_stats")" == *'"leaks": []'* ]]
    refused bad/loop "more than [0-9]+ redirects"
}

@test "a broken connection is resumed where it ended, without byte ranges too" {
    local repository
    for repository in flaky/short flaky/norange; do
        run pull $repository
        [ "$status" -eq 0 ] || { echo "$output"; false; }
        whole
    done
}

@test "a stalled download is tried again" {
    STALL=1 run pull flaky/stall
    [ "$status" -eq 0 ] || { echo "$output"; false; }
    whole
}

moody() { # MOOD: a registry for uploads at $MOODY, its requests in $WORK/moody.log
    : >"$WORK/moody.log"
    python3 "$BATS_TEST_DIRNAME/moody_registry.py" 5010 "$1" "$WORK/moody-$1" >"$WORK/moody.log" 2>&1 3>&- &
    MOODY_PID=$! MOODY=127.0.0.1:5010
    eventually curl -sf --max-time 5 "http://$MOODY/v2/"
}

@test "a stalled upload goes on where it stood still; one that always does is given up, with the reason" {
    local manifest
    mkdir "$WORK/noise"
    head -c 6000000 /dev/urandom >"$WORK/noise/file"
    run tool import noise:1 < <(tar -C "$WORK/noise" -c .)
    manifest=$(member manifest)
    moody stall
    STALL=1 run tool push "$MOODY/noise:1" "$manifest"
    kill "$MOODY_PID"
    [ "$status" -eq 0 ] || { echo "$output"; cat "$WORK/moody.log"; false; }
    [ "$(grep -c '^breaking off at' "$WORK/moody.log")" = 1 ]
    [ "$(find "$WORK/moody-stall" -type f | wc -l)" = 3 ]
    (cd "$WORK/moody-stall" && sha256sum -- * | awk '$1 != $2 {exit 1}')
    [ -n "${KEG_FULL:-}" ] || return 0 # a quarter of a minute of patience
    moody stone
    STALL=1 run tool push "$MOODY/noise:1" "$manifest"
    kill "$MOODY_PID"
    [ "$status" -eq 1 ]
    echo "$output" | tail -n 1
    [[ "$output" == *"unavailable: "* ]]
    [ "$(grep -c '^breaking off at' "$WORK/moody.log")" -gt 1 ]
}

@test "429 and 503 are waited out" {
    run pull flaky/busy
    [ "$status" -eq 0 ] || { echo "$output"; false; }
    whole
}

@test "429 with a date is waited out, one that asks for too much time ends at once" {
    run pull flaky/date
    [ "$status" -eq 0 ] || { echo "$output"; false; }
    whole
    refused bad/later 'toomanyrequests: slow down \(it may be tried again in 1800 s\)'
    [ "$(count bad/later/manifests)" = 1 ]
}

@test "a registry that takes its time for ever is given up, with the reason" {
    export STALL=1
    refused bad/silent 'unavailable: Get "http://.*/bad/silent/manifests/latest": i/o timeout: the registry sent no more than 0 bytes in [0-9]+ s'
    [ "$(count bad/silent/manifests)" = 3 ]
    refused bad/drip 'i/o timeout: the registry sent no more than [0-9]+ bytes'
    refused bad/dripping 'i/o timeout: the registry sent no more than [0-9]+ bytes'
    refused bad/endless "sent more than 4194304 bytes"
    refused bad/headers "more than 131072 bytes of headers"
    refused bad/error "not found: manifest for $REGISTRY/bad/error:latest not found"
    refused bad/truncated "unexpected EOF: the registry sent [0-9]+ of [0-9]+ bytes"
}

@test "a registry that takes no token for an answer ends in an error" {
    local before
    before=$(count '^/token')
    DATA=$WORK/never
    run pull bad/never user:secret
    [ "$status" -eq 1 ]
    [[ "$output" == *unauthorized* ]]
    [ "$(count bad/never/manifests)" = 2 ]
    [ "$(count '^/token')" = $((before + 1)) ]
}

second_registry() { # PORT: until killed
    rm -f "$WORK/second"
    python3 "$BATS_TEST_DIRNAME/fake_registry.py" "$WORK/second" "" "$1" >"$WORK/second.log" 2>&1 3>&- </dev/null &
    SECOND=$!
    disown
    eventually test -s "$WORK/second"
}

@test "a registry that disappears in mid-layer: awaited for a while, then named; the next pull succeeds" {
    second_registry 0
    local port pid
    port=$(cat "$WORK/second")
    # it comes back in time: what is missing is fetched
    tool pull "127.0.0.1:$port/slow/layers" >"$WORK/vanished" 2>&1 &
    pid=$!
    eventually grep -q '"Downloading"' "$WORK/vanished"
    kill "$SECOND"
    sleep 1
    second_registry "$port"
    wait "$pid"
    curl -s "http://127.0.0.1:$port/_stats" >"$WORK/stats"
    cat "$WORK/stats"
    [[ "$(cat "$WORK/stats")" != *manifests* ]] # asked for layers alone
    # it doesn't come back
    DATA=$WORK/vanished-data
    tool pull "127.0.0.1:$port/slow/layers" >"$WORK/vanished" 2>&1 &
    pid=$!
    eventually grep -q '"Downloading"' "$WORK/vanished"
    kill "$SECOND"
    if wait "$pid"; then false; fi
    cat "$WORK/vanished"
    grep -q "^unavailable: Get \"http://127.0.0.1:$port/v2/slow/layers/blobs/sha256:.*: dial tcp 127.0.0.1:$port: connect: connection refused" "$WORK/vanished"
    [ "$(layers)" = 0 ]
    [ "$(rubbish)" = 0 ]
    second_registry "$port"
    run tool pull "127.0.0.1:$port/slow/layers"
    kill "$SECOND"
    [ "$status" -eq 0 ] || { echo "$output"; false; }
    whole
}

@test "what is wrong is refused, in Docker's words, and leaves nothing" {
    refused bad/bytes "invalid: .*(gzip|digest|sha256)"
    refused bad/short "unexpected EOF|transfer closed"
    refused bad/long "more than the [0-9]+ bytes announced"
    refused bad/header "manifest verification failed for digest"
    refused bad/diffid "1111111"
    refused bad/count "manifest has 3 layers, its configuration 2"
    refused bad/foreign "foreign layer"
    refused bad/traversal "not sha256:<64 hexadecimal digits>"
    refused bad/schema1 "schema 1"
    refused bad/huge "more than [0-9]+ bytes"
    refused bad/deep "more than 4 manifest lists inside each other"
    refused bad/json "invalid JSON"
    refused no/such "not found: repository $REGISTRY/no/such not found: name unknown: repository name not known to registry"
    refused ok/oci:nope "not found: manifest for $REGISTRY/ok/oci:nope not found: manifest unknown: manifest unknown"
}

@test "a registry that isn't there" {
    run tool pull 127.0.0.1:1/x
    [ "$status" -eq 1 ]
    [[ "$output" == "unavailable: Get \"http://127.0.0.1:1/v2/x/manifests/latest\": "* ]]
}

@test "certificates are verified, through a proxy too" {
    local host=registry.test
    export HTTPS_PROXY=http://$REGISTRY
    run tool pull $host/ok/oci
    [ "$status" -eq 1 ]
    [[ "$output" == "unavailable: Get \"https://registry.test/v2/ok/oci/manifests/latest\": "*certificate* ]]
    mkdir -p "$WORK/certs/$host" "$WORK/certs/other.test"
    cp "$WORK/cert.pem" "$WORK/certs/$host/ca.crt"
    cp "$WORK/cert.pem" "$WORK/certs/other.test/ca.crt"
    CERTS=$WORK/certs run tool pull $host/ok/oci
    [ "$status" -eq 0 ] || { echo "$output"; false; }
    whole
    [ "$(count '^CONNECT registry.test:443')" -ge 2 ]
    CERTS=$WORK/certs run tool pull other.test/ok/oci
    [ "$status" -eq 1 ]
    [[ "$output" == *"other.test"* ]]
    INSECURE=other.test run tool pull other.test/ok/oci
    [ "$status" -eq 0 ] || { echo "$output"; false; }
    # what began with TLS doesn't go on without: neither layers nor credentials
    CERTS=$WORK/certs run tool pull $host/redirect/plainly
    [ "$status" -eq 1 ]
    [[ "$output" == *"a redirect to an unusable or insecure place: http://127.0.0.1:"* ]]
    CERTS=$WORK/certs run tool pull $host/auth/token user:secret
    [ "$status" -eq 1 ]
    [[ "$output" == *"wants the credentials sent unencrypted to http://127.0.0.1:"*": refused"* ]]
}

@test "mirrors of Docker Hub are asked first" {
    MIRRORS=http://127.0.0.1:1,http://$REGISTRY/ run tool pull mirrored
    [ "$status" -eq 0 ] || { echo "$output"; false; }
    whole
    [ "$(member tags)" = docker.io/library/mirrored:latest ]
    # one that breaks off in the middle of every layer: the next one goes on from there
    DATA=$DATA-broken
    MIRRORS=http://$REGISTRY/broken,http://$REGISTRY run tool pull mirrored
    [ "$status" -eq 0 ] || { echo "$output"; false; }
    whole
    [ "$(count '^/broken/v2/library/mirrored/blobs')" -ge 6 ]
}

@test "a pull that is killed leaves nothing visible; the next one works" {
    pull slow/three >"$WORK/killed" 2>&1 &
    local pid=$!
    eventually grep -q 'Pulling fs layer' "$WORK/killed"
    kill -KILL "$(pgrep -P "$pid" -f image-tool || echo "$pid")"
    wait "$pid" || :
    [ "$(layers)" = 0 ]
    run pull slow/three
    [ "$status" -eq 0 ] || { echo "$output"; false; }
    whole
    [ "$(rubbish)" = 0 ]
}

@test "two pulls at once share the work on layers they have in common" {
    local before
    before=$(count 'slow/[a-z]*/blobs')
    run tool pulls "$REGISTRY/slow/two" "$REGISTRY/slow/three" "$REGISTRY/slow/three"
    [ "$status" -eq 0 ] || { echo "$output"; false; }
    [ "$(wc -l <<<"$output")" = 3 ]
    [ "$(layers)" = 3 ]
    [ "$(rubbish)" = 0 ]
    whole
    [ "$(count 'slow/[a-z]*/blobs')" -le $((before + 3 + 3)) ] # three layers, and a configuration each
}

@test "a reader that goes away cancels the pull, even while nothing comes" {
    pull slow/three 2>"$WORK/cancelled" | head -n 1 >/dev/null
    eventually grep -q '^cancelled' "$WORK/cancelled"
    SECONDS=0
    pull slow/stuck 2>"$WORK/cancelled" | sleep 0.3
    eventually grep -q '^cancelled' "$WORK/cancelled"
    [ "$SECONDS" -lt 10 ]
    [ "$(layers)" = 0 ]
    [ "$(rubbish)" = 0 ]
}

@test "sweep removes what isn't referenced, layers from the top" {
    run pull ok/oci
    local kept
    mapfile -t kept < <(member blobs; member layers)
    pull ok/docker >/dev/null
    [ "$(layers)" = 6 ]
    run tool sweep "${kept[@]}"
    [ "$status" -eq 0 ]
    [ "$(layers)" = 3 ]
    [ "$(blobs)" = 5 ]
    run tool sweep
    [ "$(layers)" = 0 ]
    [ "$(blobs)" = 0 ]
}

@test "save and load: the same image under the same digests" {
    run pull ok/docker
    local manifest id
    manifest=$(member manifest) id=$(member id)
    tool save "$manifest" docker.io/library/a:1 docker.io/library/b:2 >"$WORK/saved.tar"
    tar -tf "$WORK/saved.tar" | grep -qx manifest.json
    tar -tf "$WORK/saved.tar" | grep -qx index.json
    tar -tf "$WORK/saved.tar" | grep -qx oci-layout
    DATA=$WORK/loaded
    run tool load <"$WORK/saved.tar"
    [ "$status" -eq 0 ] || { echo "$output"; false; }
    [ "$(member manifest)" = "$manifest" ]
    [ "$(member id)" = "$id" ]
    [ "$(member tags)" = $'docker.io/library/a:1\ndocker.io/library/b:2' ]
    whole
    gzip <"$WORK/saved.tar" >"$WORK/saved.tar.gz"
    DATA=$WORK/loaded-gzip
    run tool load <"$WORK/saved.tar.gz"
    [ "$(member id)" = "$id" ]
}

legacy() { # makes the oldest form: <id>/layer.tar, the second one a symlink to the first
    mkdir -p "$1/aaa" "$1/bbb" "$1/root"
    echo hello >"$1/root/file"
    tar -C "$1/root" -cf "$1/aaa/layer.tar" file
    ln -s ../aaa/layer.tar "$1/bbb/layer.tar"
    local diff
    diff=sha256:$(sha256sum "$1/aaa/layer.tar" | cut -d' ' -f1)
    echo "{\"architecture\":\"amd64\",\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"$diff\",\"$diff\"]}}" \
        >"$1/config.json"
    echo '[{"Config":"config.json","RepoTags":["old:1"],"Layers":["aaa/layer.tar","bbb/layer.tar"]}]' >"$1/manifest.json"
}

@test "load: docker's oldest form, with a symlinked layer" {
    legacy "$WORK/legacy"
    run tool load < <(tar -C "$WORK/legacy" -c manifest.json config.json aaa bbb)
    [ "$status" -eq 0 ] || { echo "$output"; false; }
    [ "$(member tags)" = docker.io/library/old:1 ]
    [ "$(member layers | wc -l)" = 2 ]
}

@test "load: large layers, which unpack while they are read" {
    local i diffs=() names=() root=$WORK/large/root
    mkdir -p "$root"
    cd "$WORK/large"
    for i in 1 2 3 4 5 6; do # more than are begun with before the archive's end
        head -c 1500000 /dev/urandom >"$root/file$i"
        tar -C "$root" -cf "$i.tar" "file$i"
        diffs+=("\"sha256:$(sha256sum <"$i.tar" | cut -d' ' -f1)\"")
        names+=("\"$i.tar\"")
    done
    gzip -1 2.tar && mv 2.tar.gz 2.tar
    (IFS=, && echo "{\"architecture\":\"amd64\",\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[${diffs[*]}]}}" >config.json
        echo "[{\"Config\":\"config.json\",\"RepoTags\":[\"large:1\"],\"Layers\":[${names[*]}]}]" >manifest.json)
    for i in first again; do
        run tool load < <(tar -c {1..6}.tar manifest.json config.json)
        [ "$status" -eq 0 ] || { echo "$output"; false; }
        [ "$(layers)" = 6 ] && [ "$(rubbish)" = 0 ]
    done
    for i in 1 2 3 4 5 6; do cmp "$root/file$i" "$DATA"/layers/*/diff/"file$i"; done
    DATA=$WORK/large-cut
    run tool load < <(tar -c {1..6}.tar manifest.json config.json | head -c 3700000)
    [ "$status" -eq 1 ]
    [[ "$output" == *truncated* ]]
    [ "$(layers)" = 0 ] && [ "$(rubbish)" = 0 ]
    dd if=/dev/zero of=3.tar bs=1 seek=1000000 count=100 conv=notrunc status=none
    DATA=$WORK/large-other
    run tool load < <(tar -c {1..6}.tar manifest.json config.json)
    [ "$status" -eq 1 ]
    [ "$(layers)" = 0 ] && [ "$(rubbish)" = 0 ]
}

@test "load: hostile archives are refused" {
    legacy "$WORK/hostile"
    cd "$WORK/hostile"
    local name
    refuse() { # PATTERN, archive on stdin
        run tool load
        [ "$status" -eq 1 ]
        [[ "$output" == *"invalid"* ]] && [[ "$output" =~ $1 ]] || { echo "$output"; false; }
    }
    refuse 'leads out' < <(tar -P --transform 's,config,../../config,' -c manifest.json config.json aaa)
    refuse 'leads out' < <(tar -P --transform 's,config,/config,' -c manifest.json config.json aaa)
    refuse 'neither index.json nor manifest.json' < <(tar -c aaa)
    refuse 'bbb/layer.tar is missing' < <(tar -c manifest.json config.json aaa)
    refuse . < <(head -c 100000 /dev/urandom)
    refuse . < <(tar -c manifest.json config.json aaa bbb | head -c 3000)
    ln -sf loop.json manifest2.json
    ln -sf manifest2.json loop.json
    refuse 'neither' < <(tar --transform 's,manifest2,manifest,' -c manifest2.json loop.json)
    mkdir -p blobs/sha256
    for name in blobs/sha256/$(printf '0%.0s' {1..64}); do echo x >"$name"; done
    refuse 'hash to' < <(tar -c manifest.json blobs)
}

@test "load: a layer that is here is no excuse for a blob that isn't it" {
    legacy "$WORK/poison"
    cd "$WORK/poison"
    tool load < <(tar -c manifest.json config.json aaa bbb)
    gzip -c aaa/layer.tar >good.gz
    echo other >root/file
    tar -C root -cf other.tar file
    run tool load < <(tar --transform 's,other.tar,aaa/layer.tar,' -c manifest.json config.json bbb other.tar)
    [ "$status" -eq 1 ] && [[ "$output" == *"wrong diff id"* ]] || { echo "$output"; false; }
    run tool load < <(tar --transform 's,good.gz,aaa/layer.tar,' -c manifest.json config.json bbb good.gz)
    [ "$status" -eq 0 ] && [ "$(member layers | wc -l)" = 2 ] || { echo "$output"; false; }
    [ "$(rubbish)" = 0 ]
}

@test "import: a tree, compressed or not, with changes" {
    mkdir -p "$WORK/tree/etc"
    echo hi >"$WORK/tree/etc/motd"
    run tool import team/tree:1 'CMD ["cat","/etc/motd"]' 'ENV A=b' < <(tar -C "$WORK/tree" -c .)
    [ "$status" -eq 0 ] || { echo "$output"; false; }
    [ "$(member tags)" = docker.io/team/tree:1 ]
    [ "$(cat "$DATA"/layers/*/diff/etc/motd)" = hi ]
    run tool inspect "$(member manifest)"
    [[ "$output" == *'"Env":["A=b"]'* ]]
    [[ "$output" == *'"Cmd":["cat","/etc/motd"]'* ]]
    [[ "$output" == *'"Comment":"Imported from -"'* ]]
    run tool import zipped < <(tar -C "$WORK/tree" -cz .)
    [ "$status" -eq 0 ] || { echo "$output"; false; }
    run tool import x 'RUN ls' < <(tar -C "$WORK/tree" -c .)
    [ "$status" -eq 1 ]
    [[ "$output" == *"RUN is not a valid change command"* ]]
}

@test "history: sizes lie with the layers" {
    run pull ok/oci
    run tool history "$(member manifest)"
    [ "$status" -eq 0 ]
    [[ "$output" == '[{"Id":"<missing>"'*'"CreatedBy":"step 2"'*'"CreatedBy":"step 0"'* ]]
}
