#!/usr/bin/env bats
# keg-runtime when the kernel says no: every call that a command makes fails once, at the n-th call of each of its
# processes up to the container's own program, for every n; and the runtime is killed there, for every n. What has to hold
# is in tools/fault/sweep.c: the command works all the same and the container is as it always is (every thing that a process
# can see of its surroundings is compared), or it says what failed; nothing hangs; nothing is left, neither process, cgroup,
# mount, file nor keyring; and what a clean-up that failed has left is named, and removed by delete --force.
# KEG_FULL=1: with a second error for each call.
# vm: no

bats_require_minimum_version 1.5.0

setup_file() {
    load lib
    require root python3
    DIR=$(mktemp -d /var/tmp/keg-fault.XXXXXX)
    FAULT=$(find "$KEG_BUILD" -type f -name fault -perm -1 | head -n 1)
    [ -n "$FAULT" ] || return 0
    busybox_rootfs "$DIR/rootfs"
    cp "$FAULT" "$DIR/rootfs/bin/fault"
    mkdir -p "$DIR/source" "$DIR/rootfs/full/of/files"
    echo text >"$DIR/source/file"
    export DIR FAULT
    bundle portrait "c['process']['args'] = ['/bin/fault', 'portrait']"
    bundle wait "c['process']['args'] = ['/bin/fault', 'wait']"
    bundle broken "c['process']['args'] = ['/nothing']"
    bundle rich "$(rich)"
}

teardown_file() {
    rm -rf --one-file-system "$DIR"
}

setup() {
    load lib
    [ -n "$FAULT" ] || skip "needs the test program fault"
    [ "$(cat /proc/sys/kernel/yama/ptrace_scope 2>/dev/null || echo 0)" -lt 3 ] || skip "needs ptrace"
}

# Something of everything.
rich() {
    cat <<PYTHON
c['process'].update(args=['/bin/fault', 'portrait'], oomScoreAdj=500, noNewPrivileges=False,
    user={'uid': 7, 'gid': 8, 'additionalGids': [9, 10], 'umask': 0o27}, rlimits=[{'type': 'RLIMIT_CORE', 'soft': 0, 'hard': 0}])
c['mounts'] += [
    {'destination': '/bound', 'source': '$DIR/source', 'type': 'bind', 'options': ['rbind', 'ro', 'nosuid']},
    {'destination': '/bound-file', 'source': '$DIR/source/file', 'type': 'bind', 'options': ['bind']},
    {'destination': '/full', 'source': 'tmpfs', 'type': 'tmpfs', 'options': ['tmpcopyup', 'size=1m']}]
c['hooks'] = {kind: [{'path': '/bin/true', 'args': ['true']}] for kind in
    ('prestart', 'createRuntime', 'createContainer', 'poststart', 'poststop')}
c['hooks']['startContainer'] = [{'path': '/bin/true'}]
c['linux']['sysctl'] = {'net.ipv4.ip_forward': '1', 'kernel.shmmax': '123456789'}
c['linux']['seccomp'] = {'defaultAction': 'SCMP_ACT_ALLOW', 'syscalls': [{'names': ['swapon'], 'action': 'SCMP_ACT_ERRNO'}]}
c['linux']['devices'] = [{'path': '/dev/fuse', 'type': 'c', 'major': 10, 'minor': 229, 'fileMode': 0o600, 'uid': 7}]
c['linux']['resources'].update(memory={'limit': 200000000}, cpu={'shares': 512})
PYTHON
}

# bundle NAME 'Python over c': a bundle of that name; all share one root filesystem
bundle() {
    mkdir -p "$DIR/$1"
    ln -s ../rootfs "$DIR/$1/rootfs"
    "$KEG_BUILD/keg-runtime" spec --bundle "$DIR/$1"
    python3 -c 'import json, sys
path = sys.argv[1] + "/config.json"
c = json.load(open(path))
c["process"]["terminal"] = False
c["linux"]["cgroupsPath"] = "/" + sys.argv[2]
c["linux"].setdefault("resources", {})["pids"] = {"limit": 100}
exec(sys.argv[3])
json.dump(c, open(path, "w"))' "$DIR/$1" "$(cgroup)" "$2"
}

cgroup() { echo "keg-fault-${DIR##*.}"; }

# sweep BUNDLE [options…] COMMAND
sweep() {
    local bundle=$1 variant
    shift
    for variant in 0 ${KEG_FULL:+1}; do
        run timeout 600 "$FAULT" sweep --runtime "$KEG_BUILD/keg-runtime" --state "$DIR/state" --bundle "$DIR/$bundle" \
            --cgroup "$(cgroup)" --variant "$variant" "$@"
        echo "$output"
        echo "${lines[-1]}" >&3
        [ "$status" = 0 ]
        [ -z "$(ls "$DIR/state" 2>/dev/null)" ]
    done
}

@test "create: every kernel call fails once" { sweep portrait create; }

@test "create of what can't work, whose undoing fails as well" { sweep broken create-broken; }

@test "start: every kernel call fails once, of the runtime and of the waiting init" { sweep portrait start; }

@test "exec: every kernel call fails once" { sweep wait exec; }

@test "delete of a stopped container: every kernel call fails once" { sweep portrait delete; }

@test "delete --force of a running container: every kernel call fails once" { sweep wait delete-force; }

@test "run of a container with something of everything: every kernel call fails once" { sweep rich run; }

@test "create is killed at every kernel call" { sweep portrait --kill create; }

@test "start is killed at every kernel call" { sweep portrait --kill start; }

@test "exec is killed at every kernel call" { sweep wait --kill exec; }

@test "delete is killed at every kernel call" { sweep portrait --kill delete; }

@test "delete --force is killed at every kernel call" { sweep wait --kill delete-force; }

@test "run is killed at every kernel call" { sweep portrait --kill run; }

@test "no session keyring is left of all these" {
    keyrings() { ! grep -q '_ses\.fault' /proc/keys; }
    eventually keyrings
}
