#!/usr/bin/env bats
# Images from one program to another and back, compared byte by byte: keg beside docker, podman, skopeo, umoci and Debian's
# docker-registry. The others are found on PATH, or in the tree of runtime_engines.prepare (KEG_ENGINES: another one); a test
# whose programs are in neither place is skipped.
#
# vm: no

bats_require_minimum_version 1.5.0

setup_file() {
    load lib
    load registry
    load engines
    require root curl jq python3 docker-registry
    kegd_start --insecure-registry 127.0.0.0/8
    chmod 711 "$KEG_ROOT"
    export DOCKER_HOST=unix://$KEG_ROOT/docker.sock CONTAINERD_ADDRESS='' CONTAINERD_NAMESPACE='' RUNTIME=$KEG_BUILD/keg-runtime
    export PARENT=keg-exchange-${KEG_ROOT##*.} TREE_PID=
    [ -z "$(missing dockerd podman skopeo umoci)" ] || tree_enter "${KEG_ENGINES:-$KEG_BUILD/cache/engines}"
    ! has dockerd || docker_start --bridge none --insecure-registry 127.0.0.0/8
    export RICH=$KEG_ROOT/rich
    mkdir "$RICH"
    python3 "$BATS_TEST_DIRNAME/tools/rich.py" "$RICH" >"$RICH/digests"
    registry_start registry 127.0.0.1:5000
    export REGISTRY=127.0.0.1:5000
}

teardown_file() {
    load lib
    load registry
    load engines
    servers_stop
    [ ! -s "$KEG_ROOT/docker.pid" ] || stop docker
    [ -z "${TREE_PID:-}" ] || kill "$TREE_PID"
    awk -v "at=$KEG_ROOT/" 'index($5, at) == 1 {print $5}' /proc/self/mountinfo | sort -r | xargs -r umount -l
    kegd_stop
    find /sys/fs/cgroup -depth -type d -path "*/$PARENT*" -exec rmdir {} + 2>/dev/null || :
}

setup() {
    load lib
    load engines
    WORK=$(mktemp -d "$KEG_ROOT/work.XXXXXX")
}

teardown() {
    local images
    images=$(keg images -aq --no-trunc | sort -u)
    # shellcheck disable=SC2086
    [ -z "$images" ] || keg rmi -f $images >/dev/null
    ! has dockerd || docker image prune -af >/dev/null
    ! has podman || podman rmi -af >/dev/null
    rm -rf "$WORK"
}

skopeo() { engine timeout 60 skopeo --insecure-policy "$@"; }
umoci() { engine timeout 60 umoci "$@"; }

# copy ARGUMENTS…: skopeo copy, bytes untouched
copy() { skopeo copy -q --src-tls-verify=false --dest-tls-verify=false "$@"; }
# upload NAME AS [OPTIONS]: one of rich.py's images into the registry
upload() { copy --preserve-digests "${@:3}" "oci:$RICH/one/$1:docker.io/library/$1:1" "docker://$REGISTRY/$2"; }
# manifest_up DIGEST AS: skopeo doesn't know indexes in indexes
manifest_up() {
    curl -sf -X PUT -H 'Content-Type: application/vnd.oci.image.index.v1+json' --data-binary "@$RICH/layout/blobs/sha256/${1#sha256:}" \
        "http://$REGISTRY/v2/${2%:*}/manifests/${2#*:}"
}
nested_inner() { jq -r '.manifests[0].digest' "$RICH/layout/blobs/sha256/$(named nested | cut -d: -f2)"; }
raw() { skopeo inspect --raw --tls-verify=false "docker://$REGISTRY/$1"; }
raw_digest() { echo "sha256:$(raw "$1" | sha256sum | cut -d' ' -f1)"; }
named() { jq -r ".$1" "$RICH/digests"; }
config_of() { raw "$1" | jq -r .config.digest; } # of an image in the registry
id_of() { keg image inspect -f '{{.Id}}' "$1"; }
diff_ids() { keg image inspect "$1" | jq -c '.[0].RootFS.Layers'; }
same() { [ "$1" = "$2" ] || { printf 'not the same:\n%s\n%s\n' "$1" "$2" >&2; return 1; }; }

# blobs_are_there REPOSITORY:TAG: every blob of the image is in the registry under its digest, with the right bytes
blobs_are_there() {
    local digest
    for digest in $(raw "$1" | jq -r '.config.digest, .layers[].digest'); do
        same "sha256:$(curl -sf "http://$REGISTRY/v2/${1%:*}/blobs/$digest" | sha256sum | cut -d' ' -f1)" "$digest"
    done
}

# ---- registries ----

@test "registry to keg to registry: manifest, configuration and layers are the same bytes" {
    needs skopeo
    local kind
    upload plain team/oci:1
    copy --format v2s2 "oci:$RICH/one/plain:docker.io/library/plain:1" "docker://$REGISTRY/team/docker:1"
    copy --dest-decompress "oci:$RICH/one/plain:docker.io/library/plain:1" "dir:$WORK/dir"
    copy --format v2s2 "dir:$WORK/dir" "docker://$REGISTRY/team/decompressed:1"
    for kind in oci docker decompressed; do
        keg pull -q "$REGISTRY/team/$kind:1"
        same "$(keg image inspect -f '{{index .RepoDigests 0}}' "$REGISTRY/team/$kind:1")" "$REGISTRY/team/$kind@$(raw_digest team/$kind:1)"
        same "$(id_of "$REGISTRY/team/$kind:1")" "$(config_of team/$kind:1)"
        keg tag "$REGISTRY/team/$kind:1" "$REGISTRY/back/$kind:2"
        keg push -q "$REGISTRY/back/$kind:2"
        same "$(raw_digest back/$kind:2)" "$(raw_digest team/$kind:1)"
        blobs_are_there back/$kind:2
        keg rmi -f "$REGISTRY/team/$kind:1" "$REGISTRY/back/$kind:2" >/dev/null
    done
}

@test "registry to keg: of an index, and of an index in an index, the platform that is wanted" {
    needs skopeo
    [ "$(uname -m)" = x86_64 ] || skip "rich.py's images are for amd64"
    local name
    for name in rich nested; do
        upload rich team/$name:1 --all
        [ $name = rich ] || { manifest_up "$(nested_inner)" "team/$name:inner"; manifest_up "$(named nested)" "team/$name:1"; }
        same "$(raw_digest team/$name:1)" "$(named $name)"
        keg pull -q "$REGISTRY/team/$name:1"
        same "$(keg image inspect -f '{{.Os}}/{{.Architecture}} {{index .RepoDigests 0}}' "$REGISTRY/team/$name:1")" \
            "linux/amd64 $REGISTRY/team/$name@$(named $name)"
        keg pull -q --platform linux/arm64 "$REGISTRY/team/$name:1"
        same "$(keg image inspect -f '{{.Os}}/{{.Architecture}}/{{.Variant}}' "$REGISTRY/team/$name:1")" linux/arm64/v8
        keg tag "$REGISTRY/team/$name:1" "$REGISTRY/back/$name:arm64"
        keg push -q "$REGISTRY/back/$name:arm64"
        same "$(raw_digest back/$name:arm64)" "$(named arm64)"
    done
}

# ---- archives ----

@test "keg save to skopeo to keg load: the same manifest, as an OCI layout and as docker's archive" {
    needs skopeo
    upload plain team/plain:1
    keg pull -q "$REGISTRY/team/plain:1"
    keg tag "$REGISTRY/team/plain:1" saved:1
    local id kind
    id=$(id_of saved:1)
    keg save -o "$WORK/saved.tar" saved:1
    keg save saved:1 | cmp - "$WORK/saved.tar"
    # an OCI layout for those who look for one
    copy --preserve-digests "oci-archive:$WORK/saved.tar" "oci:$WORK/layout:x"
    same "$(jq -r '.manifests[0].digest' "$WORK/layout/index.json")" "$(named amd64)"
    # docker's archive for the others
    copy "docker-archive:$WORK/saved.tar:saved:1" "docker://$REGISTRY/team/from-archive:1"
    same "$(config_of team/from-archive:1)" "$id"
    copy "docker-archive:$WORK/saved.tar" "docker-archive:$WORK/docker.tar:docker.io/library/again:1"
    copy --preserve-digests "oci-archive:$WORK/saved.tar" "oci-archive:$WORK/oci.tar:docker.io/library/again:1"
    keg rmi -f "$id" >/dev/null
    for kind in docker oci; do
        keg load -q -i "$WORK/$kind.tar"
        same "$(id_of again:1)" "$id"
        keg save again:1 | tar -xO index.json >"$WORK/index.json"
        [ $kind != oci ] || same "$(jq -r '.manifests[0].digest' "$WORK/index.json")" "$(named amd64)"
        keg rmi -f "$id" >/dev/null
    done
    keg load -q -i "$WORK/saved.tar"
    same "$(id_of saved:1)" "$id"
    keg push -q "$(keg tag saved:1 "$REGISTRY/team/loaded:1" && echo "$REGISTRY/team/loaded:1")"
    same "$(raw_digest team/loaded:1)" "$(named amd64)"
}

@test "keg save to docker load to docker save to keg load: ids and diff ids stay" {
    needs dockerd skopeo
    upload plain team/plain:1
    keg pull -q "$REGISTRY/team/plain:1"
    keg tag "$REGISTRY/team/plain:1" a:1
    keg tag "$REGISTRY/team/plain:1" b:1
    local id layers
    id=$(id_of a:1) layers=$(diff_ids a:1)
    keg save a:1 b:1 >"$WORK/keg.tar"
    docker load -q <"$WORK/keg.tar" >"$WORK/out"
    same "$(sort "$WORK/out")" $'Loaded image: a:1\nLoaded image: b:1'
    same "$(docker image inspect -f '{{.Id}}' a:1)" "$id"
    same "$(docker image inspect -f '{{json .RootFS.Layers}}' b:1)" "$layers"
    docker save a:1 b:1 >"$WORK/docker.tar"
    keg rmi -f "$id" >/dev/null
    keg load -q <"$WORK/docker.tar" >"$WORK/out"
    same "$(sort "$WORK/out")" $'Loaded image: a:1\nLoaded image: b:1'
    same "$(id_of b:1)" "$id"
    same "$(diff_ids a:1)" "$layers"
    # and what keg makes of what docker saved is what docker saved, where both keep the bytes
    keg save a:1 b:1 >"$WORK/keg2.tar"
    keg rmi -f "$id" >/dev/null
    keg load -q <"$WORK/keg2.tar" >/dev/null
    same "$(id_of a:1)" "$id"
}

@test "keg load: archives of docker, podman (both forms), skopeo and docker before 1.10" {
    needs skopeo
    upload plain team/plain:1
    local id
    id=$(config_of team/plain:1)
    if has dockerd; then
        docker pull -q "$REGISTRY/team/plain:1" >/dev/null
        docker tag "$REGISTRY/team/plain:1" docker:1
        docker save docker:1 | keg load -q
        same "$(id_of docker:1)" "$id"
    fi
    if has podman; then
        podman pull -q --tls-verify=false "$REGISTRY/team/plain:1" >/dev/null
        podman tag "$REGISTRY/team/plain:1" docker.io/library/pod:1
        podman save -q --format docker-archive docker.io/library/pod:1 >"$WORK/docker.tar"
        keg load -q -i "$WORK/docker.tar"
        same "$(id_of pod:1)" "$id"
        keg rmi -f "$id" >/dev/null
        podman save -q --format oci-archive docker.io/library/pod:1 >"$WORK/oci.tar"
        keg load -q -i "$WORK/oci.tar"
        same "$(id_of pod:1)" "$id"
    fi
    keg load -q -i "$RICH/v1.tar" | sort >"$WORK/out"
    same "$(cat "$WORK/out")" $'Loaded image: old:1\nLoaded image: old:2'
    keg image inspect old:1 | jq -e '.[0] | .Author == "somebody" and .Config.Env == ["A=b"] and (.RootFS.Layers | length) == 2 and .Parent == ""'
    same "$(keg history --format '{{.CreatedBy}}' old:1)" $'/bin/sh -c touch x\n/bin/sh -c #(nop) ADD'
    same "$(keg save old:2 | tar -xO manifest.json | jq -c '.[0].RepoTags')" '["old:2"]'
}

# archive_of NAME: one of rich.py's layouts as an archive
archive_of() { tar -C "$RICH/one/$1" -h -cf "$WORK/$1.tar" .; }

@test "platforms: of an archive's several the one asked for; another than the image's own is an error everywhere" {
    [ "$(uname -m)" = x86_64 ] || skip "rich.py's images are for amd64"
    local verb
    archive_of rich
    archive_of nested
    keg load -q -i "$WORK/rich.tar" | grep -qx 'Loaded image: rich:1'
    same "$(keg image inspect -f '{{.Architecture}}' rich:1)" amd64
    keg load -q -i "$WORK/nested.tar" --platform linux/arm64
    same "$(keg image inspect -f '{{.Architecture}}/{{.Variant}}' nested:1)" arm64/v8
    run keg load -q -i "$WORK/rich.tar" --platform linux/s390x
    [ "$status" = 1 ]
    [[ "$output" == *"the archive has no image of the requested platform (linux/s390x)"* ]]
    for verb in history 'image inspect' rmi; do
        run keg $verb --platform linux/arm64 rich:1
        [ "$status" = 1 ]
        [[ "$output" == *"image with reference rich:1 was found but its platform (linux/amd64) does not match the specified platform (linux/arm64)"* ]]
    done
    run keg save --platform linux/arm64 -o "$WORK/x.tar" rich:1
    [[ "$output" == *"no suitable export target found for platform linux/arm64"* ]]
    [ ! -e "$WORK/x.tar" ]
    keg save --platform linux/amd64 -o "$WORK/x.tar" rich:1
    keg history -q --platform linux/amd64 rich:1
    run keg history --platform a/b/c/d rich:1
    [[ "$output" == *"invalid platform"* ]]
    keg rmi --platform linux/amd64 rich:1
}

@test "manifests: what the index has that an image came with, attestations too" {
    [ "$(uname -m)" = x86_64 ] || skip "rich.py's images are for amd64"
    archive_of rich
    keg load -q -i "$WORK/rich.tar"
    keg create --name user --network none rich:1 /x >/dev/null
    api GET '/v1.51/images/rich:1/json?manifests=1' >"$WORK/inspect"
    jq -e --arg index "$(named rich)" --arg own "$(named amd64)" --arg id "$(keg ps -aq --no-trunc)" '
        .Descriptor.digest == $index and (.Manifests | length) == 3 and
        (.Manifests[1] | .ID == $own and .Available and .Kind == "image" and .ImageData.Platform.architecture == "amd64"
            and .ImageData.Containers == [$id] and .Size.Total == .Size.Content + .ImageData.Size.Unpacked) and
        (.Manifests[0] | .Available == false and .ImageData.Platform.variant == "v8") and
        (.Manifests[2] | .Kind == "attestation" and .AttestationData.For == $own)' "$WORK/inspect"
    api GET '/v1.51/images/json?manifests=1' | jq -e '.[0].Manifests | length == 3'
    api GET '/v1.51/images/json' | jq -e '.[0] | has("Manifests") | not'
    run api GET '/v1.51/images/rich:1/json?manifests=1&platform=linux%2Famd64'
    [[ "$output" == *"conflicting options"* ]]
    keg rm user
}

@test "artifacts are pulled, listed, saved, loaded and pushed, and not run" {
    local digest
    archive_of bundle
    keg load -q -i "$WORK/bundle.tar"
    same "$(keg image inspect -f '{{.Id}}' bundle:1)" "$(named bundle)"
    keg images --format '{{.Repository}}:{{.Tag}}' | grep -qx bundle:1
    run keg run --rm --network none bundle:1 x
    [ "$status" = 125 ]
    [[ "$output" == *"bundle:1 is an OCI artifact (application/vnd.example.bundle), no image"* ]]
    same "$(keg history -q bundle:1)" ""
    keg tag bundle:1 "$REGISTRY/team/bundle:1"
    keg push -q "$REGISTRY/team/bundle:1"
    digest=$(curl -sf -H 'Accept: application/vnd.oci.image.manifest.v1+json' "http://$REGISTRY/v2/team/bundle/manifests/1" | sha256sum | cut -d' ' -f1)
    same "sha256:$digest" "$(named bundle)"
    keg save bundle:1 >"$WORK/saved.tar"
    keg rmi -f "$(named bundle)" >/dev/null
    [ ! -e "$KEG_ROOT/data/blobs/sha256/$digest" ]
    keg load -q -i "$WORK/saved.tar"
    same "$(keg image inspect -f '{{.Id}}' bundle:1)" "$(named bundle)"
    keg rmi -f bundle:1 >/dev/null
    keg pull -q "$REGISTRY/team/bundle:1"
    same "$(keg image inspect -f '{{index .RepoDigests 0}}' "$REGISTRY/team/bundle:1")" "$REGISTRY/team/bundle@$(named bundle)"
    keg system check -q
}

@test "plain layers are compressed once, at the first push; ids and what is unpacked stay" {
    mkdir -p "$WORK/root/bin"
    cp /bin/busybox "$WORK/root/bin/sh"
    tar -C "$WORK/root" -c . | keg import - made:1 >/dev/null
    local id layers plain push
    id=$(id_of made:1) layers=$(diff_ids made:1)
    plain=$(jq -r '.[0]' <<<"$layers")
    [ -e "$KEG_ROOT/data/blobs/sha256/${plain#sha256:}" ]
    keg run --name more --network none made:1 /bin/sh -c ': >/new'
    keg commit more made:2 >/dev/null
    keg rm more
    for push in 1 2; do
        keg tag made:1 "$REGISTRY/made/one:$push"
        keg push -q "$REGISTRY/made/one:$push"
        keg tag made:2 "$REGISTRY/made/two:$push"
        keg push -q "$REGISTRY/made/two:$push"
    done
    same "$(id_of made:1) $(diff_ids made:1)" "$id $layers"
    [ ! -e "$KEG_ROOT/data/blobs/sha256/${plain#sha256:}" ]
    for push in one two; do
        same "$(manifest_of made/$push 1)" "$(manifest_of made/$push 2)"
        manifest_of made/$push 1 | jq -e '[.layers[].mediaType] | all(. == "application/vnd.oci.image.layer.v1.tar+gzip")'
    done
    # the layer they share is the same gzip in both
    same "$(manifest_of made/one 1 | jq -r '.layers[0].digest')" "$(manifest_of made/two 1 | jq -r '.layers[0].digest')"
    keg save made:2 | tar -xO "blobs/sha256/$(manifest_of made/two 1 | jq -r '.layers[1].digest' | cut -d: -f2)" | gzip -dc | tar -t | grep -qx new
    keg rmi -f "$(id_of made:2)" "$id" >/dev/null
    keg pull -q "$REGISTRY/made/one:1"
    same "$(id_of "$REGISTRY/made/one:1")" "$id"
    keg run --rm --network none "$REGISTRY/made/one:1" /bin/sh -c true
    keg system check -q
}
manifest_of() { curl -sf -H 'Accept: application/vnd.oci.image.manifest.v1+json' "http://$REGISTRY/v2/$1/manifests/$2"; }

# ---- who pulls whose pushes ----

@test "docker, podman and skopeo pull what keg pushed, and keg what they pushed" {
    needs dockerd podman skopeo
    upload plain team/plain:1
    keg pull -q "$REGISTRY/team/plain:1"
    local id program digest
    id=$(id_of "$REGISTRY/team/plain:1")
    mkdir -p "$WORK/root/etc"
    echo committed >"$WORK/root/etc/new"
    tar -C "$WORK/root" -c . | keg import - imported:1 >/dev/null
    for name in plain imported; do
        keg tag "$([ $name = plain ] && echo "$REGISTRY/team/plain:1" || echo imported:1)" "$REGISTRY/keg/$name:1"
        keg push -q "$REGISTRY/keg/$name:1"
        id=$(id_of "$REGISTRY/keg/$name:1")
        docker pull -q "$REGISTRY/keg/$name:1"
        same "$(docker image inspect -f '{{.Id}}' "$REGISTRY/keg/$name:1")" "$id"
        same "$(docker image inspect -f '{{index .RepoDigests 0}}' "$REGISTRY/keg/$name:1")" "$(keg image inspect "$REGISTRY/keg/$name:1" | jq -r '.[0].RepoDigests[] | select(contains("/keg/"))')"
        podman pull -q --tls-verify=false "$REGISTRY/keg/$name:1"
        same "sha256:$(podman image inspect -f '{{.Id}}' "$REGISTRY/keg/$name:1")" "$id"
        copy "docker://$REGISTRY/keg/$name:1" "dir:$WORK/$name"
        same "$(jq -r .config.digest "$WORK/$name/manifest.json")" "$id"
        # what is made here goes out compressed, as docker's does
        raw "keg/$name:1" | jq -e '[.layers[].mediaType] | all(endswith("gzip"))'
    done
    docker tag "$REGISTRY/keg/plain:1" "$REGISTRY/docker/plain:1"
    docker push -q "$REGISTRY/docker/plain:1"
    podman push -q --tls-verify=false "$REGISTRY/keg/plain:1" "docker://$REGISTRY/podman/plain:1"
    copy "docker://$REGISTRY/keg/plain:1" "docker://$REGISTRY/skopeo/plain:1"
    for program in docker podman skopeo; do
        keg pull -q "$REGISTRY/$program/plain:1"
        same "$(id_of "$REGISTRY/$program/plain:1")" "$(id_of "$REGISTRY/team/plain:1")"
        digest=$(raw_digest "$program/plain:1")
        keg image inspect "$REGISTRY/$program/plain:1" | jq -e --arg d "$REGISTRY/$program/plain@$digest" '.[0].RepoDigests | index($d)'
    done
}

# ---- trees ----

# Everything an archive can carry, one name a line. Whiteouts have no time of their own; attributes without a value are left out
# by umoci and by older dockers.
tree() {
    python3 "$BATS_TEST_DIRNAME/tools/tree.py" describe "$1" | sed -E "s/( 0o20000 0 0 1 )[0-9]+ 0 /\\1- 0 /; s/\\('user.empty', b''\\), //"
}

@test "the same image unpacked by keg, docker, podman and umoci: every layer's tree is the same" {
    needs skopeo umoci
    [ "$(uname -m)" = x86_64 ] || skip "rich.py's images are for amd64"
    upload plain team/plain:1
    keg pull -q "$REGISTRY/team/plain:1"
    local layers lowest top chain other
    # keg's and docker's layers are named by chain ids: sha256 of "chain diff"
    layers=$(diff_ids "$REGISTRY/team/plain:1" | jq -r '.[]')
    lowest=$(head -n 1 <<<"$layers")
    top=$(tail -n 1 <<<"$layers")
    chain=$(printf '%s %s' "$lowest" "$top" | sha256sum | cut -d' ' -f1)
    tree "$KEG_ROOT/data/layers/${lowest#sha256:}/diff" >"$WORK/keg.lowest"
    tree "$KEG_ROOT/data/layers/$chain/diff" >"$WORK/keg.top"
    [ "$(wc -l <"$WORK/keg.lowest")" -gt 40 ]
    grep -q "security.capability" "$WORK/keg.lowest"
    grep -q "system.posix_acl_access" "$WORK/keg.lowest"
    grep -q "user.note" "$WORK/keg.lowest"
    python3 "$BATS_TEST_DIRNAME/tools/tree.py" getxattr "$KEG_ROOT/data/layers/${lowest#sha256:}/diff/etc/noted" | grep -qx 'user.empty='
    if has dockerd; then
        docker pull -q "$REGISTRY/team/plain:1" >/dev/null
        other=$(docker image inspect -f '{{.GraphDriver.Data.UpperDir}}' "$REGISTRY/team/plain:1")
        tree "$other" | diff "$WORK/keg.top" -
        other=$(docker image inspect -f '{{.GraphDriver.Data.LowerDir}}' "$REGISTRY/team/plain:1")
        tree "$other" | diff "$WORK/keg.lowest" -
    fi
    if has podman; then
        podman pull -q --tls-verify=false "$REGISTRY/team/plain:1" >/dev/null
        other=$(podman image inspect -f '{{.GraphDriver.Data.UpperDir}}' "$REGISTRY/team/plain:1")
        tree "$other" | diff "$WORK/keg.top" -
    fi
    # umoci merges
    umoci unpack --image "$RICH/one/plain:docker.io/library/plain:1" "$WORK/bundle"
    mkdir "$WORK/merged"
    mount -t overlay -o "lowerdir=$KEG_ROOT/data/layers/$chain/diff:$KEG_ROOT/data/layers/${lowest#sha256:}/diff" none "$WORK/merged"
    merged "$WORK/merged" >"$WORK/keg.merged"
    umount "$WORK/merged"
    merged "$WORK/bundle/rootfs" | diff "$WORK/keg.merged" -
}

# The same where layers have been merged: overlay counts links within one layer only.
merged() { tree "$1" | sed -E "s/( 0o100[0-7]{3} [0-9]+ [0-9]+ )[0-9]+ /\1- /"; }

@test "archives of GNU tar and bsdtar, imported by keg and by docker: the same tree" {
    needs dockerd
    local form
    mkdir -p "$WORK/root/dir.d/$(printf 'long%.0s' {1..40})"
    (
        cd "$WORK/root"
        echo data >dir.d/file
        ln dir.d/file hard
        ln -s dir.d/file sym
        mkfifo -m 620 fifo
        mknod -m 640 zero c 1 5
        touch -d '2001-02-03 04:05:06.789012345' dir.d/file
        setfattr -n user.note -v hello dir.d/file
        printf cap >cap
        setfattr -n security.capability -v 0x0100000200040000000000000000000000000000 cap
        truncate -s 5M sparse
        printf x | dd of=sparse bs=1 seek=3000000 conv=notrunc status=none
        chown 4000000000:3000000000 sparse
        printf name >"dir.d/$(printf 'n%.0s' {1..200})"
        chmod 7711 dir.d
    )
    tar -C "$WORK/root" --format=gnu --numeric-owner -cf "$WORK/gnu.tar" .
    tar -C "$WORK/root" --format=posix --sparse --xattrs --xattrs-include='*' --acls -cf "$WORK/posix.tar" .
    tar -C "$WORK/root" --format=posix --pax-option=exthdr.name=%d/PaxHeaders/%f,delete=ctime -cf "$WORK/pax.tar" .
    bsdtar -C "$WORK/root" --format=pax --xattrs -cf "$WORK/bsd.tar" .
    for form in "$WORK"/*.tar; do
        form=$(basename "$form" .tar)
        docker import - "$form:1" <"$WORK/$form.tar" >/dev/null
        keg import - "$form:1" <"$WORK/$form.tar" >/dev/null
        same "$(docker image inspect -f '{{json .RootFS.Layers}}' "$form:1")" "$(diff_ids "$form:1")"
        tree "$(docker image inspect -f '{{.GraphDriver.Data.UpperDir}}' "$form:1")" >"$WORK/docker.$form"
        tree "$KEG_ROOT/data/layers/$(diff_ids "$form:1" | jq -r '.[0]' | cut -d: -f2)/diff" | diff "$WORK/docker.$form" -
        [ $form != posix ] || [ "$(stat -c %b "$KEG_ROOT/data/layers/$(diff_ids "$form:1" | jq -r '.[0]' | cut -d: -f2)/diff/sparse")" -lt 2000 ]
    done
}
