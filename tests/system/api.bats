#!/usr/bin/env bats
# The REST API by hand: versions, errors, routes, images, networks, volumes; and kegd's own life.

setup_file() {
    load lib
    require root curl jq python3
    kegd_start --bridge none --log-level debug
    image_busybox
}

teardown_file() {
    setup
    kegd_stop
}

setup() {
    load lib
    KEGD_PID=$(cat "$KEG_ROOT/kegd.pid") # a test may have started another one
}

status() { # METHOD PATH [curl arguments]: the status code
    api "$1" "$2" -o /dev/null -w '%{http_code}' "${@:3}"
}

post_json() { # PATH JSON
    api POST "$1" -H 'Content-Type: application/json' -d "$2"
}

message() { # what the error says
    jq -r .message
}

# ---- the frame ----

@test "ping and its headers" {
    run api GET /_ping -i
    [[ $output == *"HTTP/1.1 200 OK"*"Api-Version: 1.51"* ]]
    [[ $output == *"Ostype: linux"* && $output == *"Docker-Experimental: false"* && $output == *"Server: keg/"* ]]
    [ "${lines[-1]}" = OK ]
    run api GET /_ping -I
    [[ $output == *"200 OK"* ]]
}

@test "versions: prefix, none, too old, too new" {
    [ "$(api GET /version | jq -r .ApiVersion)" = 1.51 ]
    [ "$(api GET /v1.24/version | jq -r .MinAPIVersion)" = 1.24 ]
    [ "$(status GET /v1.23/version)" = 400 ]
    [ "$(api GET /v1.23/version)" = "client version 1.23 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version" ]
    [ "$(status GET /v1.23/nope)" = 404 ]
    [ "$(status GET /v1.51.1/version)" = 200 ]
    [ "$(api GET /v1.99/info | message)" = "client version 1.99 is too new. Maximum supported API version is 1.51" ]
    [ "$(status GET /v1.99/info)" = 400 ]
}

@test "unknown paths and methods" {
    for request in "GET /nope" "DELETE /version" "GET /v1.x/info" "POST /containers/json" "GET /containers/json/"; do
        # shellcheck disable=SC2086
        [ "$(status $request)" = 404 ]
        # shellcheck disable=SC2086
        [ "$(api $request | message)" = "page not found" ]
    done
    [ "$(status GET //containers//json)" = 200 ]
    [ "$(status OPTIONS /nope)" = 200 ]
    [ "$(api POST /v1.24/swarm/leave | message)" = "This node is not part of a swarm" ]
}

@test "names of members in small letters, null for nothing, members of members" {
    local id
    id=$(post_json /containers/create '{"image":"busybox","CMD":["true"],"labels":{"Small":null},"hostconfig":{
        "restartpolicy":{"name":"always","nonsense":1},"PortBindings":{"80/tcp":[{"HostPort":"8000"}]},
        "Devices":[{"PathOnHost":"/dev/null"}],"Dns":null,"NetworkMode":"none"},"StopTimeout":0}' | jq -r .Id)
    [ "$(api GET "/containers/$id/json" | jq -c '[.HostConfig.RestartPolicy, .HostConfig.PortBindings, .HostConfig.Devices,
        .Config.Labels, .Config.Cmd, .Config.StopTimeout]')" = '[{"Name":"always","MaximumRetryCount":0},{"80/tcp":[{"HostIp":"","HostPort":"8000"}]},[{"PathOnHost":"/dev/null","PathInContainer":"","CgroupPermissions":""}],{"Small":""},["true"],0]' ]
    [ "$(api POST "/containers/$id/update" -o /dev/null -w '%{http_code}')" = 200 ]
    [ "$(post_json "/containers/$id/start" '{"HostConfig":{}}' | message)" = "starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24" ]
    [ "$(post_json "/containers/$id/rename?name=small" '{}' | message)" = "" ]
    [ "$(api GET /containers//small/json | jq -r .Id)" = "$id" ]
    [ "$(api GET '/v1.44/containers/json?all=1&filters=null' | jq length)" = 1 ]
    [ "$(api GET '/containers/json?all=1&filters=%7B%22expose%22:%5B%22x%22%5D%7D' | message)" = "error while looking up for expose x: no port or range of ports" ]
    [ "$(api GET '/containers/json?all=1&filters=%7B%22before%22:%5B%22small%22,%22nobody%22%5D%7D' | message)" = "No such container: nobody" ]
    [[ "$(api GET '/containers/json?filters=x' | message)" == "invalid filter: "* ]]
    [ "$(post_json /containers/create '{"Image":"busybox","HostConfig":[]}' | message)" = "invalid JSON: HostConfig must be an object" ]
    [ "$(post_json /containers/create '{"Image":"busybox","HostConfig":{"PortBindings":{"80/tcp":[{"HostPort":80}]}}}' | message)" = "invalid JSON: HostConfig.PortBindings.HostPort must be a string" ]
    [ "$(post_json /containers/create '{"Image":"busybox","NetworkingConfig":{"EndpointsConfig":{"bridge":null}}}' | message)" = "invalid config for network bridge: EndpointsConfig is nil" ]
    api DELETE "/containers/$id?force=1"
}

@test "what a body must be" {
    [ "$(api POST /networks/create | message)" = "invalid JSON: got EOF while reading request body" ]
    [ "$(api POST /volumes/create -H 'Content-Type: text/plain' -d '{}' | message)" = \
        "unsupported Content-Type header (text/plain): must be 'application/json'" ]
    [ "$(post_json /volumes/create '{' | message)" = "invalid JSON: unexpected EOF" ]
    [ "$(post_json /volumes/create '{}{}' | message)" = "unexpected content after JSON" ]
    [ "$(post_json /volumes/create '[1]' | message)" = "invalid JSON: the body must be an object" ]
    [ "$(status POST /volumes/create -H 'Content-Type: application/json; charset=utf-8' -d '{"Name":"charset"}')" = 201 ]
    [ "$(status DELETE /volumes/charset)" = 204 ]
}

@test "nested and oversized bodies are errors, not crashes" {
    python3 -c 'n = 500000; print("{\"Name\":" + "[" * n + "]" * n + "}")' >"$BATS_TEST_TMPDIR/deep"
    [ "$(status POST /volumes/create -H 'Content-Type: application/json' --data-binary "@$BATS_TEST_TMPDIR/deep")" = 400 ]
    python3 -c 'n = 250; print("{\"Other\":" + "{\"a\":" * n + "1" + "}" * n + "}")' >"$BATS_TEST_TMPDIR/deep"
    [ "$(status POST /volumes/create -H 'Content-Type: application/json' --data-binary "@$BATS_TEST_TMPDIR/deep")" = 201 ]
    head -c 20000000 /dev/zero >"$BATS_TEST_TMPDIR/large"
    [ "$(status POST /volumes/create -H 'Content-Type: application/json' -H 'Expect:' --data-binary "@$BATS_TEST_TMPDIR/large")" = 400 ]
    [ "$(status GET /_ping)" = 200 ]
}

@test "every path of Docker's API is known" {
    local method path code
    while read -r method path; do
        code=$(status "$method" "$path")
        # a path that isn't there would be "page not found"
        [ "$(api "$method" "$path" --max-time 2 | head -c 200 | jq -r '.message? // empty' 2>/dev/null)" != "page not found" ] ||
            { echo "$method $path: $code"; return 1; }
    done <<'EOF'
GET /containers/json
POST /containers/create
GET /containers/x/json
GET /containers/x/top
GET /containers/x/logs?stdout=1
GET /containers/x/changes
GET /containers/x/export
GET /containers/x/stats
POST /containers/x/resize
POST /containers/x/start
POST /containers/x/stop
POST /containers/x/restart
POST /containers/x/kill
POST /containers/x/update
POST /containers/x/rename
POST /containers/x/pause
POST /containers/x/unpause
POST /containers/x/attach
GET /containers/x/attach/ws
POST /containers/x/wait
DELETE /containers/x
GET /containers/x/archive
PUT /containers/x/archive
POST /containers/prune
GET /images/json
POST /build
POST /build/prune
POST /images/create
GET /images/a/b:c/json
GET /images/a/b:c/history
POST /images/a/b:c/push
POST /images/a/b:c/tag
DELETE /images/a/b:c
GET /images/search
POST /images/prune
POST /auth
GET /info
GET /version
GET /_ping
POST /commit
GET /events?until=1
GET /system/df
POST /keg/system/check
GET /images/a/b:c/get
GET /images/get
POST /images/load
POST /containers/x/exec
POST /exec/x/start
POST /exec/x/resize
GET /exec/x/json
GET /volumes
POST /volumes/create
GET /volumes/x
PUT /volumes/x
DELETE /volumes/x
POST /volumes/prune
GET /networks
GET /networks/x
DELETE /networks/x
POST /networks/create
POST /networks/x/connect
POST /networks/x/disconnect
POST /networks/prune
GET /plugins
GET /plugins/privileges
POST /plugins/pull
GET /plugins/a/b/json
DELETE /plugins/x
POST /plugins/x/enable
POST /plugins/x/disable
POST /plugins/x/upgrade
POST /plugins/create
POST /plugins/x/push
POST /plugins/x/set
GET /nodes
GET /nodes/x
DELETE /nodes/x
POST /nodes/x/update
GET /swarm
POST /swarm/init
POST /swarm/join
POST /swarm/leave
POST /swarm/update
GET /swarm/unlockkey
POST /swarm/unlock
GET /services
POST /services/create
GET /services/x
DELETE /services/x
POST /services/x/update
GET /services/x/logs
GET /tasks
GET /tasks/x
GET /tasks/x/logs
GET /secrets
POST /secrets/create
GET /secrets/x
DELETE /secrets/x
POST /secrets/x/update
GET /configs
POST /configs/create
GET /configs/x
DELETE /configs/x
POST /configs/x/update
GET /distribution/a/b/json
POST /session
EOF
    [ "$(status HEAD /containers/x/archive --head)" != 200 ]
    image_busybox # prune may have taken it
}

@test "what isn't there says so" {
    [ "$(status POST /session)" = 501 ]
    [ "$(api POST /session | message)" = "building images is not implemented by keg yet: load what other builders save" ]
    [ "$(api POST /swarm/init -H 'Content-Type: application/json' -d '{}' | message)" = "swarm mode is not implemented by keg" ]
    [[ "$(api POST /build | message)" == "building images is not implemented by keg yet"* ]]
    [ "$(status GET /services)" = 503 ]
    [[ $(api GET /services | message) == "This node is not a swarm manager."* ]]
    [ "$(api GET /plugins)" = "[]" ]

    # no builder, no cache: `docker system prune` ends with this
    run api POST /build/prune
    [ "$(jq .SpaceReclaimed <<<"$output")" = 0 ]
}

@test "info tells the truth" {
    run api GET /info
    [ "$(jq -r .DockerRootDir <<<"$output")" = "$KEG_ROOT/data" ]
    [ "$(jq -r .KernelVersion <<<"$output")" = "$(uname -r)" ]
    [ "$(jq -r .NCPU <<<"$output")" = "$(nproc)" ]
    [ "$(jq -r .Driver <<<"$output")" = overlay2 ]
    [ "$(jq -r .LiveRestoreEnabled <<<"$output")" = true ]
    [ "$(jq -r .Swarm.LocalNodeState <<<"$output")" = inactive ]
}

@test "a client that leaves ends its stream" {
    local threads before i
    threads() { ls "/proc/$KEGD_PID/task" | wc -l; }
    before=$(threads)
    for i in 1 2 3 4 5; do
        timeout 1 curl -sN --unix-socket "$KEG_ROOT/run/keg.sock" http://keg/events >/dev/null &
    done
    sleep 0.5
    [ "$(threads)" -ge $((before + 5)) ]
    wait
    eventually eval "[ \$(threads) -le $((before + 1)) ]"
}

# ---- images ----

@test "images: import, list, tag, inspect, history" {
    [ "$(api GET /images/json | jq -r '.[].RepoTags[]' | grep -c '^busybox:latest$')" = 1 ]
    [ "$(status POST '/images/busybox/tag?repo=team/app&tag=v1')" = 201 ]
    [ "$(api GET /images/team/app:v1/json | jq -r .Id)" = "$(api GET /images/busybox/json | jq -r .Id)" ]
    [ "$(api GET /images/busybox/json | jq -r '.Config.Cmd[0]')" = sh ]
    [ "$(api GET /images/team/app:v1/history | jq -r 'length')" = 1 ]
    [ "$(api GET '/images/json?filters=%7B%22reference%22:%5B%22team/*%22%5D%7D' | jq -c '.[].RepoTags')" = '["team/app:v1"]' ]
    [ "$(api GET '/v1.41/images/json' | jq '.[0].VirtualSize')" = "$(api GET /images/json | jq '.[0].Size')" ]
    [ "$(status POST '/images/busybox/tag?repo=UPPER')" = 400 ]
    [ "$(status GET '/images/json?filters=%7B%22nonsense%22:%5B%22x%22%5D%7D')" = 400 ]
    [ "$(status GET '/images/json?filters=%7B')" = 400 ]
    [ "$(api DELETE /images/team/app:v1 | jq -c .)" = '[{"Untagged":"team/app:v1"}]' ]
    [ "$(api GET /images/team/app:v1/json | message)" = "No such image: team/app:v1" ]
    [ "$(api GET /images/nothing/json | message)" = "No such image: nothing:latest" ]
}

@test "images: save, remove, load" {
    local id
    api POST /images/prune # what an earlier import of busybox left
    api GET '/images/get?names=busybox' -o "$BATS_TEST_TMPDIR/saved.tar"
    tar -tf "$BATS_TEST_TMPDIR/saved.tar" | grep -q '^manifest.json$'
    id=$(api GET /images/busybox/json | jq -r .Id)
    run api DELETE /images/busybox
    [ "$(jq -r '.[0].Untagged' <<<"$output")" = busybox:latest ]
    [ "$(jq -r '.[1].Deleted' <<<"$output")" = "$id" ]
    [ -z "$(ls "$KEG_ROOT/data/blobs/sha256")" ]
    [ -z "$(ls "$KEG_ROOT/data/layers")" ]
    run api POST /images/load -T "$BATS_TEST_TMPDIR/saved.tar"
    [[ $output == *'Loaded image: busybox:latest'* ]]
    [ "$(api GET /images/busybox/json | jq -r .Id)" = "$id" ]
}

@test "images: an upload that breaks off leaves nothing" {
    local blobs
    blobs=$(ls "$KEG_ROOT/data/blobs/sha256")
    (head -c 512 "$KEG_ROOT/busybox/bin/busybox"; sleep 5) |
        timeout 1 curl -s --unix-socket "$KEG_ROOT/run/keg.sock" -T - 'http://keg/images/create?fromSrc=-&repo=half' -X POST || :
    eventually eval '[ "$(status GET /images/half/json)" = 404 ]'
    [ "$(ls "$KEG_ROOT/data/blobs/sha256")" = "$blobs" ]
    [[ $(api POST /images/load -d garbage -H 'Content-Type: application/x-tar') == '{"errorDetail":{"message":"'* ]]
}

@test "images: in use" {
    post_json '/containers/create?name=user' '{"Image":"busybox","HostConfig":{"NetworkMode":"none"}}'
    [[ $(api DELETE /images/busybox | message) == 'conflict: unable to remove repository reference "busybox" (must force) - container '*' is using its referenced image '* ]]
    [ "$(status DELETE /images/busybox)" = 409 ]
    id=$(api GET /images/busybox/json | jq -r .Id)
    [[ $(api DELETE "/images/${id#sha256:}" | message) == "conflict: unable to delete "*" (must be forced) - image is being used by stopped container "* ]]
    # by force, the container keeps what it stands on
    [ "$(status DELETE '/images/busybox?force=1')" = 200 ]
    [ "$(status GET /images/busybox/json)" = 404 ]
    [ -n "$(ls "$KEG_ROOT/data/layers")" ]
    [ "$(status POST /containers/user/start)" = 204 ]
    [ "$(status DELETE '/containers/user?force=1')" = 204 ]
    api POST /images/prune
    [ -z "$(ls "$KEG_ROOT/data/layers")" ]
    image_busybox
}

@test "images: names and layers last over a kill" {
    local before
    before=$(api GET /images/json | jq -S .)
    kegd_kill KILL
    touch "$KEG_ROOT/data/blobs/sha256/$(printf 'f%.0s' $(seq 64))"
    kegd_start --bridge none --log-level debug
    [ "$(api GET /images/json | jq -S .)" = "$before" ]
    [ ! -e "$KEG_ROOT/data/blobs/sha256/$(printf 'f%.0s' $(seq 64))" ]
    # a layer that was unpacked, but whose image was never recorded
    kegd_kill KILL
    python3 -c 'import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("DELETE FROM images"); db.execute("DELETE FROM image_names"); db.commit()' "$KEG_ROOT/data/keg.db"
    kegd_start --bridge none --log-level debug
    [ "$(api GET /images/json)" = "[]" ]
    [ -z "$(ls "$KEG_ROOT/data/blobs/sha256")$(ls "$KEG_ROOT/data/layers")" ]
    image_busybox
}

# ---- volumes and networks ----

@test "volumes" {
    run post_json /volumes/create '{"Name":"data","Labels":{"a":"b"}}'
    [ "$(jq -r .Mountpoint <<<"$output")" = "$KEG_ROOT/data/volumes/data/_data" ]
    [ -d "$KEG_ROOT/data/volumes/data/_data" ]
    [ "$(api GET '/volumes?filters=%7B%22label%22:%5B%22a=b%22%5D%7D' | jq -r '.Volumes[].Name')" = data ]
    [ "$(api GET '/volumes?filters=%7B%22label%22:%5B%22a=c%22%5D%7D' | jq -r '.Volumes | length')" = 0 ]
    post_json '/containers/create?name=keeper' '{"Image":"busybox","HostConfig":{"Binds":["data:/data"]}}'
    [[ $(api DELETE /volumes/data | message) == "remove data: volume is in use - ["*"]" ]]
    [ "$(status DELETE /volumes/data)" = 409 ]
    [ "$(status DELETE /containers/keeper)" = 204 ]
    [ "$(status DELETE /volumes/data)" = 204 ]
    [ ! -e "$KEG_ROOT/data/volumes/data" ]
    [ "$(api DELETE /volumes/data | message)" = "get data: no such volume" ]
    [ "$(status DELETE '/volumes/data?force=1')" = 204 ]
    [ "$(status POST /volumes/create -H 'Content-Type: application/json' -d '{"Name":"../x"}')" = 400 ]
    [ "$(status POST /volumes/create -H 'Content-Type: application/json' -d '{"Name":"xx","Driver":"nfs"}')" = 404 ]
}

@test "volumes: prune takes anonymous ones only, unless told" {
    local anonymous
    anonymous=$(post_json /volumes/create '{}' | jq -r .Name)
    [ ${#anonymous} = 64 ]
    post_json /volumes/create '{"Name":"named"}'
    [ "$(api POST /volumes/prune | jq -r '.VolumesDeleted | index("named")')" = null ]
    [ "$(status GET "/volumes/$anonymous")" = 404 ]
    [ "$(status GET /volumes/named)" = 200 ]
    post_json /volumes/create '{"Name":"older"}'
    [ "$(api POST /v1.41/volumes/prune | jq -r '.VolumesDeleted | index("older") != null')" = true ]
    post_json /volumes/create '{"Name":"named"}'
    [ "$(api POST '/volumes/prune?filters=%7B%22all%22:%5B%22true%22%5D%7D' | jq -r '.VolumesDeleted | index("named") != null')" = true ]
}

@test "networks: the predefined ones" {
    [ "$(api GET /networks | jq -r '[.[].Name] | sort | join(" ")')" = "host none" ]
    [ "$(api GET /networks/host | jq -r .Driver)" = host ]
    [ "$(api DELETE /networks/host | message)" = "host is a pre-defined network and cannot be removed" ]
    [ "$(status DELETE /networks/host)" = 403 ]
    [ "$(api GET /networks/nope | message)" = "network nope not found" ]
}

# ---- kegd ----

@test "kegd: a second one on the same data is refused, by pid" {
    run "$KEG_BUILD/kegd" --bridge none --data-root "$KEG_ROOT/data" --exec-root "$KEG_ROOT/other"
    [ "$status" = 1 ]
    [[ $output == *"$KEGD_PID"* ]]
    [ "$(status GET /_ping)" = 200 ]
}

@test "kegd: modes of its directories and of its socket" {
    [ "$(stat -c %a "$KEG_ROOT/data")" = 710 ]
    [[ $(stat -c %a "$KEG_ROOT/run") == 7[01][01] ]]
    [[ $(stat -c %a "$KEG_ROOT/run/keg.sock") == 6[06]0 ]]
}

@test "kegd: SIGHUP reads the configuration again" {
    local root=$BATS_TEST_TMPDIR/reload
    mkdir -p "$root"
    echo '{"log-level":"info"}' >"$root/daemon.json"
    "$KEG_BUILD/kegd" --bridge none --data-root "$root/data" --exec-root "$root/run" --config-file "$root/daemon.json" \
        -H "unix://$root/a.sock" -H tcp://127.0.0.1:23999 >"$root/log" 2>&1 3>&- </dev/null &
    pid=$!
    eventually curl -sf --unix-socket "$root/a.sock" http://keg/_ping
    curl -sf http://127.0.0.1:23999/_ping
    echo '{"log-level":"debug"}' >"$root/daemon.json"
    kill -HUP $pid
    eventually grep -q 'configuration reloaded: log level debug' "$root/log"
    echo '{"nonsense":1}' >"$root/daemon.json"
    kill -HUP $pid
    eventually grep -q 'configuration not reloaded' "$root/log"
    kill -TERM $pid
    wait $pid
    [ ! -e "$root/a.sock" ]
}

@test "kegd: SIGTERM ends it even while clients wait" {
    local root=$BATS_TEST_TMPDIR/term
    mkdir -p "$root"
    "$KEG_BUILD/kegd" --bridge none --data-root "$root/data" --exec-root "$root/run" >"$root/log" 2>&1 3>&- </dev/null &
    pid=$!
    eventually curl -sf --unix-socket "$root/run/keg.sock" http://keg/_ping
    curl -sN --unix-socket "$root/run/keg.sock" http://keg/events >/dev/null 3>&- &
    client=$!
    sleep 0.3
    kill -TERM $pid
    timeout 5 tail --pid=$pid -f /dev/null
    wait $pid
    wait $client || :
}

# ---- streams that outlive kegd ----

@test "attach goes on when kegd is killed" {
    local way
    for way in "" plain; do
        post_json '/containers/create?name=cat' '{"Image":"busybox","Cmd":["cat"],"OpenStdin":true,"Tty":true,"HostConfig":{"NetworkMode":"none"}}'
        [ "$(status POST /containers/cat/start)" = 204 ]
        # shellcheck disable=SC2086
        run "$BATS_TEST_DIRNAME/api_hijack.py" "$KEG_ROOT/run/keg.sock" cat "$KEGD_PID" $way
        [ "${lines[-1]}" = ok ] || { echo "$output"; false; }
        kegd_start --bridge none --log-level debug
        [ "$(api GET /containers/cat/json | jq -r .State.Running)" = true ]
        [ "$(status DELETE '/containers/cat?force=1')" = 204 ]
    done
}
