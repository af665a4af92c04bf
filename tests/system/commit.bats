#!/usr/bin/env bats
# commit and export: what a container has changed becomes an image, or one archive.
# vm: yes

setup_file() {
    load lib
    require root curl jq nft
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

@test "commit: changes, removals, modes and owners come back in the image; mount points of the engine don't" {
    keg run --name c1 --network none -v "$KEG_ROOT/vol:/vol" busybox sh -c \
        'echo new >/etc/new; chown 1000:2000 /etc/new; chmod 4750 /etc/new; rm /bin/vi; rm -r /root; mkdir /root; ln -s x /link; echo v >/vol/file'
    local before id
    before=$(keg inspect -f '{{len .RootFS.Layers}}' busybox)
    id=$(keg commit -a 'Ann <ann@example.org>' -m 'what changed' -c 'ENV A=b' -c 'CMD ["cat","/etc/new"]' c1 made:1)
    [[ "$id" =~ ^sha256:[0-9a-f]{64}$ ]]
    [ "$(keg inspect -f '{{.Id}}' made:1)" = "$id" ]
    [ "$(keg inspect -f '{{len .RootFS.Layers}}' made:1)" = $((before + 1)) ]
    [ "$(keg run --rm --network none made:1)" = new ]
    [ "$(keg run --rm --network none made:1 stat -c '%a %u:%g' /etc/new)" = "4750 1000:2000" ]
    [ "$(keg run --rm --network none made:1 sh -c 'ls /bin/vi /root/* 2>&1 | wc -l; readlink /link; echo $A; ls /vol')" = $'2\nx\nb' ]
    keg inspect made:1 | jq -e '.[0] | .Author == "Ann <ann@example.org>" and .Comment == "what changed" and .Config.Cmd == ["cat","/etc/new"] and (.Config.Hostname // "") == ""'
    [ "$(keg history --format '{{.Comment}}' made:1 | head -n 1)" = "what changed" ]
    # the layer holds what changed and no more
    keg save made:1 | tar -xO "blobs/sha256/$(keg save made:1 | tar -xO manifest.json | jq -r '.[0].Layers[-1]' | sed 's|.*/||')" | tar -t | sort >"$KEG_ROOT/names"
    cat "$KEG_ROOT/names"
    refute grep -E '^(dev|proc|sys)/.|\.dockerenv|etc/(hosts|resolv.conf|hostname)$|vol/file' "$KEG_ROOT/names"
    grep -q '^bin/.wh.vi$' "$KEG_ROOT/names"
    keg rm -v c1
}

@test "commit: a running container is frozen meanwhile, unless that isn't wanted" {
    keg run -d --name c2 --network none busybox sleep 1000
    keg exec c2 sh -c 'echo x >/x'
    keg commit c2 >/dev/null
    [ "$(keg inspect -f '{{.State.Status}}' c2)" = running ]
    keg events --since 1h --until "$(($(date +%s) + 1))" --filter container=c2 --format '{{.Action}}' >"$KEG_ROOT/events"
    grep -q '^pause$' "$KEG_ROOT/events"
    grep -q '^unpause$' "$KEG_ROOT/events"
    grep -q '^commit$' "$KEG_ROOT/events"
    keg commit -p=false c2 frozen:no >/dev/null
    [ "$(keg run --rm --network none frozen:no cat /x)" = x ]
    [ "$(keg events --since 1h --until "$(($(date +%s) + 1))" --filter container=c2 --format '{{.Action}}' | grep -c '^pause$')" = 1 ]
    keg rm -f c2
}

@test "commit: nothing changed gives the same layers, and a commit of a commit works" {
    keg create --name c3 --network none busybox true
    keg commit c3 same
    [ "$(keg inspect -f '{{json .RootFS.Layers}}' same)" = "$(keg inspect -f '{{json .RootFS.Layers}}' busybox)" ]
    keg rm c3
    keg run --name c4 --network none same touch /one
    keg commit c4 two
    keg rm c4
    keg run --name c4 --network none two touch /two
    keg commit c4 two
    [ "$(keg run --rm --network none two ls /one /two)" = $'/one\n/two' ]
    keg rm c4
}

@test "commit: mistakes are named and leave nothing" {
    keg create --name c5 --network none busybox true
    leftovers >"$KEG_ROOT/before"
    run keg commit c5 UPPER
    [ "$status" != 0 ]
    [[ "$output" == *"must be lowercase"* ]]
    run keg commit c5 "busybox@sha256:$(printf '0%.0s' {1..64})"
    [ "$status" != 0 ]
    [[ "$output" == *"refusing to create a tag with a digest reference"* ]]
    run keg commit -c 'RUN rm -rf /' c5 x
    [ "$status" != 0 ]
    echo "$output"
    [[ "$output" == *"RUN is not a valid change command"* ]]
    run keg commit nobody x
    [[ "$output" == *"No such container: nobody"* ]]
    [[ "$(api POST /v1.51/commit -H 'Content-Type: application/json' -d '{}' | jq -r .message)" == 'invalid name or ID supplied: ""'* ]]
    leftovers | diff "$KEG_ROOT/before" -
    keg rm c5
}

@test "commit: through the API a Config goes before the container's" {
    keg create --name c6 --network none -e KEPT=1 busybox true
    local id
    id=$(api POST '/v1.51/commit?container=c6&repo=api&tag=1' -H 'Content-Type: application/json' -d '{"Cmd":["echo","hello"],"WorkingDir":"/tmp","Hostname":"h"}' | jq -r .Id)
    keg inspect "$id" | jq -e '.[0].Config | .Cmd == ["echo","hello"] and .WorkingDir == "/tmp" and (.Env | index("KEPT=1"))'
    [ "$(keg run --rm --network none api:1)" = hello ]
    keg rm c6
}

@test "commit: environment, labels and ports of both; a new entrypoint doesn't take the old command" {
    keg create --name c7 --network none -e KEPT=1 -e BOTH=container -l kept=1 --expose 80 busybox sleep 5
    api POST '/v1.51/commit?container=c7&repo=both&tag=1&changes=ENV+NEW%3D1' -H 'Content-Type: application/json' \
        -d '{"Env":["BOTH=given"],"Labels":{"given":"1"},"ExposedPorts":{"90/udp":{}}}' >/dev/null
    keg inspect both:1 | jq -e '.[0].Config | .Cmd == ["sleep","5"] and .Labels == {"given":"1","kept":"1"} and
        (.ExposedPorts | keys) == ["80/tcp","90/udp"] and .Env[:2] == ["BOTH=given","NEW=1"] and (.Env | index("KEPT=1"))
        and (.Env | index("BOTH=container") | not)'
    keg commit -c 'ENTRYPOINT ["/bin/echo"]' c7 entry:1
    keg inspect entry:1 | jq -e '.[0].Config | .Entrypoint == ["/bin/echo"] and .Cmd == null'
    keg commit -c 'CMD ["a"]' -c 'ENTRYPOINT ["/bin/echo"]' c7 entry:2
    [ "$(keg run --rm --network none entry:2)" = a ]
    run api POST '/v1.51/commit?container=c7' -H 'Content-Type: application/json' -d '{"Env":"no list"}'
    [[ "$output" == *message* ]]
    # what it stands on, as long as that is here
    [ "$(keg image inspect -f '{{.Parent}}' entry:1)" = "$(keg image inspect -f '{{.Id}}' busybox)" ]
    [ "$(keg history --no-trunc -q entry:1 | head -n 2)" = "$(keg image inspect -f '{{.Id}}' entry:1 busybox)" ]
    keg rm c7
    keg rmi both:1 entry:1 entry:2
}

@test "export: the whole tree as one archive, of a stopped and of a running container" {
    keg run --name e1 --network none -v "$KEG_ROOT/vol:/vol" busybox sh -c 'echo new >/etc/new; rm /bin/vi'
    keg export -o "$KEG_ROOT/e1.tar" e1
    tar -tf "$KEG_ROOT/e1.tar" >"$KEG_ROOT/names"
    grep -q '^etc/new$' "$KEG_ROOT/names"
    grep -q '^bin/busybox$' "$KEG_ROOT/names"
    refute grep -qE '^bin/vi$|\.wh\.|^vol/.' "$KEG_ROOT/names"
    [ "$(tar -xOf "$KEG_ROOT/e1.tar" etc/new)" = new ]
    # and it makes an image again
    keg import -c 'CMD ["cat","/etc/new"]' "$KEG_ROOT/e1.tar" back
    [ "$(keg run --rm --network none back)" = new ]
    keg rm e1
    keg run -d --name e2 --network none busybox sleep 1000
    keg exec e2 touch /late
    keg export e2 | tar -t | grep -q '^late$'
    run keg export nobody
    [[ "$output" == *"No such container: nobody"* ]]
    keg rm -f e2
}
