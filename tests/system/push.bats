#!/usr/bin/env bats
# Pushing, to Debian's docker-registry: digests kept, blobs sent once, mounted across repositories, with authentication;
# and to a registry that breaks off, wants chunks, refuses.

setup_file() {
    load lib
    load registry
    require root curl jq docker-registry skopeo python3
    kegd_start
    image_busybox
    registry_start open 127.0.0.1:5000
    mkdir "$KEG_ROOT/auth"
    python3 -c 'import crypt; print("ann:" + crypt.crypt("sesame", crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16)))' \
        >"$KEG_ROOT/auth/htpasswd"
    registry_start closed 127.0.0.1:5001 "" "auth: {htpasswd: {realm: keg, path: $KEG_ROOT/auth/htpasswd}}"
}

teardown_file() {
    load lib
    load registry
    servers_stop
    kegd_stop
}

setup() {
    load lib
    export HOME=$KEG_ROOT DOCKER_CONFIG=$KEG_ROOT/docker
}

# push_to_moody MOOD NAME: into $KEG_ROOT/moody, with status and output as run's; $KEG_ROOT/moody.log has the requests
push_to_moody() {
    rm -rf "$KEG_ROOT/moody"
    python3 "$BATS_TEST_DIRNAME/moody_registry.py" 5002 "$1" "$KEG_ROOT/moody" >"$KEG_ROOT/moody.log" 2>&1 3>&- &
    local pid=$!
    eventually curl -sf --max-time 5 127.0.0.1:5002/v2/
    run keg push "$2"
    kill "$pid"
    wait "$pid" || :
    echo "$output"
    cat "$KEG_ROOT/moody.log"
}

remote_digest() { # of REPOSITORY:TAG at 127.0.0.1:5000
    curl -sfI -H 'Accept: application/vnd.oci.image.manifest.v1+json' "127.0.0.1:5000/v2/${1%:*}/manifests/${1##*:}" |
        tr -d '\r' | sed -n 's/^Docker-Content-Digest: //Ip'
}

@test "push: digests are kept, and what comes back is what went" {
    keg tag busybox 127.0.0.1:5000/team/box:1
    run keg push 127.0.0.1:5000/team/box:1
    echo "$output"
    [ "$status" = 0 ]
    [[ "$output" == *"The push refers to repository [127.0.0.1:5000/team/box]"* ]]
    [[ "$output" == *": Pushed"* ]]
    [[ "${lines[-1]}" =~ ^1:\ digest:\ sha256:[0-9a-f]{64}\ size:\ [0-9]+$ ]]
    local digest
    digest=$(remote_digest team/box:1)
    [[ "${lines[-1]}" == *"$digest"* ]]
    [ "$(keg inspect -f '{{index .RepoDigests 0}}' 127.0.0.1:5000/team/box:1)" = "127.0.0.1:5000/team/box@$digest" ]
    local id
    id=$(keg images -q --no-trunc busybox)
    [ "$(skopeo inspect --tls-verify=false --config --raw docker://127.0.0.1:5000/team/box:1 | sha256sum | cut -d' ' -f1)" = "${id#sha256:}" ]
    keg rmi 127.0.0.1:5000/team/box:1
    keg pull "127.0.0.1:5000/team/box@$digest"
    [ "$(keg inspect -f '{{.Id}}' "127.0.0.1:5000/team/box@$digest")" = "$id" ]
}

@test "push: what is there isn't sent again, what another repository has is mounted" {
    keg tag busybox 127.0.0.1:5000/team/box:2
    run keg push 127.0.0.1:5000/team/box:2
    echo "$output"
    [[ "$output" == *": Layer already exists"* ]]
    keg tag busybox 127.0.0.1:5000/other/box
    run keg push 127.0.0.1:5000/other/box
    echo "$output"
    [ "$status" = 0 ]
    [[ "$output" == "Using default tag: latest"* ]]
    [[ "$output" == *": Mounted from team/box"* ]]
    [ "$(remote_digest other/box:latest)" = "$(remote_digest team/box:2)" ]
}

@test "push: all tags, a quiet one, one platform" {
    keg tag busybox 127.0.0.1:5000/many:a
    keg tag busybox 127.0.0.1:5000/many:b
    run keg push -a 127.0.0.1:5000/many
    [ "$status" = 0 ]
    [ "$(curl -sf 127.0.0.1:5000/v2/many/tags/list | jq -c '.tags | sort')" = '["a","b"]' ]
    [ "$(keg push -q 127.0.0.1:5000/many:a)" = 127.0.0.1:5000/many:a ]
    keg push -q --platform "$(keg inspect -f '{{.Os}}/{{.Architecture}}' busybox)" 127.0.0.1:5000/many:a
    run keg push -q --platform linux/s390x 127.0.0.1:5000/many:a
    [ "$status" = 1 ]
    [[ "$output" == *"does not match the specified platform (linux/s390x)"* ]]
    run keg push -a 127.0.0.1:5000/many:a
    [ "$status" != 0 ]
    [[ "$output" == *"tag can't be used with --all-tags/-a"* ]]
}

@test "push: what there is none of" {
    run keg push 127.0.0.1:5000/no/such:1
    [ "$status" = 1 ]
    [[ "$output" == *"An image does not exist locally with the tag: 127.0.0.1:5000/no/such"* ]]
    keg tag busybox 127.0.0.1:9/nobody
    run keg push -q 127.0.0.1:9/nobody
    [ "$status" = 1 ]
    [[ "$output" == *"connection refused"* ]]
}

@test "push: credentials are asked for, kept, and used" {
    keg tag busybox 127.0.0.1:5001/secret
    run keg push 127.0.0.1:5001/secret
    echo "$output"
    [ "$status" = 1 ]
    [[ "$output" == *"no basic auth credentials"* ]]
    run keg login -u ann --password-stdin 127.0.0.1:5001 <<<wrong
    [ "$status" != 0 ]
    keg login -u ann --password-stdin 127.0.0.1:5001 <<<sesame
    keg push -q 127.0.0.1:5001/secret
    keg rmi 127.0.0.1:5001/secret
    keg pull -q 127.0.0.1:5001/secret
    keg logout 127.0.0.1:5001
    run keg push -q 127.0.0.1:5001/secret
    [ "$status" = 1 ]
}

@test "push: an upload that breaks off goes on where it stopped, and in chunks where they are wanted" {
    head -c 3000000 /dev/urandom >"$KEG_ROOT/noise"
    tar -C "$KEG_ROOT" -c noise | keg import - 127.0.0.1:5002/noise
    for mood in break chunks; do
        push_to_moody "$mood" 127.0.0.1:5002/noise
        [ "$status" = 0 ]
        grep -q '^PATCH' "$KEG_ROOT/moody.log"
        for file in "$KEG_ROOT"/moody/*; do
            [ "$(sha256sum <"$file" | cut -d' ' -f1)" = "$(basename "$file")" ]
        done
        [ "$(ls "$KEG_ROOT/moody" | wc -l)" = 3 ]
    done
}

@test "push: an upload whose answer is lost isn't sent again, one that the registry forgot begins anew" {
    push_to_moody deaf 127.0.0.1:5002/noise
    [ "$status" = 0 ]
    grep -q '^saying nothing' "$KEG_ROOT/moody.log"
    [ "$(grep -c '^PUT /v2/u/' "$KEG_ROOT/moody.log")" = 1 ] # the configuration's, which is small
    push_to_moody forget 127.0.0.1:5002/noise
    [ "$status" = 0 ]
    grep -q '^PUT .* 404' "$KEG_ROOT/moody.log"
    [ "$(find "$KEG_ROOT/moody" -type f | wc -l)" = 3 ]
}

@test "push: a registry that stores something else than it was given is found out" {
    push_to_moody lie 127.0.0.1:5002/noise
    [ "$status" = 1 ]
    [[ "$output" == *"the registry stored the manifest sha256:"*" as sha256:0000"* ]]
}

@test "push: an image that refers to a subject is entered in the registry's list of referrers" {
    local manifest subject tag digest
    keg tag busybox 127.0.0.1:5000/refer:base
    keg push -q 127.0.0.1:5000/refer:base
    subject=$(remote_digest refer:base)
    manifest=$(curl -sf -H 'Accept: application/vnd.oci.image.manifest.v1+json' 127.0.0.1:5000/v2/refer/manifests/base |
        jq -c --arg d "$subject" '. + {subject: {mediaType: .mediaType, digest: $d, size: 1}, annotations: {"for": "you"}}')
    curl -sf -X PUT -H 'Content-Type: application/vnd.oci.image.manifest.v1+json' -d "$manifest" 127.0.0.1:5000/v2/refer/manifests/about
    digest=$(remote_digest refer:about)
    keg pull -q 127.0.0.1:5000/refer:about
    keg tag 127.0.0.1:5000/refer:about 127.0.0.1:5000/elsewhere:about
    tag=sha256-${subject#sha256:}
    for _ in 1 2; do # the second time it is in already
        keg push -q 127.0.0.1:5000/elsewhere:about
        [ "$(remote_digest elsewhere:about)" = "$digest" ]
        curl -sf -H 'Accept: application/vnd.oci.image.index.v1+json' "127.0.0.1:5000/v2/elsewhere/manifests/$tag" >"$KEG_ROOT/referrers"
        cat "$KEG_ROOT/referrers"
        jq -e --arg d "$digest" --argjson n "${#manifest}" '.mediaType == "application/vnd.oci.image.index.v1+json"
            and .manifests == [{mediaType: "application/vnd.oci.image.manifest.v1+json", digest: $d, size: $n,
                artifactType: "application/vnd.oci.image.config.v1+json", annotations: {"for": "you"}}]' "$KEG_ROOT/referrers"
    done
}

@test "push: a registry's refusal is told in its own words, and costs the image nothing" {
    push_to_moody deny 127.0.0.1:5002/noise
    [ "$status" = 1 ]
    [[ "$output" == *"denied: requested access to the resource is denied"* ]]
    keg inspect 127.0.0.1:5002/noise >/dev/null
}

@test "push: by the API, as docker's client reads it" {
    run api POST /v1.51/images/127.0.0.1:5000/other/box/push?tag=latest
    echo "$output"
    [ "$(tr -d '\r' <<<"$output" | jq -rs 'map(.aux // empty)[0] | .Tag, (.Digest | startswith("sha256:")), (.Size > 100)' | tr '\n' ' ')" = "latest true true " ]
    [ "$(api POST '/v1.51/images/nothing/push?tag=1' | jq -r '.error // empty')" = "An image does not exist locally with the tag: nothing" ]
}
