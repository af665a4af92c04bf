#!/usr/bin/env bats
# Images through a real kegd: what archives may hold and how they may be compressed, what is said where something is missing or
# in the way, and how lists are shown. The sentences are those of Docker's own daemon and client (28.5).

bats_require_minimum_version 1.5.0

setup_file() {
    load lib
    require root curl jq python3 xz bzip2 zstd
    kegd_start --insecure-registry 127.0.0.0/8
    image_busybox
    python3 "$BATS_TEST_DIRNAME/fake_registry.py" "$KEG_ROOT/port" >"$KEG_ROOT/registry.log" 2>&1 3>&- </dev/null &
    export REGISTRY_PID=$!
    disown
    eventually test -s "$KEG_ROOT/port"
    REGISTRY=127.0.0.1:$(cat "$KEG_ROOT/port")
    export REGISTRY
    keg save -o "$KEG_ROOT/busybox.tar" busybox
}

teardown_file() {
    load lib
    kill "$REGISTRY_PID"
    kegd_stop
}

setup() {
    load lib
    WORK=$(mktemp -d "$KEG_ROOT/work.XXXXXX")
    cd "$WORK" || return 1
}

teardown() {
    local ids
    ids=$(keg ps -aq)
    # shellcheck disable=SC2086
    [ -z "$ids" ] || keg rm -f $ids >/dev/null
    keg image prune -af >/dev/null
    keg load -q -i "$KEG_ROOT/busybox.tar" >/dev/null
    rm -rf "$WORK"
}

says() { # what the last command printed, in part
    [[ "$output" == *"$1"* ]] || { printf 'status %s: %s\nexpected: %s\n' "$status" "$output" "$1" >&2; return 1; }
}

same() {
    [ "$1" = "$2" ] || { printf 'is: %s\nexpected: %s\n' "$1" "$2" >&2; return 1; }
}

# busybox:latest as docker's older archive, unpacked into ./image, with these RepoTags (JSON).
older_archive() {
    rm -rf image
    mkdir image
    tar -C image -xf "$KEG_ROOT/busybox.tar"
    rm -f image/index.json image/repositories
    layer=image/layer.tar
    mv "image/$(jq -r '.[0].Layers[0]' image/manifest.json)" $layer
    jq -c --argjson tags "$1" '.[0].RepoTags = $tags | .[0].Layers = ["layer.tar"] | del(.[0].LayerSources)' \
        image/manifest.json >list
    mv list image/manifest.json
}

# ---- archives ----

@test "save: of an image with a missing blob not one byte comes, but the blob's name and the remedy" {
    local blob
    blob=$(jq -r '.[0].Layers[0]' <(tar -xOf "$KEG_ROOT/busybox.tar" manifest.json))
    mv "$KEG_ROOT/data/${blob}" "$WORK/blob"
    run keg save -o x.tar busybox
    mv "$WORK/blob" "$KEG_ROOT/data/$blob.kept"
    [ "$status" = 1 ]
    says "its blob sha256:${blob##*/} is missing from the store"
    says "'keg system check --repair'"
    [ ! -e x.tar ]
    run api GET /images/busybox/get -o body -w '%{http_code}'
    mv "$KEG_ROOT/data/$blob.kept" "$KEG_ROOT/data/$blob"
    same "$output" 500
    jq -e .message body
    keg save busybox | cmp - "$KEG_ROOT/busybox.tar"
}

@test "load: a name in manifest.json is a whole reference or the archive is refused" {
    local tags
    while IFS='|' read -r tags text; do
        older_archive "$tags"
        run keg load < <(tar -C image -c .)
        [ "$status" = 1 ] || { echo "taken: $tags" >&2; false; }
        says "$text"
    done <<'END'
["sha256:abc"]|refusing to create an ambiguous tag using digest algorithm as name
["sha256"]|invalid tag "sha256"
["UPPER:x"]|invalid reference format: repository name (library/UPPER) must be lowercase
[""]|invalid reference format
["a b:1"]|invalid reference format
["noname"]|invalid tag "noname"
["x@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"]|invalid tag "x@sha256:aaaaaaaa
["good:1", "nul:a\u0000b"]|\u0000 is not allowed
[5]|invalid reference format
END
    same "$(keg images --format '{{.Repository}}:{{.Tag}}')" busybox:latest
    older_archive '["localhost/sha256:abc", "docker.io/library/q:1"]'
    same "$(keg load < <(tar -C image -c .))" $'Loaded image: localhost/sha256:abc\nLoaded image: q:1'
    run keg import - sha256:abc < <(tar -C image -c manifest.json)
    says 'refusing to create an ambiguous tag'
    run keg tag busybox sha256:abc
    says 'refusing to create an ambiguous tag'
}

@test "load and import: gzip, zstd, xz and bzip2, around the archive and inside it" {
    local with around id layer tree
    id=$(keg image inspect -f '{{.Id}}' busybox)
    older_archive '["packed:1"]'
    cp $layer plain
    tree=$(keg image inspect -f '{{index .RootFS.Layers 0}}' busybox)
    for with in gzip zstd xz bzip2; do
        $with -qc plain >$layer
        for around in cat $with; do
            keg rmi -f packed:1 >/dev/null 2>&1 || :
            same "$(keg load < <(tar -C image -c . | $around))" 'Loaded image: packed:1'
            same "$(keg image inspect -f '{{.Id}}' packed:1)" "$id"
        done
        same "$(keg import - "imported:$with" < <($with -qc plain) | wc -c)" 72
        same "$(keg image inspect -f '{{index .RootFS.Layers 0}}' "imported:$with")" "$tree"
        same "$(keg run --rm --network none "imported:$with" /bin/busybox echo "$with")" "$with"
        # what it gives away others understand: no media type tells of xz and bzip2
        keg save "imported:$with" | tar -xO manifest.json | jq -e '.[0].LayerSources[].mediaType | test("tar(.gzip|.zstd)?$")'
    done
    run keg import - broken < <(xz -c plain | head -c 100000)
    [ "$status" = 1 ]
    says 'the xz stream is truncated'
    run keg import - broken < <(bzip2 -c plain | head -c -10)
    [ "$status" = 1 ]
    says 'the bzip2 stream is truncated'
    keg system check -q
}

@test "load and import: a file is handed over where that can be, and is sent where it can't" {
    local socket=$KEG_ROOT/run/keg.sock relay
    run python3 "$BATS_TEST_DIRNAME/handed.py" post "$socket" /images/load "$KEG_ROOT/busybox.tar"
    says 'HTTP/1.1 200 OK'
    says 'Loaded image: busybox:latest'
    run python3 "$BATS_TEST_DIRNAME/handed.py" post "$socket" '/images/load?platform=linux/none' "$KEG_ROOT/busybox.tar"
    says 'HTTP/1.1 404 Not Found'
    says '{"message":"the archive has no image of the requested platform (linux/none)"}'
    # a worker reads it: not what can be written to, nor what isn't a file
    same "$(python3 "$BATS_TEST_DIRNAME/handed.py" post "$socket" /images/load "$KEG_ROOT/busybox.tar" rw)" nothing
    same "$(python3 "$BATS_TEST_DIRNAME/handed.py" post "$socket" /images/load /dev/zero)" nothing
    # from where it stands
    (head -c 512 /dev/zero; cat "$KEG_ROOT/busybox.tar") >moved
    { head -c 512 >/dev/null; same "$(keg load)" 'Loaded image: busybox:latest'; } <moved
    # descriptors get lost in a forwarded socket
    python3 "$BATS_TEST_DIRNAME/handed.py" relay "$WORK/relay.sock" "$socket" >relay.log 2>&1 3>&- &
    relay=$!
    eventually grep -q ready relay.log
    same "$(KEG_HOST=unix://$WORK/relay.sock keg load -i "$KEG_ROOT/busybox.tar")" 'Loaded image: busybox:latest'
    same "$(grep -c handed relay.log)" 1
    keg export -o tree.tar "$(keg create busybox)"
    KEG_HOST=unix://$WORK/relay.sock keg import tree.tar tree:sent
    keg import tree.tar tree:handed
    same "$(keg inspect -f '{{.RootFS}}' tree:sent)" "$(keg inspect -f '{{.RootFS}}' tree:handed)"
    kill $relay
}

@test "load: layers compressed with xz and bzip2 by docker's client" {
    require docker
    local with layer
    for with in xz bzip2; do
        older_archive "[\"packed:$with\"]"
        $with -f $layer
        jq -c --arg layer "$(basename $layer.*)" '.[0].Layers = [$layer]' image/manifest.json >list
        mv list image/manifest.json
        tar -C image -c . | $with -c >packed
        same "$(DOCKER_HOST=$KEG_HOST docker load -q -i packed)" "Loaded image: packed:$with"
        same "$(DOCKER_HOST=$KEG_HOST docker import packed "i:$with" | wc -c)" 72
    done
}

# ---- refusals ----

@test "rmi: no name at all" {
    local path
    for path in /images/ /images/%20; do
        same "$(api DELETE $path -w ' %{http_code}')" $'{"message":"image name cannot be blank"}\n 400'
    done
    same "$(api DELETE /images -w ' %{http_code}')" $'{"message":"page not found"}\n 404'
}

# An image on top of another, by a commit of a container that is removed again.
child_of() { # PARENT NAME
    local id
    id=$(keg run -d --network none "$1" /bin/busybox touch "/$2")
    keg wait "$id" >/dev/null
    keg commit "$id" ${2:+"$2"}
    keg rm "$id" >/dev/null
}

@test "rmi: what others were made from stays, and goes with the last of them" {
    local base middle top
    base=$(keg image inspect -f '{{.Id}}' busybox)
    middle=$(child_of busybox middle)
    top=$(child_of middle top)
    run keg rmi -f "$middle"
    says "conflict: unable to delete ${middle:7:12} (cannot be forced) - image has dependent child images"
    same "$(keg rmi middle)" 'Untagged: middle:latest'
    same "$(keg image inspect -f '{{.Parent}}' top)" "$middle"
    refute keg images -q --no-trunc | grep "$middle"
    same "$(keg images -aq --no-trunc | sort)" "$(printf '%s\n' "$base" "$middle" "$top" | sort)"
    run keg rmi top
    says "Deleted: $top"
    says "Deleted: $middle"
    refute keg image inspect "$middle"
    keg image inspect busybox >/dev/null # it has a name
}

@test "rmi --no-prune and prune: parents without a name" {
    local middle top
    middle=$(child_of busybox middle)
    top=$(child_of middle top)
    keg rmi middle >/dev/null
    same "$(keg image prune -f | tail -n 1)" 'Total reclaimed space: 0B' # it has a child, and that a name
    run keg rmi --no-prune top
    says "Deleted: $top"
    run keg image prune -f
    says "deleted: $middle"
    middle=$(child_of busybox middle)
    top=$(child_of middle top)
    run keg image prune -af
    says "deleted: $middle"
    says "deleted: $top"
    same "$(keg images -aq)" ''
}

@test "pull --platform: of another platform's image alone, with a warning" {
    local text id
    text="WARNING: image with reference $REGISTRY/ok/oci:latest was found but its platform (linux/amd64) does not match the specified platform (linux/s390x)"
    same "$(keg pull --platform linux/s390x "$REGISTRY/ok/oci" | tail -n 2 | head -n 1)" "$text"
    run keg run --rm --platform linux/s390x "$REGISTRY/ok/oci" true
    [ "$status" = 125 ]
    says "Unable to find image '$REGISTRY/ok/oci:latest' locally" # as docker does: it asks the registry for one that fits
    says "image with reference $REGISTRY/ok/oci was found but its platform (linux/amd64) does not match the specified platform (linux/s390x)"
    # of an index there is one that fits, or none
    same "$(keg pull --platform linux/amd64 "$REGISTRY/ok/list" | grep -c WARNING)" 0
    run keg pull --platform linux/riscv64 "$REGISTRY/ok/list"
    says 'no matching manifest for linux/riscv64 in the manifest list entries'
    [ "$status" = 1 ]
    require docker
    same "$(DOCKER_HOST=$KEG_HOST docker pull --platform linux/s390x "$REGISTRY/ok/oci" | tail -n 2 | head -n 1)" "$text"
}

# ---- lists ----

@test "images --tree: platforms below the names, as docker's client lays it out" {
    keg pull -q "$REGISTRY/ok/index"
    keg tag busybox another:1
    keg run -d --name used --network none busybox /bin/busybox true >/dev/null
    run keg images --tree
    [ "$status" = 0 ]
    says 'WARNING: This is an experimental feature.'
    [[ "${lines[2]}" =~ ^IMAGE\ +ID\ +DISK\ USAGE\ +CONTENT\ SIZE\ +EXTRA$ ]]
    [[ "$output" =~ $'\n'busybox:latest$'\n'another:1\ +[0-9a-f]{12}\ .*MB\ +U\ +$'\n'└─\ linux/ ]]
    [[ "$output" =~ $'\n'├─\ linux/s390x\ +0{12}\ +0B\ +0B ]]
    for option in --quiet --no-trunc --digests --format=x; do
        run keg images --tree $option
        [ "$status" = 1 ]
        says 'is not yet supported with --tree'
    done
    require docker
    DOCKER_HOST=$KEG_HOST docker images --help | grep -q -- --tree || skip 'this docker knows no --tree'
    DOCKER_HOST=$KEG_HOST docker images --tree | sed 's/\x1b\[[0-9;]*m//g' | diff - <(keg images --tree)
}

@test "system df: by template, short and verbose" {
    keg tag busybox another:1
    keg run -d --name used --network none busybox /bin/busybox sh -c 'echo x | tee /x' >/dev/null
    keg wait used >/dev/null
    keg volume create vol >/dev/null
    same "$(keg system df --format '{{.Type}}|{{.TotalCount}}|{{.Active}}')" \
        $'Images|1|1\nContainers|1|0\nLocal Volumes|1|0\nBuild Cache|0|0'
    keg system df --format json | jq -se 'length == 4 and .[1].Size == "2B"'
    same "$(keg system df -v --format '{{range .Images}}{{.Repository}}:{{.Tag}} {{.ID}} {{.Containers}}{{end}}')" \
        "another:1 $(keg image inspect -f '{{.Id}}' busybox) 1"
    keg system df -v --format json | jq -e '.Containers[0].Names == "used" and .Volumes[0].Name == "vol" and .BuildCache == []'
    run keg system df -v --format '{{.Foo}}'
    [ "$status" = 1 ]
    says "can't evaluate field Foo in type *formatter.diskUsageContext"
    if command -v docker >/dev/null; then
        local format
        for format in table json '{{range .Containers}}{{json .}}{{end}}'; do
            diff <(keg system df -v --format "$format") <(DOCKER_HOST=$KEG_HOST docker system df -v --format "$format")
        done
        diff <(keg system df) <(DOCKER_HOST=$KEG_HOST docker system df)
    fi
    keg volume rm vol >/dev/null
}
