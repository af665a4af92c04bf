# keg-runtime's checkpoint and restore: with a criu that only tells what it was asked, and with the real one where it is
# installed and works on this kernel.

setup_file() {
    load lib
    load bundle
    require root python3
    bundles_begin checkpoint
}

teardown_file() {
    load bundle
    bundles_end
}

setup() {
    load lib
    load bundle
    bundle_begin
    FAKE=$BATS_TEST_DIRNAME/tools/fake_criu.py
    export FAKE_CRIU_LOG=$BUNDLE/asked
    config 'p["args"] = ["/bin/sh", "-c", "i=0; while :; do i=$((i + 1)); echo $i >/count; sleep 0.1; done"]'
    cd "$BUNDLE"
}

teardown() {
    cd /
    bundle_end
}

start() { rt run --detach --bundle "$BUNDLE" "$ID" >/dev/null 2>&1; }
asked() { python3 -c 'import json, sys
a = json.loads(open(sys.argv[1]).read().splitlines()[-1])
assert eval(sys.argv[2]), json.dumps(a, indent=1)' "$FAKE_CRIU_LOG" "$1"; }

@test "where criu isn't installed, checkpoint and restore say so, and the container goes on" {
    start
    mkdir none
    run env PATH="$BUNDLE/none" "$KEG_BUILD/keg-runtime" --root "$DIR/state" checkpoint "$ID"
    must_fail 1 "checkpoint and restore need criu, which is not installed"
    run rt --criu "$BUNDLE/none/criu" checkpoint "$ID"
    must_fail 1 "checkpoint and restore need criu: $BUNDLE/none/criu"
    [ "$(status)" = running ]
    rt delete --force "$ID"
    run env PATH="$BUNDLE/none" "$KEG_BUILD/keg-runtime" --root "$DIR/state" restore --bundle "$BUNDLE" "$ID"
    must_fail 1 "checkpoint and restore need criu, which is not installed"
    [ -z "$(ls "$DIR/state")" ]
}

@test "options that make no sense are refused" {
    start
    run rt --criu "$FAKE" checkpoint --parent-path /absolute "$ID"
    must_fail 1 "--parent-path must be relative"
    run rt --criu "$FAKE" checkpoint --parent-path ./missing "$ID"
    must_fail 1 "invalid --parent-path"
    run rt --criu "$FAKE" checkpoint --page-server 127.0.0.1 "$ID"
    must_fail 1 "Use --page-server ADDRESS:PORT"
    run rt --criu "$FAKE" checkpoint --page-server 127.0.0.1:99999 "$ID"
    must_fail 1 "is no port"
    run rt --criu "$FAKE" checkpoint --manage-cgroups-mode some "$ID"
    must_fail 1 "invalid manage-cgroups-mode"
    run rt --criu "$FAKE" checkpoint --status-fd 77 "$ID"
    must_fail 1 "invalid --status-fd argument 77"
    run rt --criu "$FAKE" checkpoint --empty-ns pid "$ID"
    must_fail 1 "is not supported"
    run rt --criu "$FAKE" checkpoint --pre-dump "$ID"
    must_fail 1 MemTrack
    [ ! -e "$FAKE_CRIU_LOG" ]
    [ "$(status)" = running ]
}

@test "a criu that is too old is refused" {
    start
    sed 's/put(1, 4) + put(2/put(1, 3) + put(2/' "$FAKE" >old && chmod +x old
    FAKE_CRIU_MINOR=15 run rt --criu "$BUNDLE/old" checkpoint "$ID"
    must_fail 1 "is version 31500, and 31600 is needed"
}

@test "a container that only waits can't be checkpointed" {
    rt create --bundle "$BUNDLE" "$ID" >/dev/null 2>&1
    run rt --criu "$FAKE" checkpoint "$ID"
    must_fail 1 "cannot be checkpointed in created state"
}

@test "what criu is asked for a checkpoint" {
    mkdir source work
    ln -sfn /behind "$DIR/rootfs/link"
    config 'c["mounts"].append({"destination": "/link/data", "source": "source", "type": "bind", "options": ["bind"]})'
    start
    exec 8>status
    rt --criu "$FAKE" checkpoint --image-path img --work-path work --tcp-established --leave-running --status-fd 8 \
        --page-server '[::1]:2000' --manage-cgroups-mode soft "$ID"
    exec 8>&-
    asked "a['kind'] == 1 and a['pid'] == $(pid) and a['leave_running'] == 1 and a['tcp_established'] == 1 and a['cgroups_mode'] == 3"
    asked "a['images'] == '$BUNDLE/img' and a['work'] == '$BUNDLE/work' and a['log_file'] == 'dump.log' and a['page_server'] == [['::1', 2000]]"
    asked "['/behind/data', '/behind/data'] in a['mounts'] and a['root'] == '$BUNDLE/rootfs'"
    asked "['/proc/keys', '/dev/null'] in a['mounts']"
    asked "a['freeze_cgroup'].startswith('/sys/fs/cgroup/') and a['freeze_cgroup'].endswith('$ID')"
    [ "$(stat -c %s status)" = 1 ]
    [ "$(status)" = running ]
    [ "$(stat -c %a img)" = 700 ]
    rm -rf "$DIR/rootfs/link" "$DIR/rootfs/behind"
}

@test "after a checkpoint the container is gone, after a pre-dump it isn't" {
    start
    FAKE_CRIU_MEM=1 rt --criu "$FAKE" checkpoint --pre-dump "$ID"
    asked "a['kind'] == 4 and a['mounts'] == []"
    [ "$(status)" = running ]
    rt --criu "$FAKE" checkpoint "$ID"
    run rt state "$ID"
    must_fail 1 "does not exist"
}

@test "namespaces with a path stay outside of the checkpoint" {
    local holder
    unshare --net sleep 100 3>&- &
    holder=$!
    inside() { [ "$(readlink "/proc/$holder/ns/net")" != "$(readlink /proc/self/ns/net)" ]; }
    eventually inside
    config "[n for n in c['linux']['namespaces'] if n['type'] == 'network'][0]['path'] = '/proc/$holder/ns/net'"
    start
    rt --criu "$FAKE" checkpoint --image-path img "$ID"
    asked "a['external'] == ['net[$(readlink "/proc/$holder/ns/net" | tr -dc 0-9)]:extRootNetNS']"
    rt --criu "$FAKE" restore --detach --image-path img "$ID" >/dev/null 2>&1
    asked "['extRootNetNS', 6] in a['inherited']"
    kill "$holder"
}

@test "mount points in which criu's syntax could be hidden are refused, both ways" {
    local place
    rt --criu "$FAKE" --root "$DIR/state" list >/dev/null
    mkdir -p source checkpoint
    echo '["", "", ""]' >checkpoint/descriptors.json
    for place in '/a]:b' '/a[b' '/a,b' '/a\nb' '/plain'; do
        rm -rf "$DIR/rootfs"/a* "$DIR/rootfs/plain"
        [ "$place" != /plain ] || ln -s '/a]:b' "$DIR/rootfs/plain"
        config 'c["mounts"] = [m for m in c["mounts"] if m.get("source") != "source"] + [{"destination": "'"$place"'", "source": "source", "type": "bind", "options": ["bind"]}]'
        start
        run rt --criu "$FAKE" checkpoint "$ID"
        must_fail 1 "can't be checkpointed or restored"
        [ "$(status)" = running ]
        rt delete --force "$ID"
        run rt --criu "$FAKE" restore "$ID"
        must_fail 1 "can't be checkpointed or restored"
        [ -z "$(ls "$DIR/state")" ]
    done
    [ ! -e "$FAKE_CRIU_LOG" ]
    rm -rf "$DIR/rootfs"/a* "$DIR/rootfs/plain"
}

@test "when criu fails, its words are told, and the container goes on or nothing is left" {
    start
    FAKE_CRIU_FAIL="no luck" run rt --criu "$FAKE" checkpoint "$ID"
    must_fail 1 "no luck"
    [ "$(status)" = running ]
    rt delete --force "$ID"
    FAKE_CRIU_FAIL="no luck" run rt --criu "$FAKE" restore "$ID"
    must_fail 1 "no luck"
    [ -z "$(ls "$DIR/state")" ]
    run rt --criu /bin/false restore "$ID"
    [ "$status" = 1 ]
    [ -z "$(ls "$DIR/state")" ]
}

@test "what criu is asked for a restore" {
    [ "$(uname -m)" = x86_64 ] || skip "the fake criu is for x86_64"
    mkdir source img
    echo '["pipe:[123]", "/dev/null", "pipe:[456]"]' >img/descriptors.json
    config 'c["mounts"].append({"destination": "/made/for/this", "source": "source", "type": "bind", "options": ["bind"]})
c["hooks"] = {"createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", "cat >'"$BUNDLE"'/hook"]}]}'
    rt --criu "$FAKE" restore --detach --image-path img --pid-file pid --lsm-profile apparmor:x "$ID" >/dev/null 2>&1
    asked "a['kind'] == 2 and a['root_is_mount'] and a['log_file'] == 'restore.log' and a['lsm_profile'] == 'apparmor:x'"
    asked "['/made/for/this', '$BUNDLE/source'] in a['mounts'] and ['/dev/null', '/dev/null'] in a['mounts']"
    asked "a['inherited'] == [['pipe:[123]', 0], ['pipe:[456]', 2]]"
    asked "'$ID' in a['own_cgroup'] and any(path.endswith('$ID') for _, path in a['cgroups'])"
    [ -d "$DIR/rootfs/made/for/this" ]
    [ "$(status)" = running ]
    [ "$(cat pid)" = "$(pid)" ]
    grep -q '"status":"creating"' hook
    run rt --criu "$FAKE" restore --detach --image-path img "$ID"
    must_fail 1 "already exists"
    rm -rf "$DIR/rootfs/made"
}

@test "with criu itself a container goes on where it was" {
    command -v criu >/dev/null || skip "criu isn't installed"
    criu check >/dev/null 2>&1 || skip "criu doesn't work on this kernel"
    local before
    start
    eventually test -s "$DIR/rootfs/count"
    for _ in 1 2; do
        rt checkpoint --image-path img "$ID"
        before=$(cat "$DIR/rootfs/count")
        rt restore --detach --image-path img "$ID" >/dev/null 2>&1
        [ "$(status)" = running ]
        counts() { [ "$(cat "$DIR/rootfs/count")" -gt "$before" ]; }
        eventually counts
        [ "$(cat "$DIR/rootfs/count")" -lt $((before + 200)) ]
        [ "$(rt exec "$ID" cat /proc/1/comm)" = sh ]
    done
    rm "$DIR/rootfs/count"
}
