# keg-runtime as an ordinary user, who is made by number alone, and as root in a user namespace.
# older mount calls too

setup_file() {
    load lib
    load bundle
    require root python3 setpriv unshare
    bundles_begin rootless
    chmod 711 "$DIR"
    cp "$KEG_BUILD/keg-runtime" "$DIR/keg-runtime"
    chmod 755 "$DIR/keg-runtime"
    mkdir -m 700 "$DIR/state" "$DIR/runtime-dir"
    export ID_OF_USER=64321
    chown -R "$ID_OF_USER:$ID_OF_USER" "$DIR/rootfs" "$DIR/state" "$DIR/runtime-dir"
    KEG_SKIP=
    as_user unshare --user true 2>/dev/null || KEG_SKIP="users may make no user namespaces here"
    export KEG_SKIP
}

teardown_file() {
    load bundle
    bundles_end
}

setup() {
    load lib
    load bundle
    rt() { rt_of_user "$@"; }
    [ -z "$KEG_SKIP" ] || skip "$KEG_SKIP"
    ID=keg-rootless-$$-$BATS_TEST_NUMBER
    BUNDLE=$DIR/$ID
    ROOT=$DIR/state
    mkdir "$BUNDLE"
    ln -s ../rootfs "$BUNDLE/rootfs"
    chown -R "$ID_OF_USER:$ID_OF_USER" "$BUNDLE"
    rt spec --rootless --bundle "$BUNDLE"
    config 'c["process"]["terminal"] = False; c["root"]["readonly"] = False'
}

teardown() {
    [ -z "$KEG_SKIP" ] || return 0
    rt delete --force "$ID"
    rt delete --force "$ID-2"
    leave_cgroup
    bundle_end
}

as_user() { setpriv --reuid "$ID_OF_USER" --regid "$ID_OF_USER" --clear-groups --inh-caps=-all -- "$@"; }
rt_of_user() { (cd / && as_user env -u XDG_RUNTIME_DIR "$DIR/keg-runtime" --root "$DIR/state" "$@" </dev/null); }


# Every hierarchy with a cgroup that belongs to the user, and this shell in it: what a session manager delegates.
own_cgroup() {
    local tree
    for tree in $(cgroup_trees); do
        mkdir "$tree/$ID-user"
        [ ! -e "$tree/cpuset.cpus" ] || cat "$tree/cpuset.cpus" >"$tree/$ID-user/cpuset.cpus"
        [ ! -e "$tree/cpuset.mems" ] || cat "$tree/cpuset.mems" >"$tree/$ID-user/cpuset.mems"
        chown "$ID_OF_USER" "$tree/$ID-user" "$tree/$ID-user"/cgroup.*
        echo "$BASHPID" >"$tree/$ID-user/cgroup.procs"
    done
}
leave_cgroup() {
    local tree
    for tree in $(cgroup_trees); do
        [ -d "$tree/$ID-user" ] || continue
        if [ -n "${KEG_VM:-}" ]; then echo "$BASHPID" >"$tree/init/cgroup.procs"; else echo "$BASHPID" >"$tree/cgroup.procs"; fi
        # who is still in it ends, or was here with us
        [ -n "${KEG_VM:-}" ] && [ -e "$tree/$ID-user/keg.leaf" ] && rmdir "$tree/$ID-user/keg.leaf"
        find "$tree/$ID-user" -depth -type d -exec rmdir {} + || :
    done
}
cgroup_trees() {
    if [ -e /sys/fs/cgroup/cgroup.controllers ]; then echo /sys/fs/cgroup; return; fi
    local d
    for d in /sys/fs/cgroup/*/; do
        [[ $(stat -f -c %T "$d") != cgroup* ]] || echo "${d%/}"
    done
}

@test "the user is root inside, alone, and itself outside" {
    in_container 'id -u; id -g; cat /proc/self/uid_map; cat /proc/self/setgroups; touch /made; echo x >/dev/null; for d in null zero full random urandom tty; do [ -c /dev/$d ] || echo "no $d"; done'
    [ "$status" = 0 ]
    [ "$(echo "$output" | tr -s ' \n' ' ')" = "0 0 0 $ID_OF_USER 1 deny " ] || { echo "$output"; false; }
    [ "$(stat -c %u "$DIR/rootfs/made")" = "$ID_OF_USER" ]
    rm "$DIR/rootfs/made"
}

@test "a configuration without a user namespace gets one" {
    as_user rm "$BUNDLE/config.json"
    rt spec --bundle "$BUNDLE"
    config 'c["process"]["terminal"] = False; c["root"]["readonly"] = False; del c["linux"]["resources"]
for m in c["mounts"]: m["options"] = [o for o in m.get("options", []) if not o.startswith("gid=")]'
    in_container 'id -u; set -- $(cat /proc/self/uid_map); echo $1 $2 $3'
    [ "$status" = 0 ]
    [ "$output" = "0"$'\n'"0 $ID_OF_USER 1" ]
}

@test "create, start, exec, ps, kill and delete" {
    sh_args 'while :; do sleep 0.1; done'
    rt create --bundle "$BUNDLE" "$ID"
    [ "$(status "$ID")" = created ]
    rt start "$ID"
    [ "$(status "$ID")" = running ]
    run rt exec "$ID" sh -c 'id -u; echo $$; cat /proc/1/comm; exit 5'
    [ "$status" = 5 ]
    [ "${lines[0]}" = 0 ] && [ "${lines[1]}" -lt 1000 ] && [ "${lines[2]}" = sh ]
    [[ $(rt ps "$ID") == *"sleep 0.1"* ]]
    [[ $(rt ps --format json "$ID") == *"$(pid "$ID")"* ]]
    [[ $(rt list) == *"$ID"*running* ]]
    rt exec --detach --pid-file "$BUNDLE/pid" "$ID" sleep 100
    [ "$(tr '\0' ' ' <"/proc/$(cat "$BUNDLE/pid")/cmdline")" = "sleep 100 " ]
    rt kill "$ID" KILL
    eventually test "$(status "$ID")" = stopped || [ "$(status "$ID")" = stopped ]
    rt delete "$ID"
}

@test "exec joins every namespace, with a terminal too" {
    sh_args 'sleep 100'
    rt run --detach --bundle "$BUNDLE" "$ID"
    local init ns
    init=$(pid "$ID")
    for ns in user pid mnt net ipc uts; do
        [ "$(rt exec "$ID" readlink "/proc/self/ns/$ns")" = "$(readlink "/proc/$init/ns/$ns")" ]
    done
    [[ $(rt exec --tty "$ID" tty) == /dev/pts/0* ]]
    # the shortest program ends before the process in between does
    for _ in $(seq 40); do rt exec "$ID" true; done
}

@test "kill --all reaches all processes without a cgroup" {
    sh_args 'trap "exit 7" USR1; touch /dev/ready; while :; do sleep 0.05; done'
    rt run --detach --bundle "$BUNDLE" "$ID"
    eventually rt exec "$ID" test -e /dev/ready
    rt exec --detach "$ID" sh -c 'trap "exit 8" USR1; while :; do sleep 0.05; done'
    rt kill --all "$ID" USR1
    stopped() { [ "$(status "$ID")" = stopped ]; }
    eventually stopped
}

@test "the state directory is the user's alone" {
    sh_args 'sleep 100'
    rt run --detach --bundle "$BUNDLE" "$ID"
    [ "$(stat -c '%a %u' "$DIR/state/$ID")" = "700 $ID_OF_USER" ]
    [ "$(stat -c %a "$DIR/state/$ID/state.json")" = 600 ]
    [ "$(stat -c %a "$DIR/state/$ID/config.json")" = 600 ]
}

@test "states are in XDG_RUNTIME_DIR by default, and it is named where it is missing" {
    sh_args 'sleep 100'
    (cd / && as_user env XDG_RUNTIME_DIR="$DIR/runtime-dir" "$DIR/keg-runtime" run --detach --bundle "$BUNDLE" "$ID" </dev/null >/dev/null 2>&1)
    [ "$(stat -c '%a %u' "$DIR/runtime-dir/keg-runtime")" = "1700 $ID_OF_USER" ]
    [ -d "$DIR/runtime-dir/keg-runtime/$ID" ]
    as_user env XDG_RUNTIME_DIR="$DIR/runtime-dir" "$DIR/keg-runtime" delete --force "$ID"
    [ -z "$(ls "$DIR/runtime-dir/keg-runtime")" ]
    ! as_user test -w /run || return 0
    run as_user env -u XDG_RUNTIME_DIR "$DIR/keg-runtime" run --bundle "$BUNDLE" "$ID"
    must_fail 1 XDG_RUNTIME_DIR
}

@test "limits without a cgroup to set them on are an error, and so is pausing" {
    config 'c["linux"]["resources"] = {"pids": {"limit": 20}}'
    in_container true
    must_fail 1 " limit: container could not join or create cgroup"
    config 'c["linux"]["resources"] = {"pids": {}, "memory": {"limit": 0}}'
    sh_args 'sleep 100'
    rt run --detach --bundle "$BUNDLE" "$ID"
    run rt pause "$ID"
    must_fail 1 "container has no cgroup"
    run rt update --pids-limit 20 "$ID"
    must_fail 1 "no cgroup"
}

@test "an explicit cgroup that can't be made is an error" {
    config "c['linux']['cgroupsPath'] = '/$ID'"
    in_container true
    must_fail 1 "make cgroup"
}

@test "where the own cgroup is delegated, the container has one below it, with its limits" {
    config 'c["linux"]["resources"] = {"pids": {"limit": 20}}'
    sh_args 'sleep 100'
    bash -c "$(declare -f own_cgroup cgroup_trees rt rt_of_user as_user); ID=$ID; own_cgroup
        rt run --detach --bundle '$BUNDLE' '$ID'" >"$BUNDLE/out" 2>&1 || { cat "$BUNDLE/out"; false; }
    local file
    file=$(find /sys/fs/cgroup/ -path "*$ID-user/keg-runtime-$ID/pids.max" | head -n 1)
    [ "$(cat "$file")" = 20 ]
    grep -qx "$(pid "$ID")" "${file%/*}/cgroup.procs"
    rt pause "$ID"
    [ "$(status "$ID")" = paused ]
    rt resume "$ID"
    rt update --pids-limit 30 "$ID"
    [ "$(cat "$file")" = 30 ]
    rt delete --force "$ID"
    [ ! -d "${file%/*}" ]
}

@test "no cgroup of the host can be written by way of /sys, the user's own neither" {
    config 'c["linux"]["namespaces"] = [n for n in c["linux"]["namespaces"] if n["type"] != "cgroup"]'
    local writes='cd /sys/fs/cgroup || exit 9; for d in . $(find . -type d 2>/dev/null); do mkdir "$d/made" 2>/dev/null && echo "made $d/made"
        for f in cgroup.procs tasks cgroup.subtree_control pids.max memory.max; do [ ! -e $d/$f ] || ! (echo 0 >$d/$f) 2>/dev/null || echo "wrote $d/$f"; done; done; echo done' how
    for how in "" 'c["mounts"] = [m for m in c["mounts"] if m["destination"] != "/sys/fs/cgroup"]' \
        'c["mounts"][[m["destination"] for m in c["mounts"]].index("/sys")] = {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["ro"]}; c["linux"]["namespaces"] = [n for n in c["linux"]["namespaces"] if n["type"] != "network"]'; do
        config "$how"
        sh_args "$writes"
        run bash -c "$(declare -f own_cgroup leave_cgroup cgroup_trees rt rt_of_user as_user); ID=$ID; own_cgroup
            rt run --bundle '$BUNDLE' '$ID'"
        leave_cgroup
        [ "$status" = 0 ] && [ "$output" = "done" ] || { echo "with \"$how\": $status $output"; false; }
    done
}

@test "what shows a namespace of the host's is bound from it" {
    config 'c["linux"]["namespaces"] = [n for n in c["linux"]["namespaces"] if n["type"] not in ("network", "ipc")]
c["mounts"][[m["destination"] for m in c["mounts"]].index("/sys")] = {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "ro"]}
c["mounts"] = [m for m in c["mounts"] if m["destination"] != "/dev/mqueue"]'
    in_container 'ls /sys/class/net; readlink /proc/self/ns/net; touch /sys/x 2>&1'
    [ "$status" = 1 ]
    [[ $output == *"$(readlink /proc/self/ns/net)"*"Read-only file system"* ]]
}

@test "mappings of more ids need the helper, and the error names it or the line that is missing" {
    config 'c["linux"]["uidMappings"].append({"containerID": 1, "hostID": 700000, "size": 10})'
    in_container true
    [ "$status" = 1 ]
    [[ $output == *newuidmap* ]]
    [[ $output == *"is not installed"* || $output == *"/etc/subuid needs a line like "*"$ID_OF_USER:700000:10"* ]]
}

# newuidmap and newgidmap as they are to be called, with the rights that the real ones have: a copy of python that is
# set-user-id for the length of this test. Allowed is what the environment of the test says.
make_helpers() {
    mkdir "$DIR/helpers"
    cp "$(readlink -f /usr/bin/python3)" "$DIR/helpers/python"
    chmod 4755 "$DIR/helpers/python"
    cat >"$DIR/helpers/newuidmap" <<'P'
#!/bin/sh
exec "${0%/*}/python" -I -c '
import sys, os
name, pid, words = sys.argv[1], sys.argv[2], sys.argv[3:]
file = {"newuidmap": "uid_map", "newgidmap": "gid_map"}[name]
lines = [words[i:i + 3] for i in range(0, len(words), 3)]
for inside, outside, size in lines:
    if int(outside) >= 800000:
        sys.exit("%s: %s range [%s-%s) -> [%s-%s) not allowed" % (name, file[:3], inside, int(inside) + int(size), outside, int(outside) + int(size)))
open("/proc/%s/%s" % (pid, file), "w").write("".join(" ".join(l) + "\n" for l in lines))
' "${0##*/}" "$@"
P
    chmod 755 "$DIR/helpers/newuidmap"
    cp "$DIR/helpers/newuidmap" "$DIR/helpers/newgidmap"
}

@test "the helpers map what they allow, and groups can be set then" {
    [ -x /usr/bin/python3 ] || skip "needs /usr/bin/python3"
    make_helpers
    rt() { (cd / && as_user env -u XDG_RUNTIME_DIR PATH="$DIR/helpers:$PATH" "$DIR/keg-runtime" --root "$DIR/state" "$@" </dev/null); }
    as_user env PATH="$DIR/helpers:$PATH" "$DIR/helpers/python" -c 'import os; os.geteuid() == 0 or exit(1)' || skip "no set-user-id programs here"
    config 'c["linux"]["uidMappings"].append({"containerID": 1, "hostID": 700000, "size": 10})
c["linux"]["gidMappings"].append({"containerID": 1, "hostID": 710000, "size": 10})
c["process"]["user"] = {"uid": 3, "gid": 4, "additionalGids": [5, 6]}'
    in_container 'id -u; id -g; id -G; set -- $(tail -n 1 /proc/self/gid_map); echo $*; cat /proc/self/setgroups'
    [ "$status" = 0 ] || { echo "$output"; false; }
    [ "$output" = $'3\n4\n4 5 6\n1 710000 10\nallow' ]
    sh_args 'sleep 100'
    rt run --detach --bundle "$BUNDLE" "$ID"
    [ "$(stat -c %u "/proc/$(pid "$ID")")" = 700002 ]
    [ "$(rt exec --user 7:8 "$ID" id -u)" = 7 ]
    rt delete --force "$ID"
    config 'c["linux"]["uidMappings"][1]["hostID"] = 800000'
    in_container true
    must_fail 1 "$DIR/helpers/newuidmap refuses (newuidmap: uid range [1-11) -> [800000-800010) not allowed): /etc/subuid needs a line like \"$ID_OF_USER:800000:10\""
    rm -rf "$DIR/helpers"
}

@test "additional groups can't be had with one mapping alone" {
    config 'c["process"]["user"]["additionalGids"] = [0]'
    in_container true
    must_fail 1 "groups"
}

@test "oomScoreAdj is raised, and not being able to lower it only a warning" {
    config 'c["process"]["oomScoreAdj"] = 300'
    sh_args 'cat /proc/self/oom_score_adj; sleep 100'
    rt run --detach --bundle "$BUNDLE" "$ID" >"$BUNDLE/out"
    eventually grep -qx 300 "$BUNDLE/out"
    [ "$(rt exec "$ID" cat /proc/self/oom_score_adj)" = 300 ]
    rt delete --force "$ID"
    config 'c["process"]["oomScoreAdj"] = -300'
    in_container 'cat /proc/self/oom_score_adj'
    [ "$status" = 0 ]
    [[ $output == *"lowering it to -300 is for root"* ]]
    [ "${lines[-1]}" = "$(cat /proc/self/oom_score_adj)" ]
}

@test "a time namespace with offsets" {
    [ -e /proc/self/timens_offsets ] || skip "this kernel has no time namespaces"
    config 'c["linux"]["namespaces"].append({"type": "time"}); c["linux"]["timeOffsets"] = {"boottime": {"secs": 1000000}}'
    in_container 'cut -d. -f1 /proc/uptime'
    [ "$status" = 0 ]
    [ "$output" -ge 1000000 ]
}

@test "namespaces of another container of the user's are joined" {
    config 'c["linux"]["namespaces"].append({"type": "network"})'
    sh_args 'sleep 100'
    rt run --detach --bundle "$BUNDLE" "$ID"
    local init ns
    init=$(pid "$ID")
    config "
kinds = {'user': 'user', 'network': 'net', 'ipc': 'ipc', 'pid': 'pid', 'uts': 'uts'}
c['linux']['namespaces'] = [{'type': 'mount'}] + [{'type': k, 'path': '/proc/$init/ns/' + f} for k, f in kinds.items()]
del c['linux']['uidMappings'], c['linux']['gidMappings']
c['hostname'] = ''"
    sh_args 'for n in user net ipc pid uts; do readlink /proc/self/ns/$n; done; cat /proc/1/comm'
    run rt run --bundle "$BUNDLE" "$ID-2"
    [ "$status" = 0 ] || { echo "$output"; false; }
    local i=0
    for ns in user net ipc pid uts; do
        [ "${lines[$i]}" = "$(readlink "/proc/$init/ns/$ns")" ]
        i=$((i + 1))
    done
    [ "${lines[5]}" = sleep ]
}

@test "root in a user namespace: containers with and without one of their own" {
    inside() { (cd / && as_user env -u XDG_RUNTIME_DIR unshare --user --map-root-user --mount "$DIR/keg-runtime" --root "$DIR/state" run --bundle "$BUNDLE" "$ID" </dev/null); }
    config 'c["linux"]["uidMappings"][0]["hostID"] = 0; c["linux"]["gidMappings"][0]["hostID"] = 0'
    sh_args 'id -u; [ -c /dev/null ] && echo device; set -- $(cat /proc/self/uid_map); echo $2'
    run inside
    [ "$status" = 0 ] || { echo "$output"; false; }
    [ "$output" = $'0\ndevice\n'"0" ]
    config 'c["linux"]["namespaces"] = [n for n in c["linux"]["namespaces"] if n["type"] != "user"]; del c["linux"]["uidMappings"], c["linux"]["gidMappings"]'
    run inside
    [ "$status" = 0 ] || { echo "$output"; false; }
    [[ $output == $'0\ndevice\n'* ]]
}

@test "with the older mount calls" {
    [ -z "${KEG_NO_MOUNT_API:-}" ] || skip "all of this file runs with them"
    export KEG_NO_MOUNT_API=1
    in_container 'id -u; touch /made; [ -c /dev/null ] && echo device; mkdir /sys/fs/cgroup/made 2>/dev/null || echo unwritable'
    [ "$status" = 0 ] || { echo "$output"; false; }
    [ "$output" = $'0\ndevice\nunwritable' ]
}
