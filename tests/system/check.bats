#!/usr/bin/env bats
# keg system check: what is damaged, missing or belongs to nothing is found, and mended as far as it can be.

setup_file() {
    load lib
    require root curl jq python3
    kegd_start
    image_busybox
    python3 "$BATS_TEST_DIRNAME/fake_registry.py" "$KEG_ROOT/port" >"$KEG_ROOT/registry.log" 2>&1 3>&- </dev/null &
    export REGISTRY_PID=$!
    disown
    eventually test -s "$KEG_ROOT/port"
    REGISTRY=127.0.0.1:$(cat "$KEG_ROOT/port")
    export REGISTRY
    keg pull -q "$REGISTRY/ok/oci"
    keg pull -q "$REGISTRY/ok/zstd"
}

teardown_file() {
    load lib
    KEGD_PID=$(cat "$KEG_ROOT/kegd.pid")
    kill "$REGISTRY_PID"
    kegd_stop
}

setup() {
    load lib
    KEGD_PID=$(cat "$KEG_ROOT/kegd.pid")
    DATA=$KEG_ROOT/data
}

teardown() { # whatever happened before: the next test begins with a whole store
    keg system check -q --repair || :
}

# The digests (hexadecimal) of an image's layers as blobs, and as trees.
layer_blobs() {
    keg save "$1" | tar -xO manifest.json | jq -r '.[0].Layers[]' | sed 's|.*/||; s|\.tar.*||'
}

layer_trees() {
    python3 - "$@" <<'END'
import hashlib, json, os, subprocess, sys
ids = json.loads(subprocess.check_output(["keg", "inspect", sys.argv[1]]))[0]["RootFS"]["Layers"]
chain = None
for diff in ids:
    chain = diff if chain is None else "sha256:" + hashlib.sha256(f"{chain} {diff}".encode()).hexdigest()
    print(chain[7:])
END
}

# found PROBLEM OBJECT ID: the last output has such a finding, and nothing else
only() {
    echo "$output"
    [ "$(jq -r '.result.Findings | length' <<<"$output")" = 1 ]
    jq -e --arg p "$1" --arg o "$2" --arg i "$3" '.result.Findings[0] | .Problem == $p and .Object == $o and .ID == $i' <<<"$output"
}

check() { # [repair=1]: the result as the API gives it
    run bash -c 'api() { curl -s --unix-socket "$KEG_ROOT/run/keg.sock" -X POST "http://keg/keg/system/check?$1"; }; api "$1" | grep "\"result\""' bash "${1:-}"
}

@test "check: a store in order" {
    run keg system check
    echo "$output"
    [ "$status" = 0 ]
    [[ "$output" == "Checked 3 images, "*" layers, 0 containers, 0 volumes: nothing found" ]]
    run keg system check --quick
    [ "$status" = 0 ]
    run keg system check -q
    [ "$status" = 0 ]
    [ -z "$output" ]
    [ -z "$(find "$DATA/layers" -name '.staging-*')" ]
}

@test "check: a damaged blob is found, and fetched again" {
    local blob file
    for blob in $(layer_blobs "$REGISTRY/ok/oci" | head -n 1) $(keg inspect -f '{{.Id}}' "$REGISTRY/ok/oci" | cut -d: -f2) \
        $(keg inspect -f '{{index .RepoDigests 0}}' "$REGISTRY/ok/oci" | sed 's/.*sha256://'); do
        file=$DATA/blobs/sha256/$blob
        cp "$file" "$KEG_ROOT/good"
        printf X | dd of="$file" bs=1 seek=30 conv=notrunc status=none
        check
        only damaged blob "sha256:$blob"
        run keg system check
        echo "$output"
        [ "$status" = 1 ]
        [[ "$output" == *"damaged"*"blob"*"${blob:0:12}"*"found"* ]]
        run keg system check --repair
        echo "$output"
        [ "$status" = 0 ]
        [[ "$output" == *"repaired"* ]]
        cmp "$file" "$KEG_ROOT/good"
        keg system check -q
    done
}

@test "check: a missing blob is found, and fetched again; by a quick check as well" {
    local blob
    blob=$(layer_blobs "$REGISTRY/ok/zstd" | head -n 1)
    rm "$DATA/blobs/sha256/$blob"
    run keg system check --quick
    echo "$output"
    [ "$status" = 1 ]
    check
    jq -e --arg i "sha256:$blob" '[.result.Findings[] | select(.ID == $i and .Problem == "missing" and .Object == "blob")] | length == 1' <<<"$output"
    keg system check --repair
    keg system check -q
    [ -e "$DATA/blobs/sha256/$blob" ]
}

@test "check: with the user's credentials what wants them is fetched again, and they are kept nowhere" {
    local blob DOCKER_CONFIG=$KEG_ROOT/docker-config file
    export DOCKER_CONFIG
    echo secret | keg login -u user --password-stdin "$REGISTRY" >/dev/null
    keg pull -q "$REGISTRY/auth/basic"
    keg pull -q "$REGISTRY/auth/token"
    blob=$(layer_blobs "$REGISTRY/auth/basic" | head -n 1)
    file=$DATA/blobs/sha256/$blob
    rm "$file"
    run env DOCKER_CONFIG=/nowhere keg system check --repair
    [ "$status" = 1 ]
    [[ "$output" == *"not repaired"*"no basic auth credentials"* ]]
    keg system check --repair
    [ -e "$file" ]
    rm "$DATA/blobs/sha256/$(layer_blobs "$REGISTRY/auth/token" | head -n 1)"
    keg system check --repair
    keg system check -q
    refute grep -rqa -e 'user:secret' -e dXNlcjpzZWNyZXQ "$DATA" "$KEG_ROOT/run" "$KEG_ROOT/kegd.log"
    # from a helper as well
    cat >"$KEG_ROOT/docker-credential-played" <<END
#!/bin/sh
[ "\$1" != list ] || echo '{"$REGISTRY": "user"}'
[ "\$1" != get ] || echo '{"Username": "user", "Secret": "secret"}'
END
    chmod +x "$KEG_ROOT/docker-credential-played"
    echo '{"credsStore":"played"}' >"$DOCKER_CONFIG/config.json"
    rm "$file"
    PATH=$KEG_ROOT:$PATH keg system check --repair
    [ -e "$file" ]
    keg rmi "$REGISTRY/auth/basic" "$REGISTRY/auth/token" >/dev/null
}

@test "check: a lost blob that was made here of its layer is made again" {
    local blob
    keg run --name maker --network none busybox sh -c 'echo made >/etc/made; rm /etc/group; mkdir /d; ln /etc/made /d/x' >/dev/null
    keg commit maker made >/dev/null
    keg rm maker >/dev/null
    blob=$(layer_blobs made | tail -n 1)
    mv "$DATA/blobs/sha256/$blob" "$KEG_ROOT/good"
    run keg system check --repair
    echo "$output"
    [ "$status" = 0 ]
    cmp "$KEG_ROOT/good" "$DATA/blobs/sha256/$blob"
    keg system check -q
    keg rmi made >/dev/null
}

@test "check: what no registry has is said, and stays found" {
    local blob
    blob=$(layer_blobs busybox)
    cp "$DATA/blobs/sha256/$blob" "$KEG_ROOT/good"
    printf X | dd of="$DATA/blobs/sha256/$blob" bs=1 seek=30 conv=notrunc status=none
    check repair=1
    echo "$output"
    jq -e --arg i "sha256:$blob" '.result.Findings[] | select(.ID == $i) | .Problem == "damaged" and .Repaired == false and (.Failure | length > 0)' <<<"$output"
    run keg system check --repair
    echo "$output"
    [ "$status" = 1 ]
    [[ "$output" == *"not repaired"* ]]
    cp "$KEG_ROOT/good" "$DATA/blobs/sha256/$blob"
    keg system check -q
}

@test "check: a layer's tree is compared with its archive: content, modes, owners, times, names" {
    local tree what i=0
    tree=$DATA/layers/$(layer_trees busybox)/diff
    [ -e "$tree/bin/busybox" ]
    for what in 'printf X | dd of=$tree/etc/passwd bs=1 seek=5 conv=notrunc status=none' 'chmod 4711 $tree/etc/group' \
        'chown 5:5 $tree/tmp' 'touch -d 2001-01-01 $tree/etc/group' 'rm $tree/bin/cat' 'echo new >$tree/new' \
        'ln -sf nowhere $tree/bin/cat' 'setfattr -n user.x -v y $tree/etc/group' 'rm -r $tree'; do
        eval "$what"
        check
        echo "after $what"
        only damaged layer "sha256:$(layer_trees busybox)"
        keg system check --repair
        i=$((i + 1))
    done
    keg system check -q
    [ "$i" = 9 ]
    [ "$(keg run --rm --network none busybox cat /etc/passwd | head -n 1)" = root:x:0:0:root:/root:/bin/sh ]
}

@test "check: a missing layer is made of its blob again, with those above it" {
    local first
    [ "$(layer_trees "$REGISTRY/ok/oci" | wc -l)" -ge 2 ]
    first=$(layer_trees "$REGISTRY/ok/oci" | head -n 1)
    kegd_kill KILL
    rm -r "$DATA/layers/$first"
    kegd_start
    eventually grep -q "missing layer sha256:$first" "$KEG_ROOT/kegd.log"
    check
    only missing layer "sha256:$first"
    keg system check --repair
    keg system check -q
    [ -d "$DATA/layers/$first/diff" ]
}

@test "check: a layer that vanishes under a running kegd is made again, and keeps nothing from being removed" {
    local tree
    tree=$DATA/layers/$(layer_trees busybox)
    keg run --name stopped --network none busybox touch /mine
    rm -r "$tree"
    check
    jq -e '.result.Findings | length > 0' <<<"$output"
    keg system check --repair
    keg start -a stopped
    keg commit stopped child
    keg rm stopped
    rm -r "$DATA/layers/$(layer_trees child | tail -n 1)"
    keg rmi child
    keg system check -q
}

@test "check: what can't be removed keeps nothing else from it" {
    local stuck blob=0000000000000000000000000000000000000000000000000000000000000000
    for stuck in 1 8 f; do mkdir "$DATA/blobs/sha256/${blob//0/$stuck}"; done
    tar -C "$KEG_ROOT/busybox" -c etc | keg import - goes
    local id
    id=$(keg images -q --no-trunc goes)
    run keg rmi goes
    echo "$output"
    [ "$status" = 1 ]
    [[ "$output" == *"is a directory"* ]]
    [ ! -e "$DATA/blobs/sha256/${id#sha256:}" ]
    rmdir "$DATA"/blobs/sha256/{1111,8888,ffff}*
    keg system check -q
}

@test "check: what a running container stands on isn't touched; a stopped one starts again after" {
    local tree
    tree=$DATA/layers/$(layer_trees busybox)/diff
    keg run -d --name runs --network none busybox sleep 1000
    keg run --name stopped --network none busybox touch /mine
    chmod 700 "$tree/usr"
    run keg system check --repair
    echo "$output"
    [ "$status" = 1 ]
    [[ "$output" == *"container runs runs on it: stop it and repair again"* ]]
    [ "$(stat -c %a "$tree/usr")" = 700 ]
    [ "$(keg exec runs echo alive)" = alive ]
    keg rm -f runs
    keg system check --repair
    [ "$(stat -c %a "$tree/usr")" = 755 ]
    keg start -a stopped
    keg export stopped | tar -t mine
    keg rm stopped
    keg system check -q
}

@test "check: what belongs to nothing is found and removed" {
    local blob=0000000000000000000000000000000000000000000000000000000000000000
    mkdir -p "$DATA/layers/.staging-left/diff" "$DATA/layers/$blob/diff" "$DATA/containers/$blob/upper"
    echo x >"$DATA/blobs/sha256/$blob"
    mkdir -p "$DATA/volumes/stranger/_data"
    echo mine >"$DATA/volumes/stranger/_data/file"
    check
    echo "$output"
    [ "$(jq -c '[.result.Findings[] | [.Problem, .Object, .ID]] | sort' <<<"$output" | jq -r '.[] | join(" ")')" = "orphaned blob sha256:$blob
orphaned directory containers/$blob
orphaned directory layers/.staging-left
orphaned directory layers/$blob
orphaned volume stranger" ]
    run keg system check --repair
    echo "$output"
    [ "$status" = 1 ] # a volume may hold somebody's data
    check
    only orphaned volume stranger
    [ "$(cat "$DATA/volumes/stranger/_data/file")" = mine ]
    [ ! -e "$DATA/layers/.staging-left" ]
    [ ! -e "$DATA/layers/$blob" ]
    [ ! -e "$DATA/containers/$blob" ]
    [ ! -e "$DATA/blobs/sha256/$blob" ]
    keg volume create stranger
    [ "$(cat "$DATA/volumes/stranger/_data/file")" = mine ]
    keg volume rm stranger
    keg system check -q
}

@test "check: containers and volumes without their directories" {
    keg create --name cc --network none busybox true
    keg volume create vol
    rm -r "$DATA/containers/$(keg inspect -f '{{.Id}}' cc)/upper" "$DATA/volumes/vol"
    check
    [ "$(jq -r '.result.Findings[] | [.Problem, .Object, .Name] | join(" ")' <<<"$output")" = "missing container cc
missing volume " ]
    check repair=1
    keg start -a cc
    keg volume rm vol
    keg rm cc
    keg system check -q
}

@test "check: it doesn't disturb pulls, commits and removals under way, nor they it" {
    local i
    keg create --name source --network none busybox true
    (for i in 1 2 3 4 5 6; do
        keg rmi "$REGISTRY/ok/oci" && keg pull -q "$REGISTRY/ok/oci"
        keg commit source "made:$i" && keg rmi "made:$i"
        keg run --rm --network none busybox true
    done) >"$KEG_ROOT/busy" 2>&1 &
    local busy=$! failed=0
    while kill -0 "$busy" 2>/dev/null; do
        keg system check >"$KEG_ROOT/check" || { failed=1; cat "$KEG_ROOT/check"; }
    done
    wait "$busy"
    [ "$failed" = 0 ]
    keg rm source
    keg system check -q
}

@test "check: after an unclean stop kegd looks by itself, after a clean one it doesn't" {
    : >"$KEG_ROOT/kegd.log"
    kegd_kill TERM
    kegd_start
    keg images
    kegd_kill KILL
    [ "$(grep -c 'looked over' "$KEG_ROOT/kegd.log")" = 0 ]
    local blob
    blob=$(layer_blobs_offline)
    mv "$DATA/blobs/sha256/$blob" "$KEG_ROOT/aside"
    kegd_start
    eventually grep -q 'looked over after an unclean stop: 3 images, 1 findings' "$KEG_ROOT/kegd.log"
    grep -q "missing blob sha256:$blob" "$KEG_ROOT/kegd.log"
    mv "$KEG_ROOT/aside" "$DATA/blobs/sha256/$blob"
    keg system check -q
}

layer_blobs_offline() { # the largest blob there is
    find "$DATA/blobs/sha256" -type f -printf '%s %f\n' | sort -n | tail -n 1 | cut -d' ' -f2
}

@test "check: a database that was lost takes nothing with it: kegd doesn't start" {
    kegd_kill TERM
    mkdir "$KEG_ROOT/kept"
    mv "$DATA"/keg.db* "$KEG_ROOT/kept"
    local before
    before=$(find "$DATA" -mindepth 1 ! -name 'keg.db*' | sort)
    run kegd_start
    [ "$status" != 0 ]
    [[ $output == *"keg.db is empty or was missing, but $DATA/layers isn't empty: put the database back"* ]]
    [ "$(find "$DATA" -mindepth 1 ! -name 'keg.db*' | sort)" = "$before" ]
    rm -f "$DATA"/keg.db*
    mv "$KEG_ROOT/kept"/keg.db* "$DATA"
    kegd_start
    keg system check -q
}

@test "check: one at a time, and an end that nobody waits for" {
    run keg system check --nonsense
    [ "$status" = 125 ]
    timeout 0.02 keg system check || :
    eventually keg system check -q
    [ -z "$(find "$DATA/layers" -name '.staging-*')" ]
}

@test "check: with the other storage drivers: what is found, mended, and runs after" {
    local driver tree blob base=$KEG_ROOT
    for driver in vfs erofs; do
        [ "$driver" != erofs ] || grep -qw erofs /proc/filesystems || continue
        echo "driver $driver"
        mkdir "$base/$driver"
        (
            KEG_ROOT=$base/$driver
            unset KEGD_PID
            kegd_start --bridge none --storage-driver "$driver"
            trap 'kegd_kill KILL' EXIT
            mkdir "$KEG_ROOT/busybox"
            image_busybox
            keg create --name stands --network none busybox cat /etc/passwd
            keg system check -q
            tree=$KEG_ROOT/data/layers/$(layer_trees busybox)
            for time in stopped running again; do # a mounted image stays in memory as it was
                [ "$time" != stopped ] || kegd_kill TERM
                if [ "$driver" = erofs ]; then # where the file says "daemon"
                    [ "$time" != stopped ] || umount "$tree/diff" 2>/dev/null || :
                    printf DAEMON | dd of="$tree/image.erofs" bs=1 conv=notrunc status=none \
                        seek="$(grep -abo daemon:x "$tree/image.erofs" | head -n 1 | cut -d: -f1)"
                else
                    chmod 700 "$tree/diff/etc"
                fi
                [ "$time" != stopped ] || kegd_start --bridge none --storage-driver "$driver"
                run keg system check
                echo "$time: $output"
                [ "$status" = 1 ]
                [[ "$output" == *"damaged"*"layer"* ]]
                keg system check --repair
                keg system check -q
                keg start -a stands | grep -q ^daemon:x
            done
            keg run --rm --network none busybox grep -q ^daemon:x /etc/passwd
            keg rm stands
            trap - EXIT
            kegd_stop
        )
    done
}
