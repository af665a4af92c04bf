#!/usr/bin/env bats
# What is asked of registries without taking an image: distribution inspect, tags (pull --all-tags), search.

setup_file() {
    load lib
    load registry
    require root curl jq docker-registry skopeo
    kegd_start
    image_busybox
    registry_start registry 127.0.0.1:5000
    server_start "$KEG_ROOT/index" python3 "$BATS_TEST_DIRNAME/search_index.py" 5003
    eventually curl -sf --max-time 5 127.0.0.1:5003/v2/
    for tag in a b c; do
        keg tag busybox "127.0.0.1:5000/many:$tag"
        keg push -q "127.0.0.1:5000/many:$tag"
    done
}

teardown_file() {
    load lib
    load registry
    servers_stop
    kegd_stop
}

setup() {
    load lib
}

@test "remote: what a tag is, without pulling it" {
    api GET /v1.51/distribution/127.0.0.1:5000/many:a/json >"$KEG_ROOT/answer"
    cat "$KEG_ROOT/answer"
    local raw
    raw=$(skopeo inspect --tls-verify=false --raw docker://127.0.0.1:5000/many:a | sha256sum | cut -d' ' -f1)
    jq -e --arg d "sha256:$raw" '.Descriptor.digest == $d and .Descriptor.size > 100 and (.Descriptor.mediaType | startswith("application/vnd.oci.image.manifest")) and (.Platforms | length) == 1 and .Platforms[0].os == "linux"' "$KEG_ROOT/answer"
    [ "$(api GET /v1.51/distribution/127.0.0.1:5000/many:none/json -o /dev/null -w '%{http_code}')" = 404 ]
}

@test "remote: all tags of a repository are pulled" {
    keg rmi 127.0.0.1:5000/many:a 127.0.0.1:5000/many:b 127.0.0.1:5000/many:c
    keg pull -a 127.0.0.1:5000/many
    [ "$(keg images --format '{{.Tag}}' 127.0.0.1:5000/many | sort | tr '\n' ' ')" = "a b c " ]
    run keg pull -a 127.0.0.1:5000/nothing
    [ "$status" = 1 ]
    run keg pull -a 127.0.0.1:5000/many:a
    [[ "$output" == *"tag can't be used with --all-tags/-a"* ]]
}

@test "remote: tags on many pages, and a registry that leads in circles" {
    python3 "$BATS_TEST_DIRNAME/fake_registry.py" "$KEG_ROOT/fake" 3>&- </dev/null &
    local pid=$! port
    eventually test -s "$KEG_ROOT/fake"
    port=$(cat "$KEG_ROOT/fake")
    run keg pull -a "127.0.0.1:$port/pages/box"
    kill "$pid"
    wait "$pid" || :
    echo "$output"
    [ "$status" = 0 ]
    [ "$(keg images --format '{{.Tag}}' "127.0.0.1:$port/pages/box" | sort | tr '\n' ' ')" = "a b c " ]
}

@test "remote: search" {
    run keg search 127.0.0.1:5003/box
    echo "$output"
    [ "$status" = 0 ]
    [[ "${lines[0]}" =~ ^NAME\ +DESCRIPTION\ +STARS\ +OFFICIAL$ ]]
    [[ "${lines[1]}" =~ ^box0\ +a\ few\ +10\ +\[OK\]$ ]]
    [[ "${lines[2]}" == *"…"* ]]
    [ "${#lines[@]}" = 6 ]
    [ "$(keg search --limit 2 --format '{{.Name}}' 127.0.0.1:5003/box | tr '\n' ' ')" = "box0 box1 " ]
    [ "$(keg search -f is-official=true --format '{{.Name}}' 127.0.0.1:5003/box)" = box0 ]
    [ "$(keg search -f stars=9 --format '{{.Name}}' 127.0.0.1:5003/box | tr '\n' ' ')" = "box0 box1 " ]
    run keg search --limit 101 127.0.0.1:5003/box
    [[ "$output" == *"outside the range of [1, 100]"* ]]
    run keg search -f colour=red 127.0.0.1:5003/box
    [[ "$output" == *"invalid filter 'colour'"* ]]
}

@test "remote: import from a URL, resumed and refused" {
    mkdir -p "$KEG_ROOT/www"
    tar -C "$KEG_ROOT/busybox" -c . >"$KEG_ROOT/www/busybox.tar"
    head -c 100000 "$KEG_ROOT/www/busybox.tar" >"$KEG_ROOT/www/half.tar"
    (cd "$KEG_ROOT/www" && exec python3 -m http.server --bind 127.0.0.1 5005 >/dev/null 2>&1 3>&- </dev/null) &
    local pid=$!
    eventually curl -sf --max-time 5 127.0.0.1:5005/half.tar -o /dev/null
    run keg import -c 'CMD ["echo","from afar"]' http://127.0.0.1:5005/busybox.tar afar:1
    echo "$output"
    [ "$status" = 0 ]
    [[ "${lines[0]}" == "Downloading from http://127.0.0.1:5005/busybox.tar"* ]]
    [ "$(keg run --rm --network none afar:1)" = "from afar" ]
    leftovers >"$KEG_ROOT/before"
    run keg import http://127.0.0.1:5005/half.tar afar:2
    [ "$status" = 1 ]
    run keg import http://127.0.0.1:5005/none.tar afar:2
    echo "$output"
    [ "$status" = 1 ]
    [[ "$output" == *"the server answered with status 404"* ]]
    kill "$pid"
    wait "$pid" || :
    run keg import http://127.0.0.1:5005/busybox.tar afar:2
    [ "$status" = 1 ]
    [[ "$output" == *"connection refused"* ]]
    leftovers | diff "$KEG_ROOT/before" -
}
