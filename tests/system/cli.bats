#!/usr/bin/env bats
# keg, the command line, with a real kegd: what people type, what they see, what scripts rely on.
# shellcheck disable=SC2016
bats_require_minimum_version 1.5.0

setup_file() {
    load lib
    require root curl python3
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

@test "help: keg itself, a group, a command by all its names" {
    run -0 keg --help
    [[ $output == *"Common Commands:"*"  run  "*"Management Commands:"*"  container  "*"Global Options:"* ]]
    run -0 keg container --help
    [[ $output == "Usage:  keg container COMMAND"*"  prune  "* ]]
    run -0 keg container ls --help
    [[ $output == "Usage:  keg container ls [OPTIONS]"*"keg container ls, keg container list, keg container ps, keg ps"* ]]
    run -0 keg help ps
    [[ $output == "Usage:  keg ps [OPTIONS]"* ]]
}

@test "help: no line is wider than the 80 columns of no terminal" {
    local command
    for command in run create exec ps images "network create" events; do
        # shellcheck disable=SC2086
        run -0 keg $command --help
        [ "$(sed -n '/^Options:/,$p' <<<"$output" | awk 'length > 80' | wc -l)" -eq 0 ] || { echo "$command"; false; }
    done
}

@test "mistakes: unknown commands, options and counts have docker's words and codes" {
    run -1 keg imgaes
    [[ $output == *"keg: unknown command: keg imgaes"*"keg images"* ]]
    run -125 keg run --nope x
    [ "${lines[0]}" = "unknown flag: --nope" ]
    run -125 keg ps --filter x
    [[ $output == 'invalid argument "x" for "-f, --filter" flag: bad format of filter (expected name=value)'* ]]
    run -1 keg stop
    [ "${lines[0]}" = "keg: 'keg stop' requires at least 1 argument" ]
    run -1 keg ps x
    [ "${lines[0]}" = "keg: 'keg ps' accepts no arguments" ]
    run -1 keg swarm init
    [ "$output" = "keg swarm: not implemented by keg" ]
}

@test "no daemon: says where it looked, and starts none where it shouldn't" {
    KEG_HOST=unix://$KEG_ROOT/nothing.sock run -1 keg ps
    [[ $output == "Cannot connect to the keg daemon at unix://$KEG_ROOT/nothing.sock. Is kegd running?"* ]]
    run -1 keg -H nothing://x ps
    [[ $output == 'unable to parse docker host `nothing://x`'* ]]
}

@test "run: streams apart, exit codes 0, 7, 125, 126, 127" {
    run -7 --separate-stderr keg run --rm busybox sh -c 'echo out; echo err >&2; exit 7'
    [ "$output" = out ]
    [ "$stderr" = err ]
    run -127 keg run --rm busybox nosuchprogram
    run -126 keg run --rm busybox /etc
    run -125 keg run --rm --pull never nosuchimage
}

@test "run -i: a large input goes through both ways without a deadlock" {
    local sum
    sum=$(head -c 8000000 /dev/zero | tr '\0' x | sha256sum)
    [ "$(head -c 8000000 /dev/zero | tr '\0' x | timeout 30 keg run --rm -i busybox cat | sha256sum)" = "$sum" ]
}

@test "run -d, ps, inspect, logs, stop, rm" {
    id=$(keg run -d --name cli-web --label a=b -e X=1 busybox sh -c 'echo hello; exec sleep 100')
    [ ${#id} -eq 64 ]
    [ "$(keg ps --filter name=cli-web --format '{{.ID}} {{.Names}} {{.Label "a"}}')" = "${id:0:12} cli-web b" ]
    [ "$(keg ps -q --no-trunc --filter name=cli-web)" = "$id" ]
    [ "$(keg inspect -f '{{.State.Status}} {{index .Config.Labels "a"}}' cli-web)" = "running b" ]
    eventually sh -c '[ "$(keg logs cli-web)" = hello ]'
    [ "$(keg exec cli-web sh -c 'echo $X')" = 1 ]
    run -9 keg exec cli-web sh -c 'exit 9'
    [ "$(keg stop -t 0 cli-web)" = cli-web ]
    [ "$(keg rm cli-web)" = cli-web ]
    run -1 keg inspect cli-web
    [[ $output == *"Error: No such object: cli-web"* ]]
}

@test "ps: the table has docker's headings and lines up" {
    run -0 keg ps
    [ "${lines[0]}" = "CONTAINER ID   IMAGE     COMMAND   CREATED   STATUS    PORTS     NAMES" ]
}

@test "--format: what goes wrong is said as Go says it" {
    run -1 keg ps --format '{{'
    [ "$output" = "failed to parse template: template: :1: unclosed action" ]
    run -64 keg inspect -f '{{end}}' x
    [ "$output" = "template parsing error: template: :1: unexpected {{end}}" ]
    run -1 keg inspect -f '{{.Foo}}' busybox
    [[ $output == *'executing "" at <.Foo>: map has no entry for key "Foo"'* ]]
}

@test "run -t: a terminal of its own, sized as ours" {
    run -0 script -qec "stty rows 31 cols 77; keg run --rm -it busybox stty size" /dev/null
    [[ $output == *"31 77"* ]]
}

@test "signals reach the program" {
    keg run --name cli-sig busybox sh -c 'trap "exit 42" TERM; echo ready; while :; do sleep 0.05; done' >"$KEG_ROOT/sig" &
    pid=$!
    eventually grep -q ready "$KEG_ROOT/sig"
    kill -TERM "$pid"
    code=0
    wait "$pid" || code=$?
    [ "$code" -eq 42 ]
    keg rm cli-sig
}

@test "tag, images, history, rmi" {
    keg tag busybox cli/copy:v1
    [ "$(keg images --format '{{.Repository}}:{{.Tag}}' cli/copy)" = "cli/copy:v1" ]
    run -0 keg rmi cli/copy:v1
    [ "${lines[0]}" = "Untagged: cli/copy:v1" ]
    run -1 keg tag busybox Upper
    [[ $output == *"must be lowercase"* ]]
    run -0 keg history busybox
    [[ ${lines[0]} == "IMAGE          CREATED"* ]]
}

@test "volumes and networks: create, list, inspect, remove" {
    [ "$(keg volume create cli-vol --label x=y)" = cli-vol ]
    [ "$(keg volume ls -q --filter name=cli-vol)" = cli-vol ]
    [ "$(keg volume inspect -f '{{.Labels.x}}' cli-vol)" = y ]
    [ "$(keg volume rm cli-vol)" = cli-vol ]
    run -0 keg network ls --format '{{.Name}}'
    [[ $output == *bridge*host*none* ]]
}

@test "--env-file takes a pipe; --cidfile isn't overwritten" {
    [ "$(keg run --rm --env-file <(echo FROM=pipe) busybox sh -c 'echo $FROM')" = pipe ]
    keg create --name cli-cid --cidfile "$KEG_ROOT/cid" busybox >/dev/null
    [ "$(cat "$KEG_ROOT/cid")" = "$(keg inspect -f '{{.Id}}' cli-cid)" ]
    run -1 keg create --cidfile "$KEG_ROOT/cid" busybox # run's failures end with 125, create's only if an option is wrong
    [ "$output" = "container ID file found, make sure the other container isn't running or delete $KEG_ROOT/cid" ]
    run -1 keg create --name cli-cid busybox
    [[ $output == 'Error response from daemon: Conflict.'* ]]
    run -125 keg create --pull sometimes busybox
    keg rm cli-cid
}

@test "the third SIGTERM ends a client whose container heeds none" {
    local pid code
    keg run --name cli-deaf busybox sh -c 'trap "" TERM; echo up; sleep 100' >"$KEG_ROOT/deaf" 2>&1 3>&- &
    pid=$!
    eventually grep -q up "$KEG_ROOT/deaf"
    for _ in 1 2 3; do
        kill -0 "$pid"
        kill -TERM "$pid"
        sleep 0.2 # two of a kind at once are one
    done
    code=0
    wait "$pid" || code=$?
    [ "$code" = 1 ]
    grep -q 'got 3 SIGTERM/SIGINTs, forcefully exiting' "$KEG_ROOT/deaf"
    [ "$(keg inspect -f '{{.State.Running}}' cli-deaf)" = true ]
    keg rm -f cli-deaf
}

@test "login keeps credentials as docker does, logout removes them" {
    mkdir -p "$KEG_ROOT/config"
    printf '{"auths":{"r.example":{"auth":"%s"}}}' "$(printf 'me:secret' | base64)" >"$KEG_ROOT/config/config.json"
    run -0 keg --config "$KEG_ROOT/config" logout r.example
    [ "$output" = "Removing login credentials for r.example" ]
    [ "$(python3 -c 'import json,sys; print(json.load(open(sys.argv[1])))' "$KEG_ROOT/config/config.json")" = "{'auths': {}}" ]
    [ "$(stat -c %a "$KEG_ROOT/config/config.json")" = 600 ]
}

@test "--use-api-socket: the daemon's socket, and the user's credentials in a file of root's alone" {
    local auth
    mkdir -p "$KEG_ROOT/api"
    auth=$(printf 'me:secret' | base64)
    printf '{"auths":{"r.example":{"auth":"%s"}},"psFormat":"x"}' "$auth" >"$KEG_ROOT/api/config.json"
    run -0 keg --config "$KEG_ROOT/api" run --rm --network none --use-api-socket busybox sh -c 'ls -l $DOCKER_CONFIG; cat $DOCKER_CONFIG/config.json; [ -S /var/run/docker.sock ] && echo socket'
    [[ $output == *"-rw-------"*" root "*" root "*"config.json"*"\"r.example\": {"*"\"auth\": \"$auth\""*"socket" && $output != *psFormat* ]]
    run -0 keg --config "$KEG_ROOT/api" create --name api-socket --use-api-socket -e DOCKER_CONFIG=/mine busybox
    [ "$(keg inspect -f '{{range .HostConfig.Mounts}}{{.Type}} {{.Source}} {{.Target}}{{end}}' api-socket)" = "bind ${KEG_HOST#unix://} /var/run/docker.sock" ]
    [[ $(keg inspect -f '{{.Config.Env}}' api-socket) == *"DOCKER_CONFIG=/mine"* ]]
    refute keg cp api-socket:/run/secrets/docker/config.json - >/dev/null 2>&1
    keg rm api-socket
    echo '{"credsStore":"absent"}' >"$KEG_ROOT/api/config.json"
    run -0 --separate-stderr keg --config "$KEG_ROOT/api" run --rm --network none --use-api-socket busybox sh -c 'echo "[$DOCKER_CONFIG]"'
    [ "$output" = "[]" ]
}

@test "no daemon at the default place: keg starts one, once, for all who ask" {
    run -0 --separate-stderr unshare -m --propagation private bash -c '
        unset KEG_HOST
        mkdir -p /run/keg /var/lib/keg
        mount -t tmpfs tmpfs /run/keg && mount -t tmpfs tmpfs /var/lib/keg
        for i in 1 2 3 4; do keg ps -q 7>/run/keg/callers & done
        wait
        grep -c "API listen" /run/keg/kegd.log
        daemon=$(cat /run/keg/keg.lock)
        readlink /proc/"$daemon"/fd/* | grep -c callers
        kill -KILL "$daemon"
        true'
    [ "$output" = $'1\n0' ]
    [ -z "$stderr" ]
}

@test "save: a file is replaced as a whole or not at all, and nothing but a file" {
    mkdir "$KEG_ROOT/out"
    cd "$KEG_ROOT/out"
    echo old >old.tar
    ln -s old.tar link.tar
    run -1 keg save -o old.tar no-such-image
    [ "$(cat old.tar)" = old ]
    keg save -o link.tar busybox
    [ -L link.tar ]
    tar tf old.tar | grep -qx index.json
    run -1 keg save -o none/x.tar busybox
    [ "$output" = "failed to save image: invalid output path: stat none: no such file or directory" ]
    run -1 keg save -o . busybox
    mknod null c 1 3
    run -1 keg save -o null busybox
    [ -c null ]
    keg save -o /dev/stdout busybox | cmp - old.tar
    [ "$(ls)" = $'link.tar\nnull\nold.tar' ]
}

@test "system df -v: images, containers and volumes one by one" {
    keg create --name df-one -v df-volume:/v busybox true
    run -0 keg system df -v
    [[ "$output" == "Images space usage:"*"UNIQUE SIZE   CONTAINERS"*busybox*"Containers space usage:"*df-one*"Local Volumes space usage:"*df-volume*"Build cache usage: 0B"* ]]
    keg rm -v df-one
    keg volume rm df-volume
}

@test "what was said before an error comes first in a pipe; reserved and ambiguous names" {
    [ "$(keg pull scratch 2>&1 || :)" = $'Using default tag: latest\nError response from daemon: \'scratch\' is a reserved name' ]
    run -1 keg tag busybox "$(printf 'a%.0s' {1..64})"
    [[ $output == *"cannot specify 64-byte hexadecimal strings" ]]
}

@test "stop and rm: all of their arguments at once; results in their order" {
    local i
    mkdir "$KEG_ROOT/turns"
    # each ends only once all three have been told to
    for i in 1 2 3; do
        keg run -d --name "turn$i" --network none -v "$KEG_ROOT/turns:/turns" busybox sh -c "
            trap 'touch /turns/told$i; while [ ! -e /turns/told1 ] || [ ! -e /turns/told2 ] || [ ! -e /turns/told3 ]; do sleep 0.05; done; exit 7' TERM
            touch /turns/ready$i
            while :; do sleep 0.05; done"
    done
    all_ready() { [ -e "$KEG_ROOT/turns/ready1" ] && [ -e "$KEG_ROOT/turns/ready2" ] && [ -e "$KEG_ROOT/turns/ready3" ]; }
    eventually all_ready
    run -1 keg stop -t 20 turn1 nobody turn2 turn3
    [ "$output" = $'turn1\nError response from daemon: No such container: nobody\nturn2\nturn3' ]
    [ "$(keg inspect -f '{{.State.ExitCode}}' turn1 turn2 turn3 | sort -u)" = 7 ]
    run -0 keg rm turn3 turn1 turn2
    [ "$output" = $'turn3\nturn1\nturn2' ]
    run -1 keg rm turn1 turn2
    [ "$output" = $'Error response from daemon: No such container: turn1\nError response from daemon: No such container: turn2' ]
    run -0 keg rm -f turn1 turn2
}

@test "config.json: formats of lists, headers of requests, filters of prune" {
    local config=$KEG_ROOT/config
    mkdir -p "$config"
    cat >"$config/config.json" <<'END'
{"psFormat": "{{.Names}}!", "imagesFormat": "{{.Repository}}!", "networksFormat": "{{.Name}}!", "volumesFormat": "{{.Name}}!",
 "statsFormat": "{{.Name}} {{.PIDs}}!", "pruneFilters": ["label!=keep"],
 "HttpHeaders": {"X-Meta": "one two", "X-Bad": "a\r\nX-Injected: b", "Content-Length": "5"}}
END
    keg run -d --name conf busybox sleep 1000
    export DOCKER_CONFIG=$config
    [ "$(keg ps)" = 'conf!' ]
    [ "$(keg ps --format '{{.Names}}')" = conf ]
    [[ "$(keg ps --format table)" == CONTAINER* ]]
    [[ "$(keg ps -q)" =~ ^[0-9a-f]{12}$ ]]
    keg images | grep -qx 'busybox!'
    [ "$(keg network ls | tr '\n' ' ')" = "bridge! host! none! " ]
    keg volume create confvol
    keg volume ls | grep -qx 'confvol!'
    [ "$(keg stats --no-stream conf)" = 'conf 1!' ]
    # what the file spares, unless the command line says otherwise
    keg create --name kept --label keep busybox true
    keg create --name gone busybox true
    keg container prune -f
    [ "$(keg ps -a --format '{{.Names}}' | sort | tr '\n' ' ')" = "conf kept " ]
    keg container prune -f --filter label=keep
    [ "$(keg ps -a --format '{{.Names}}')" = conf ]
    keg rm -f conf
    keg volume rm confvol
    tar -cf "$KEG_ROOT/one.tar" -C "$config" config.json
    "$BATS_TEST_DIRNAME/fake_daemon.py" "$KEG_ROOT/fake.sock" "$KEG_ROOT/one.tar" config.json 420 >"$KEG_ROOT/said" 3>&- &
    eventually grep -q ready "$KEG_ROOT/said"
    KEG_HOST=unix://$KEG_ROOT/fake.sock keg cp c1:/config.json - >/dev/null
    kill $!
    wait $! || :
    grep -qx 'X-Meta: one two' "$KEG_ROOT/said"
    refute grep -qi -e Injected -e 'Content-Length: 5' "$KEG_ROOT/said"
}

@test "compose: the one that is installed, with this daemon; none is an error that says what to install" {
    mkdir -p "$KEG_ROOT/docker/cli-plugins"
    cat >"$KEG_ROOT/docker/cli-plugins/docker-compose" <<'S'
#!/bin/sh
echo "$DOCKER_HOST ${DOCKER_CONTEXT-none}" "$@"
exit 3
S
    DOCKER_CONTEXT=default PATH=$KEG_BUILD run -1 keg --config "$KEG_ROOT/docker" compose -f x --help up # not executable yet
    [[ $output == *"permission denied"* ]] || [[ $output == *"is installed: on Debian, apt-get install docker-compose"* ]]
    chmod +x "$KEG_ROOT/docker/cli-plugins/docker-compose"
    DOCKER_CONTEXT=default run -3 keg --config "$KEG_ROOT/docker" compose -f x --help up
    [ "$output" = "$KEG_HOST none -f x --help up" ]
}
