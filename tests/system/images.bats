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
    local images
    images=$(keg images -aq --no-trunc | sort -u)
    # shellcheck disable=SC2086
    [ -z "$images" ] || keg rmi -f $images >/dev/null
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
