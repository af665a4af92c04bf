# keg-runtime: OCI bundles on the command line. Every test has a bundle of its own; all share one root filesystem.
# older mount calls too

setup_file() {
    load lib
    load bundle
    require root python3
    bundles_begin runtime
    payload=$(find "$KEG_BUILD" -type f -name payload -perm -1 | head -n 1)
    [ -z "$payload" ] || cp "$payload" "$DIR/rootfs/bin/payload"
}

teardown_file() {
    load bundle
    bundles_end
}

setup() {
    load lib
    load bundle
    bundle_begin
    config 'n = linux["namespaces"]; n += [{"type": "cgroup"}] * ({"type": "cgroup"} not in n)'
}

teardown() {
    bundle_end
}

args() { config "c['process']['args'] = '''$1'''.split()"; }
create_start() { rt create --bundle "$BUNDLE" "$ID" >"$BUNDLE/out" 2>&1 && rt start "$ID"; }

@test "run gives the program's output and exit status" {
    in_container 'echo out; exit 7'
    [ "$status" = 7 ]
    [ "$output" = out ]
}

@test "a program killed by a signal gives 128 and its number" {
    in_container 'kill -9 $$'
    [ "$status" = 0 ] || [ "$status" = 137 ] # PID 1 is immune against itself
    in_container 'sh -c "kill -9 \$\$"; exit $?'
    [ "$status" = 137 ]
}

@test "the program is PID 1, and its namespaces are its own" {
    in_container 'echo $$; for n in pid mnt uts ipc net cgroup; do readlink /proc/self/ns/$n; done'
    [ "$status" = 0 ]
    [ "${lines[0]}" = 1 ]
    local i=1 n
    for n in pid mnt uts ipc net cgroup; do
        [ "${lines[$i]}" != "$(readlink /proc/self/ns/$n)" ]
        i=$((i + 1))
    done
}

@test "hostname and domainname" {
    config 'c["hostname"] = "web"; c["domainname"] = "example"'
    in_container 'hostname; cat /proc/sys/kernel/domainname'
    [ "$output" = $'web\nexample' ]
}

@test "nothing of the host's mounts is left, the cgroup is the container's own" {
    in_container 'cat /proc/self/mountinfo; cat /proc/self/cgroup'
    [ "$status" = 0 ]
    [[ $output != *"$DIR/state"* ]]
    [ "$(echo "$output" | grep -c ' / / ')" = 1 ] || [ "$(echo "$output" | awk '$5 == "/"' | wc -l)" = 1 ]
    [ -z "$(echo "$output" | grep '^[0-9]*:' | grep -v ':/$')" ]
}

@test "masked files are empty, masked directories too, read-only paths can't be written" {
    in_container 'wc -c </proc/keys; ls -A /sys/firmware | wc -l; echo x >/proc/sys/kernel/hostname; touch /sys/firmware/x'
    [ "${lines[0]}" = 0 ]
    [ "${lines[1]}" = 0 ]
    [ "$(echo "$output" | grep -c "Read-only")" = 2 ]
}

@test "what masks a file is not the host's to change" {
    local before
    before=$(stat -c %a /dev/null)
    in_container 'chmod 600 /proc/keys; stat -c %t,%T /proc/keys'
    [[ $output == *"Read-only file system"* && $output == *1,3* ]]
    [ "$(stat -c %a /dev/null)" = "$before" ]
}

@test "default devices are there and the right ones" {
    in_container 'umask; for d in null:1,3 zero:1,5 full:1,7 random:1,8 urandom:1,9 tty:5,0; do set -- $(ls -l /dev/${d%:*}); echo "$1 $5$6"; done; readlink /dev/ptmx; readlink /dev/fd; echo x >/dev/null && echo writable'
    [[ $output == *"crw-rw-rw- 1,3"* && $output == *"crw-rw-rw- 5,0"* && $output == *"crw-rw-rw- 1,9"* ]]
    [[ $output == *pts/ptmx*/proc/self/fd*writable* ]]
}

@test "capabilities: exactly what was asked for, never inheritable" {
    in_container 'grep ^Cap /proc/self/status'
    [[ $output == *"CapInh:	0000000000000000"* ]]
    [[ $output == *"CapEff:	0000000020000420"* ]]
    [[ $output == *"CapBnd:	0000000020000420"* ]]
    config 'c["process"]["user"] = {"uid": 33, "gid": 33}'
    in_container 'grep ^Cap /proc/self/status; id'
    [[ $output == *"CapEff:	0000000000000000"* && $output == *"CapBnd:	0000000020000420"* ]]
}

@test "ambient capabilities reach a program that isn't root" {
    config 'k = ["CAP_NET_BIND_SERVICE"]; c["process"]["capabilities"] = {s: k for s in ("bounding", "effective", "permitted", "inheritable", "ambient")}; c["process"]["user"] = {"uid": 33, "gid": 33}'
    in_container 'grep ^Cap /proc/self/status'
    [[ $output == *"CapEff:	0000000000000400"* && $output == *"CapAmb:	0000000000000400"* ]]
}

@test "no_new_privs as asked for" {
    in_container 'grep NoNewPrivs /proc/self/status'
    [[ $output == *1 ]]
    config 'c["process"]["noNewPrivileges"] = False'
    in_container 'grep NoNewPrivs /proc/self/status'
    [[ $output == *0 ]]
}

@test "seccomp is in force, with and without no_new_privs, and in exec" {
    config 'c["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95}]}'
    in_container 'grep Seccomp: /proc/self/status; mkdir /tmp/x'
    [[ $output == *"Seccomp:	2"* && $output == *"not supported"* ]]
    config 'c["process"]["noNewPrivileges"] = False; c["process"]["capabilities"]["bounding"] = []'
    in_container 'grep Seccomp: /proc/self/status; mkdir /tmp/x'
    [[ $output == *"Seccomp:	2"* && $output == *"not supported"* ]]
    args 'sleep 60'
    create_start
    run rt exec "$ID" mkdir /tmp/x
    [ "$status" = 1 ]
    [[ $output == *"not supported"* ]]
}

@test "rlimits are set; one above the hard limit names itself" {
    config 'c["process"]["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 77, "hard": 88}]'
    in_container 'ulimit -n; ulimit -Hn'
    [ "$output" = $'77\n88' ]
    if capsh --has-p=cap_sys_resource 2>/dev/null; then return; fi
    config 'c["process"]["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 10, "hard": 1000000000}]'
    in_container 'true'
    must_fail 1 'RLIMIT_NOFILE to 10:1000000000'
}

@test "user, groups and umask" {
    config 'c["process"]["user"] = {"uid": 1, "gid": 2, "additionalGids": [5, 6], "umask": 0o27}'
    in_container 'id -u; id -g; id -G; umask'
    [ "$output" = $'1\n2\n2 5 6\n0027' ]
}

@test "HOME comes from the container's passwd, unless it is given" {
    in_container 'echo $HOME'
    [ "$output" = /root ]
    config 'c["process"]["user"] = {"uid": 33, "gid": 33}'
    in_container 'echo $HOME'
    [ "$output" = /var/www ]
    config 'c["process"]["user"] = {"uid": 99, "gid": 33}'
    in_container 'echo $HOME'
    [ "$output" = / ]
    config 'c["process"]["env"].append("HOME=/given")'
    in_container 'echo $HOME'
    [ "$output" = /given ]
}

@test "a pids limit holds" {
    config 'c["linux"]["resources"]["pids"] = {"limit": 5}'
    args 'payload fork 20'
    run rt run --bundle "$BUNDLE" "$ID"
    [ "$status" = 0 ]
    [ "$output" = 4 ]
}

@test "a memory limit holds" {
    config 'c["linux"]["resources"]["memory"] = {"limit": 16 << 20, "swap": 16 << 20}'
    args 'payload alloc 64'
    run rt run --bundle "$BUNDLE" "$ID"
    [ "$status" = 137 ]
    args 'payload alloc 4'
    run rt run --bundle "$BUNDLE" "$ID"
    [ "$output" = ok ]
}

@test "devices that aren't allowed can't be opened, even when there is a node" {
    config 'c["process"]["capabilities"] = {s: ["CAP_MKNOD", "CAP_DAC_OVERRIDE"] for s in ("bounding", "effective", "permitted")}'
    in_container 'mknod /dev/kmsg2 c 1 11 && head -c 1 /dev/kmsg2'
    [ "$status" != 0 ]
    [[ $output == *"not permitted"* ]]
}

@test "linux.devices are made with mode and owner" {
    config 'c["linux"]["devices"] = [{"path": "/dev/deep/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 0o640, "uid": 3, "gid": 4}]'
    in_container 'stat -c "%a %u %g %t,%T" /dev/deep/fuse'
    [ "$output" = "640 3 4 a,e5" ]
}

@test "no descriptor but 0, 1, 2 is open in the program; --preserve-fds adds" {
    args 'payload fds'
    run rt run --bundle "$BUNDLE" "$ID"
    [ "$status" = 0 ]
    [ -z "$output" ]
    output=$(rt run --preserve-fds 1 --bundle "$BUNDLE" "$ID" 3</dev/null 5</dev/null)
    [ "$output" = 3 ]
}

@test "signals are neither blocked nor ignored" {
    args 'payload signals'
    output=$(trap '' PIPE TERM; rt run --bundle "$BUNDLE" "$ID")
    [[ $output == *"SigBlk:	0000000000000000"* && $output == *"SigIgn:	0000000000000000"* ]]
}

@test "a read-only root can't be written" {
    config 'c["root"]["readonly"] = True'
    in_container 'touch /x'
    [[ $output == *"Read-only file system"* ]]
    [ ! -e "$DIR/rootfs/x" ]
}

@test "bind mounts: files and directories, read-only, missing targets are made" {
    mkdir "$BUNDLE/data"
    echo content >"$BUNDLE/data/file"
    config "c['mounts'] += [{'destination': '/mnt/a/b', 'source': '$BUNDLE/data', 'options': ['rbind', 'ro']}, {'destination': '/mnt/one', 'source': '$BUNDLE/data/file', 'options': ['bind']}]"
    in_container 'cat /mnt/a/b/file /mnt/one; touch /mnt/a/b/new; echo more >>/mnt/one; grep " /mnt/a/b " /proc/self/mountinfo'
    [[ $output == *$'content\ncontent'* && $output == *"Read-only"* ]]
    [ "$(cat "$BUNDLE/data/file")" = $'content\nmore' ]
    [ ! -e "$BUNDLE/data/new" ]
    rm -rf "$DIR/rootfs/mnt"
}

@test "a relative bind source counts from the bundle; a missing one is named" {
    mkdir "$BUNDLE/data"
    echo relative >"$BUNDLE/data/file"
    config "c['mounts'].append({'destination': '/mnt', 'source': 'data', 'options': ['bind']})"
    in_container 'cat /mnt/file'
    [ "$output" = relative ]
    config "c['mounts'].append({'destination': '/mnt', 'source': '/nowhere/at/all', 'options': ['bind']})"
    in_container true
    must_fail 1 /nowhere/at/all
    rm -rf "$DIR/rootfs/mnt"
}

@test "recursive attributes, propagation, tmpfs options and tmpcopyup" {
    [ -z "${KEG_OLDER_CALLS:-}" ] || skip "needs mount_setattr(2); runtime_mounts.bats has both"
    mkdir -p "$BUNDLE/data/sub" "$DIR/rootfs/filled/deep"
    echo kept >"$DIR/rootfs/filled/deep/file"
    mount -t tmpfs tmpfs "$BUNDLE/data/sub"
    config "c['mounts'] += [{'destination': '/mnt', 'source': '$BUNDLE/data', 'options': ['rbind', 'rro', 'rslave']}, {'destination': '/filled', 'type': 'tmpfs', 'source': 'tmpfs', 'options': ['tmpcopyup', 'size=1m', 'noexec', 'ro']}]"
    in_container 'touch /mnt/sub/x; touch /filled/x; cat /filled/deep/file; grep " /filled " /proc/mounts; grep " /mnt/sub " /proc/self/mountinfo'
    umount "$BUNDLE/data/sub"
    rm -rf "$DIR/rootfs/filled" "$DIR/rootfs/mnt"
    [ "$(echo "$output" | grep -c Read-only)" = 2 ]
    [[ $output == *kept* && $output == *noexec* && $output == *size=1024k* ]]
}

@test "an idmapped bind mount shows files under other ids" {
    [ -z "${KEG_OLDER_CALLS:-}" ] || skip "needs mount_setattr(2); runtime_mounts.bats has both"
    mkdir "$BUNDLE/data"
    chown 1000:1000 "$BUNDLE/data"
    config "m = [{'containerID': 1000, 'hostID': 33, 'size': 1}]; c['mounts'].append({'destination': '/mnt', 'source': '$BUNDLE/data', 'options': ['bind', 'idmap'], 'uidMappings': m, 'gidMappings': m})"
    in_container 'stat -c %u:%g /mnt'
    rm -rf "$DIR/rootfs/mnt"
    [ "$output" = 33:33 ] || [[ $output == *"can't do one of its options"* ]]
}

@test "mount(2) alone gives the same container" {
    sh_args 'cut -d" " -f2-4 /proc/mounts | grep -v cgroup | sort'
    run rt run --bundle "$BUNDLE" "$ID"
    local with=$output
    run "$KEG_BUILD/tests/older-mount-calls" "$KEG_BUILD/keg-runtime" --root "$ROOT" run --bundle "$BUNDLE" "$ID" </dev/null
    [ "$status" = 0 ]
    diff <(echo "$with" | sed 's/relatime//') <(echo "$output" | sed 's/relatime//')
}

@test "--no-pivot" {
    sh_args 'ls /; echo $$'
    run rt run --no-pivot --bundle "$BUNDLE" "$ID"
    [ "$status" = 0 ]
    [[ $output == *rootfs* ]] && return 1
    [[ $output == *bin* ]]
}

@test "a user namespace: mapped ids, devices by bind" {
    chmod 755 "$DIR"
    config "m = [{'containerID': 0, 'hostID': 100000, 'size': 65536}]; c['linux']['uidMappings'] = c['linux']['gidMappings'] = m; c['linux']['namespaces'].append({'type': 'user'})"
    in_container 'id -u; tr -s " " </proc/self/uid_map; echo x >/dev/null && echo ok; cat /proc/self/setgroups'
    [ "$status" = 0 ]
    [[ $output == *"0 100000 65536"* && $output == *ok* ]]
}

@test "namespaces by path: joined, with a user namespace too" {
    args 'sleep 60'
    config "m = [{'containerID': 0, 'hostID': 100000, 'size': 65536}]; c['linux']['uidMappings'] = c['linux']['gidMappings'] = m; c['linux']['namespaces'].append({'type': 'user'})"
    create_start
    local p first=$ID
    p=$(pid)
    rt exec "$ID" sh -c 'for n in pid net ipc uts user; do readlink /proc/self/ns/$n; done' >"$BUNDLE/first"
    config "
files = {'network': 'net', 'mount': None, 'cgroup': None}
for n in c['linux']['namespaces']:
    f = files.get(n['type'], n['type'])
    if f: n['path'] = '/proc/$p/ns/' + f
c['hostname'] = ''; del c['linux']['uidMappings'], c['linux']['gidMappings']
c['mounts'] = [m for m in c['mounts'] if m['type'] not in ('sysfs', 'cgroup')]"
    sh_args 'for n in pid net ipc uts user; do readlink /proc/self/ns/$n; done'
    run rt run --bundle "$BUNDLE" "$ID-b"
    [ "$status" = 0 ]
    [ "$output" = "$(cat "$BUNDLE/first")" ]
}

@test "a wrong namespace path is an error" {
    config "c['linux']['namespaces'] = [{'type': 'network', 'path': '/proc/self/ns/pid'} if n['type'] == 'network' else n for n in c['linux']['namespaces']]"
    in_container true
    must_fail 1 'is not a network namespace'
}

@test "a time namespace with offsets" {
    config "c['linux']['namespaces'].append({'type': 'time'}); c['linux']['timeOffsets'] = {'boottime': {'secs': 1000000000}}"
    in_container 'cut -d. -f1 /proc/uptime'
    [ "$output" -gt 1000000000 ]
}

@test "sysctls of the container's namespaces, and no others" {
    config 'c["linux"]["sysctl"] = {"net.ipv4.ip_forward": "1", "kernel.shmmax": "12345"}'
    in_container 'cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shmmax'
    [ "$output" = $'1\n12345' ]
    local name
    for name in vm.swappiness kernel.core_pattern net/../kernel/core_pattern kernel.shmmax/../core_pattern ../x; do
        config "c['linux']['sysctl'] = {'$name': '1'}"
        in_container true
        must_fail 1 "sysctl"
    done
}

@test "a terminal: controlling, with /dev/console, and its size" {
    config 'c["process"]["terminal"] = True; c["process"]["consoleSize"] = {"height": 31, "width": 97}'
    in_container 'tty; stty size; stat -c %t /dev/console; : >/dev/tty && echo controlling'
    [ "$status" = 0 ]
    [[ $output == *"/dev/pts/0"* && $output == *"31 97"* && $output == *controlling* ]]
    [[ $output == *88* ]] # major 136
}

@test "create waits, start goes, state tells, kill and delete end it" {
    args 'sleep 60'
    rt create --bundle "$BUNDLE" --pid-file "$BUNDLE/pid" "$ID" >/dev/null 2>&1
    [ "$(status)" = created ]
    [ "$(cat "$BUNDLE/pid")" = "$(pid)" ]
    run rt start "$ID"
    [ "$status" = 0 ]
    [ "$(status)" = running ]
    run rt start "$ID"
    must_fail 1 'cannot start'
    run rt delete "$ID"
    must_fail 1 'not stopped'
    rt kill "$ID" KILL
    eventually is_stopped
    run rt kill "$ID" KILL
    must_fail 1 'not running'
    rt delete "$ID"
    run rt state "$ID"
    must_fail 1 'does not exist'
}

is_stopped() { [ "$(status)" = stopped ]; }

@test "a created container that is deleted with force leaves nothing" {
    args 'sleep 60'
    rt create --bundle "$BUNDLE" "$ID" >/dev/null 2>&1
    rt delete --force "$ID"
    no_leftovers
}

@test "what a create that was killed has left is deleted with force" {
    mkdir -p "$ROOT/$ID"
    touch "$ROOT/$ID/config.json"
    run rt state "$ID"
    must_fail 1 'does not exist'
    rt delete --force "$ID"
    no_leftovers
}

@test "an id that is taken, an id that is none" {
    args 'sleep 60'
    create_start
    run rt create --bundle "$BUNDLE" "$ID"
    must_fail 1 'already exists'
    run rt create --bundle "$BUNDLE" ../evil
    must_fail 1 'invalid container ID'
}

@test "exec: output, status, user, environment, directory, groups" {
    args 'sleep 60'
    create_start
    run rt exec "$ID" sh -c 'exit 9'
    [ "$status" = 9 ]
    run rt exec --user 33:34 --additional-gids 7 --env A=b --cwd /tmp "$ID" sh -c 'id -u; id -G; echo $A $HOME; pwd; grep CapInh /proc/self/status'
    [ "$output" = $'33\n34 7\nb /var/www\n/tmp\nCapInh:\t0000000000000000' ]
    run rt exec --tty "$ID" tty
    [[ $output == /dev/pts/* ]]
    run rt exec "$ID" sh -c 'readlink /proc/self/ns/pid; cat /proc/self/cgroup'
    [ "${lines[0]}" = "$(readlink "/proc/$(pid)/ns/pid")" ]
    [[ ${lines[*]:1} == *:/* && $output != *"$ID"* ]]
    run rt exec "$ID" payload fds
    [ -z "$output" ]
}

@test "exec --user takes nothing for root that isn't" {
    args 'sleep 60'
    create_start
    local user
    for user in 1: 01x +1 -1 4294967295 4294967296 a:b 1:2:3 ' 1' 0x1; do
        run rt exec --user "$user" "$ID" id -u
        must_fail 255 "is not UID"
    done
}

@test "programs that can't be executed: texts and statuses" {
    args nope
    run rt run --bundle "$BUNDLE" "$ID"
    must_fail 1 'exec: "nope": executable file not found in $PATH'
    args /nope
    run rt run --bundle "$BUNDLE" "$ID"
    must_fail 1 'no such file or directory'
    args /etc
    run rt run --bundle "$BUNDLE" "$ID"
    must_fail 1 'is a directory'
    args /etc/passwd
    run rt run --bundle "$BUNDLE" "$ID"
    must_fail 1 'permission denied'
    args 'sleep 60'
    create_start
    run rt exec "$ID" nope
    must_fail 255 'executable file not found in $PATH'
}

@test "errors of the configuration name their place" {
    config 'c["process"]["rlimits"] = [{"type": "RLIMIT_CORE", "soft": "x", "hard": 1}]'
    in_container true
    must_fail 1 'process.rlimits[0].soft: expected'
    config 'c["process"]["rlimits"] = []; c["process"]["args"] = []'
    run rt run --bundle "$BUNDLE" "$ID"
    must_fail 1 'process.args'
    config 'c["process"]["args"] = ["a\u0000b"]'
    run rt run --bundle "$BUNDLE" "$ID"
    must_fail 1 'process.args'
    echo '{' >"$BUNDLE/config.json"
    run rt run --bundle "$BUNDLE" "$ID"
    must_fail 1 'config.json'
    cp "$DIR/config.json" "$BUNDLE/config.json"
}

@test "pause, resume, ps, list, update, features" {
    args 'sleep 60'
    create_start
    rt pause "$ID"
    [ "$(status)" = paused ]
    rt resume "$ID"
    [ "$(status)" = running ]
    run rt ps "$ID"
    [[ $output == *sleep* ]]
    run rt list --quiet
    [ "$output" = "$ID" ]
    echo '{"pids": {"limit": 3}}' >"$BUNDLE/r"
    rt update --resources "$BUNDLE/r" "$ID"
    [ "$(cat "$(find /sys/fs/cgroup -maxdepth 3 -name "$ID" -exec find {} -maxdepth 1 -name pids.max \;)")" = 3 ]
    run rt features
    [[ $output == *'"ociVersionMax": "1.3.0"'* ]]
}

@test "hooks run at their stages, with the state; a failing one ends the start" {
    cat >"$BUNDLE/hook" <<'HOOK'
#!/bin/sh
cat >"$2/$1.state"
HOOK
    chmod +x "$BUNDLE/hook"
    config "
for stage in ('prestart', 'createRuntime', 'createContainer', 'poststart', 'poststop'):
    c.setdefault('hooks', {})[stage] = [{'path': '$BUNDLE/hook', 'args': ['hook', stage, '$BUNDLE'], 'env': ['PATH=/bin:/usr/bin']}]
c['hooks']['startContainer'] = [{'path': '/bin/touch', 'args': ['touch', '/tmp/started']}]"
    in_container 'ls /tmp/started'
    [ "$status" = 0 ]
    [ "$output" = /tmp/started ]
    rm "$DIR/rootfs/tmp/started"
    local stage
    for stage in prestart createRuntime createContainer poststart poststop; do
        grep -q "\"id\":\"$ID\"" "$BUNDLE/$stage.state"
    done
    grep -q '"status":"stopped"' "$BUNDLE/poststop.state"
    config "c['hooks'] = {'createRuntime': [{'path': '/bin/false'}]}"
    in_container true
    must_fail 1 "error running createRuntime hook #0: exit status 1"
    config "c['hooks'] = {'createRuntime': [{'path': '/bin/sleep', 'args': ['sleep', '30'], 'timeout': 1}]}"
    in_container true
    must_fail 1 'not done after 1 seconds'
}

@test "a root filesystem whose /proc is a symlink is refused" {
    mkdir -p "$BUNDLE/evil/vol"
    cp -a "$DIR/rootfs/bin" "$BUNDLE/evil/"
    ln -s /vol "$BUNDLE/evil/proc"
    config "c['root']['path'] = '$BUNDLE/evil'"
    in_container true
    must_fail 1 'symbolic link'
    rm "$BUNDLE/evil/proc"
    ln -s /vol "$BUNDLE/evil/sys"
    in_container true
    must_fail 1 'symbolic link'
}

@test "a /dev that leads to the host's files touches none of them" {
    mkdir -p "$BUNDLE/evil/proc" "$BUNDLE/evil/sys" "$BUNDLE/sentinel"
    cp -a "$DIR/rootfs/bin" "$BUNDLE/evil/"
    local to
    for to in "$BUNDLE/sentinel" ../sentinel ../../../../../../..$BUNDLE/sentinel; do
        rm -rf "$BUNDLE/evil/dev"
        ln -s "$to" "$BUNDLE/evil/dev"
        config "c['root']['path'] = '$BUNDLE/evil'; c['mounts'] = [m for m in c['mounts'] if not m['destination'].startswith('/dev')]"
        in_container true
        [ -z "$(ls -A "$BUNDLE/sentinel")" ]
    done
}

@test "/dev/console and /dev/null as symlinks make or open nothing outside" {
    mkdir -p "$BUNDLE/evil/dev/pts" "$BUNDLE/evil/proc" "$BUNDLE/evil/sys" "$BUNDLE/sentinel"
    cp -a "$DIR/rootfs/bin" "$BUNDLE/evil/"
    ln -s "$BUNDLE/sentinel/new" "$BUNDLE/evil/dev/console"
    config "c['root']['path'] = '$BUNDLE/evil'; c['process']['terminal'] = True; c['mounts'] = [m for m in c['mounts'] if m['destination'] in ('/proc', '/dev/pts')]"
    in_container true
    must_fail 1 'symbolic link'
    [ ! -e "$BUNDLE/sentinel/new" ]
    rm "$BUNDLE/evil/dev/null"
    echo kept >"$BUNDLE/evil/dev/null"
    config "c['process']['terminal'] = False"
    in_container true
    must_fail 1 '/dev/null exists and is not that device'
}

@test "mounts inside /proc are refused, also by way of a symlink; over /proc only procfs" {
    mkdir -p "$BUNDLE/data"
    config "c['mounts'].append({'destination': '/proc/sys/kernel', 'type': 'tmpfs', 'source': 'tmpfs'})"
    in_container true
    must_fail 1 'inside /proc'
    ln -s /proc/sys/kernel "$DIR/rootfs/alias"
    config "c['mounts'][-1]['destination'] = '/alias'"
    in_container true
    rm "$DIR/rootfs/alias"
    must_fail 1 'inside /proc'
    config "c['mounts'][-1] = {'destination': '/proc', 'source': '$BUNDLE/data', 'options': ['bind']}"
    in_container true
    must_fail 1 'not of type proc'
}

@test "mount targets that are swapped for symlinks while containers start lead nowhere outside" {
    mkdir -p "$BUNDLE/vol/dir/sub" "$BUNDLE/sentinel" "$BUNDLE/other"
    ln -s "$BUNDLE/sentinel" "$BUNDLE/vol/link"
    echo mounted >"$BUNDLE/other/file"
    python3 - "$BUNDLE/vol/dir" "$BUNDLE/vol/link" <<'SWAP' &
import ctypes, sys, time
libc = ctypes.CDLL(None)
a, b = (s.encode() for s in sys.argv[1:])
end = time.time() + 60
while time.time() < end:
    for i in range(1000):
        libc.syscall(316, -100, a, -100, b, 2)
SWAP
    local swapper=$! i started=0 times=60
    [ -z "${KEG_VM:-}" ] || times=15
    config "c['mounts'] += [{'destination': '/vol', 'source': '$BUNDLE/vol', 'options': ['bind']}, {'destination': '/vol/dir/sub/deep/er', 'source': '$BUNDLE/other', 'options': ['bind']}, {'destination': '/vol/dir/t', 'type': 'tmpfs', 'source': 'tmpfs'}]"
    # what is mounted, not where: a link may lead to a path of the same name inside
    sh_args 'cut -d " " -f 4 /proc/self/mountinfo'
    for i in $(seq $times); do
        run rt run --bundle "$BUNDLE" "$ID"
        [ -z "$(ls -A "$BUNDLE/sentinel")" ] || break
        ! grep -q "$BUNDLE/sentinel" /proc/self/mountinfo || break
        [ "$status" = 0 ] || continue
        [[ $output == */vol* && $output != *sentinel* ]] || break
        started=$((started + 1))
    done
    kill $swapper 2>/dev/null || :
    wait $swapper || :
    rm -rf "$DIR/rootfs/vol" "$DIR/rootfs/$DIR"
    [ "$i" = $times ]
    [ "$started" -gt 0 ]
    [ -z "$(ls -A "$BUNDLE/sentinel")" ]
}

@test "a failing poststart hook ends the container for good" {
    config "c['hooks'] = {'poststart': [{'path': '/bin/false'}]}"
    args 'sleep 60'
    rt create --bundle "$BUNDLE" "$ID" >/dev/null 2>&1
    run rt start "$ID"
    must_fail 1 "error running poststart hook #0: exit status 1"
    run rt state "$ID"
    must_fail 1 'container does not exist'
}

@test "a working directory through /proc/self/fd is refused, in run and in exec" {
    local n
    for n in 0 3 5 7 9 12 20; do
        config "c['process']['cwd'] = '/proc/self/fd/$n'"
        in_container pwd
        [ "$status" = 1 ]
    done
    ln -s /proc/self/fd/7 "$DIR/rootfs/away"
    config "c['process']['cwd'] = '/away'"
    in_container pwd
    [ "$status" = 1 ]
    config "c['process']['cwd'] = '/'"
    args 'sleep 60'
    create_start
    for n in 3 5 7 9 12 20; do
        run rt exec --cwd "/proc/self/fd/$n" "$ID" pwd
        [ "$status" = 255 ]
    done
    run rt exec --cwd /away "$ID" pwd
    rm "$DIR/rootfs/away"
    [ "$status" = 255 ]
}

@test "the working directory is made when it is missing" {
    config "c['process']['cwd'] = '/made/here'"
    in_container pwd
    rm -rf "$DIR/rootfs/made"
    [ "$output" = /made/here ]
}

@test "the runtime's own program can't be written from a container" {
    printf '#!/proc/self/exe\n' >"$DIR/rootfs/self"
    chmod +x "$DIR/rootfs/self"
    local before after
    before=$(sha256sum <"$KEG_BUILD/keg-runtime")
    args '/self features'
    run rt run --bundle "$BUNDLE" "$ID"
    args 'sleep 60'
    create_start
    # the runtime waits inside, as an interpreter of a script would have it, and is looked at
    rt exec --detach "$ID" /self --root /tmp list >/dev/null 2>&1 || :
    run rt exec "$ID" payload write-exe 1
    [ "$output" = "Text file busy" ] || [ "$output" = "Permission denied" ] || [[ $output == *"ead-only"* ]]
    rm "$DIR/rootfs/self"
    after=$(sha256sum <"$KEG_BUILD/keg-runtime")
    [ "$before" = "$after" ]
}

@test "a start that fails at any stage leaves nothing" {
    local change
    for change in "c['process']['args'] = ['/nope']" \
        "c['mounts'].append({'destination': '/x', 'type': 'nofs', 'source': 'x'})" \
        "c['process']['cwd'] = '/bin/sh'" \
        "c['linux']['resources']['unified'] = {'no.such': '1'}" \
        "c['linux']['seccomp'] = {'defaultAction': 'SCMP_ACT_NONE'}" \
        "c['root']['path'] = '/nowhere'" \
        "c['linux']['devices'] = [{'path': '/bin/sh', 'type': 'c', 'major': 1, 'minor': 3}]"; do
        cp "$BUNDLE/config.json" "$BUNDLE/good.json"
        config "$change"
        run rt run --bundle "$BUNDLE" "$ID"
        [ "$status" = 1 ]
        [ -n "$output" ]
        no_leftovers
        mv "$BUNDLE/good.json" "$BUNDLE/config.json"
    done
}

@test "unknown options are refused; help comes from the tables" {
    run rt run --nonsense "$ID"
    must_fail 1 'flag provided but not defined: --nonsense'
    run rt exec --help
    [ "$status" = 0 ]
    [[ $output == *--additional-gids* ]]
}

@test "--log in JSON carries the error" {
    args /nope
    run rt --log "$BUNDLE/log" --log-format json run --bundle "$BUNDLE" "$ID"
    [ "$status" = 1 ]
    grep -q '"msg":".*exec: .*no such file or directory' "$BUNDLE/log"
    grep -q '"level":"error"' "$BUNDLE/log"
}
