#!/usr/bin/env bats
# kegd driven by clients that others wrote: python3-docker, dockerode, testcontainers, docker compose (its plugin, and docker-compose 1). What isn't installed is
# skipped; NODE_PATH says where dockerode and testcontainers are, otherwise they are what clients.prepare has fetched.

bats_require_minimum_version 1.5.0

setup_file() {
    load lib
    require root curl ip
    ip link set lo up
    kegd_start
    image_busybox
}

teardown_file() {
    load lib
    kegd_stop
}

setup() {
    load lib
    CLIENTS=$BATS_TEST_DIRNAME/../clients
    export NODE_PATH=${NODE_PATH:-$KEG_BUILD/cache/clients/node_modules}
    export DOCKER_HOST=$KEG_HOST SOCKET=$KEG_ROOT/run/keg.sock TESTCONTAINERS_RYUK_DISABLED=true
}

teardown() {
    local ids
    ids=$(keg ps -aq)
    # shellcheck disable=SC2086
    [ -z "$ids" ] || keg rm -fv $ids >/dev/null
}

# Every line of a client's report is "ok …", and there are as many as it has tests.
reports() { # COUNT COMMAND…
    run "${@:2}"
    [ "$status" = 0 ] && [ "$(grep -c '^ok ' <<<"$output")" = "$1" ] && ! grep -vq '^ok ' <<<"$output" && return
    echo "$output"
    return 1
}

@test "python3-docker: containers, execs, streams, networks, volumes, events" {
    /usr/bin/python3 -c 'import docker' 2>/dev/null || skip "needs python3-docker"
    reports 11 env PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 "$CLIENTS/docker_py.py"
}

@test "dockerode: containers, execs, streams, networks, events" {
    node -e 'require("dockerode")' 2>/dev/null || skip "needs dockerode (npm)"
    reports 8 node "$CLIENTS/dockerode.js"
}

@test "testcontainers: waits, ports, networks, files" {
    node -e 'require("testcontainers")' 2>/dev/null || skip "needs testcontainers (npm)"
    reports 4 node "$CLIENTS/testcontainers.js"
}

app() { # COMPOSE FILE: a directory with it, to work in
    mkdir -p "$KEG_ROOT/app"
    cp "$CLIENTS/$1" "$KEG_ROOT/app/compose.yaml"
    echo s3cret >"$KEG_ROOT/app/secret"
    cd "$KEG_ROOT/app"
}

nothing_left() {
    [ -z "$(keg ps -aq)$(keg volume ls -q)$(keg network ls -q --filter type=custom)" ]
}

@test "docker-compose 1: up, names, health, scale, exec, logs, pause, stop, start, down -v" {
    command -v docker-compose >/dev/null || skip "needs docker-compose"
    app compose1.yaml
    compose() { keg compose --ansi never "$@"; } # which passes all of it on
    compose config -q
    compose up -d
    [ "$(keg ps -a --format '{{.Names}}' | sort | tr '\n' ' ')" = "app_db_1 app_fixed_1 app_once_1 app_web_1 " ]
    [ "$(keg inspect -f '{{.State.Health.Status}}' app_db_1)" = healthy ]
    [ "$(keg wait app_once_1)" = 0 ]
    [ "$(compose exec -T web cat /run/secrets/sec)" = s3cret ]
    compose exec -T web nslookup database
    compose exec -T fixed ip addr show | grep -q 'inet 10.123.0.5/24'
    [[ $(compose port web 80) == 127.0.0.1:* ]]
    compose up -d --scale web=3
    [ "$(compose ps -q web | wc -l)" = 3 ]
    [ "$(compose logs --no-color web | grep -c started)" = 3 ]
    compose top web | grep -q nc
    compose pause fixed
    [ "$(keg inspect -f '{{.State.Status}}' app_fixed_1)" = paused ]
    compose unpause fixed
    compose kill web
    compose rm -f -s web
    [ -z "$(compose ps -q web)" ]
    compose run --rm -T once nslookup db
    compose --profile debug up -d dbg
    compose stop -t 0
    compose start
    compose --profile debug down -v -t 1 --remove-orphans
    nothing_left
}

@test "docker compose: up, names, health, scale, exec, logs, cp, restart, down -v" {
    docker compose version >/dev/null 2>&1 || skip "needs docker compose"
    app compose.yaml
    compose() { docker compose --ansi never --progress plain "$@"; }
    compose config -q
    compose up -d
    [ "$(compose ps -a --format '{{.Service}} {{.State}} {{.Health}}' | sort | tr '\n' ',')" = \
        "db running healthy,fixed running ,once exited ,web running ,web running ," ] ||
        [ "$(compose ps --format '{{.Service}}' | sort | uniq -c | tr -s ' \n' ' ')" = " 1 db 1 fixed 2 web " ]
    [ "$(compose exec -T web cat /etc/conf /run/secrets/sec)" = hellos3cret ]
    compose exec -T web nslookup database
    compose exec -T fixed ip addr show | grep -q 'inet 10.123.0.5/24'
    compose exec -T fixed ip addr show | grep -q 'ether 02:42:0a:7b:00:05'
    [[ $(compose port web 80) == 127.0.0.1:* ]]
    compose up -d --scale web=3
    [ "$(compose ps -q web | wc -l)" = 3 ]
    compose cp secret web:/tmp/x
    [ "$(compose exec -T --index 2 web cat /tmp/x)" = s3cret ]
    compose restart -t 0 web
    compose logs --no-color web | grep -q 'started'
    compose top web | grep -q sh
    compose kill web
    compose rm -f -s web
    [ -z "$(compose ps -q web)" ]
    compose run --rm -T once nslookup db
    compose --profile debug up -d dbg
    compose --profile debug down -v -t 1 --remove-orphans
    nothing_left
}
