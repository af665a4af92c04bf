#!/usr/bin/env bats
# Holes that container runtimes had, one test each, with keg-runtime alone: hostile root filesystems and configurations,
# and somebody who exchanges paths while it works. $SENT stands for the host: whatever happens, it must stay what it was.
#
# | CVE | test |
# | --- | --- |
# | 2019-5736 | "the runtime's program can't be opened for writing …" |
# | 2019-16884, 2019-18837, 2019-19921, 2023-27561, 2023-28642 | "/proc or /sys as links …", "nothing lies over /proc …" |
# | 2021-30465, 2024-45310 | "mount points in a shared volume are exchanged …" (both mount APIs) |
# | 2021-43784 | "long arguments, environments and mappings …", "half a thousand broken configurations …" |
# | 2022-24769, -27649, -27650, -27651, -29162 | "no inheritable capabilities …" |
# | 2023-25809 | "cgroups of the host can't be written …" |
# | 2024-21626 | "a working directory by way of any descriptor …" |
# | 2025-31133 | "/dev/null and what is masked are exchanged …" |
# | 2025-52565 | "the terminal's nodes are exchanged …" |
# | 2025-52881 | "/proc and /sys are exchanged …", "a label that can't be set …", "init's paths …" |
# | 2026-41579, 2026-47766 | "/dev as a link …" |
# | 2026-88264, 2026-88265 | "/dev/console and /dev/null as links …" |
# | 2026-115521 | "a made-up /proc/self/fd …" |
# | 2026-30892 | "users that only look like numbers …" |
# | 2025-24965, 2026-84042 | "annotations choose no other handler …" |
# | 2026-39402 | "no program has privileges of its own" |
# | CVE-2022-0811, GHSA-2cgq-h8xw-2v5j | "names of sysctls …" |
# | the design's invariants | "init's paths up to pivot_root …", "no descriptor above 2 …" |
#
# Those of checkpoints are in the tests of checkpoint and restore.
# vm: long

bats_require_minimum_version 1.5.0

setup_file() {
    load lib
    load bundle
    require root python3
    bundles_begin secure
    FAULT=$(find "$KEG_BUILD" -type f -name fault -perm -1 | head -n 1)
    payload=$(find "$KEG_BUILD" -type f -name payload -perm -1 | head -n 1)
    [ -z "$payload" ] || cp "$payload" "$DIR/rootfs/bin/payload"
    [ -z "$FAULT" ] || cp "$FAULT" "$DIR/rootfs/bin/fault"
    export FAULT
}

teardown_file() {
    load bundle
    bundles_end
}

setup() {
    load lib
    load bundle
    CALLS='timeout 60'
    ID=keg-secure-$$-$BATS_TEST_NUMBER
    BUNDLE=$DIR/$BATS_TEST_NUMBER
    ROOT=$DIR/state
    SENT=$BUNDLE/sentinel
    UP=../../../../../../../../../..
    mkdir -p "$BUNDLE" "$SENT/directory"
    echo secret >"$SENT/file"
    chmod 0741 "$SENT/file"
    rt spec --bundle "$BUNDLE"
    config "c['process']['terminal'] = False; c['root']['path'] = '../rootfs'; c['linux']['cgroupsPath'] = '/$ID'"
    before=$(sentinel)
}

teardown() {
    rt delete --force "$ID"
    is_untouched
    rm -rf --one-file-system "$BUNDLE"
    [ -z "$(ls "$ROOT" 2>/dev/null; find /sys/fs/cgroup -maxdepth 2 -name "$ID*")" ]
}

CONFIG_MORE='
def without(*destinations):
    c["mounts"] = [m for m in c["mounts"] if m["destination"] not in destinations]
'
running() {
    config "c['process']['args'] = ['/bin/sleep', '60']"
    rt create --bundle "$BUNDLE" "$ID" >/dev/null 2>&1
    rt start "$ID"
}

sentinel() {
    find "$SENT" -printf '%p %y %i %m %u %g %s %T@ %l\n' | sort
    cat "$SENT/file"
    sha256sum "$KEG_BUILD/keg-runtime"
    cat /proc/sys/kernel/core_pattern
    stat -c '%t:%T %a %u %g' /dev/null /dev/console /dev/ptmx 2>&1
}

is_untouched() { diff <(echo "$before") <(sentinel); }

# An own root filesystem in $EVIL, changed by the commands given.
evil() {
    EVIL=$BUNDLE/evil
    rm -rf "$EVIL"
    mkdir -p "$EVIL"/{proc,sys,dev,tmp,etc}
    cp -al "$DIR/rootfs/bin" "$EVIL/"
    (cd "$EVIL" && eval "$1")
    config "c['root'].update(path='evil', readonly=True)"
}

# exchanged A B … : a container for each moment at which each A and B are exchanged (tools/fault/swap.c)
exchanged() {
    [ -n "$FAULT" ] || skip "needs the test program fault"
    [ -z "${KEG_VM:-}" ] || skip "a container for every call takes too long in an emulated machine"
    config "c['process']['args'] = ['/bin/fault', 'portrait']"
    run timeout 300 ${CALLS:-} "$FAULT" swap --runtime "$KEG_BUILD/keg-runtime" --state "$ROOT" --bundle "$BUNDLE" --cgroup "$ID" \
        --sentinel "$SENT" ${KEG_FULL:+--from 0} "$@"
    echo "$output"
    [ "$status" = 0 ]
    is_untouched
}

# ---- somebody exchanges paths ----

volume() {
    mkdir -p "$BUNDLE/volume/a" "$BUNDLE/source"
    ln -s "$UP$SENT" "$BUNDLE/volume/b"
    echo source >"$BUNDLE/source/file"
    evil true
    config "c['mounts'] += [
        {'destination': '/vol', 'source': 'volume', 'options': ['bind']},
        {'destination': '/vol/a/in', 'source': 'source', 'options': ['bind']},
        {'destination': '/vol/a/deep/er/file', 'source': 'source/file', 'options': ['bind', 'ro']},
        {'destination': '/vol/a/t', 'type': 'tmpfs', 'source': 'tmpfs'}]
c['process']['cwd'] = '/vol/a/work'
c['linux']['maskedPaths'] += ['/vol/a/in/file']
c['linux']['readonlyPaths'] += ['/vol/a/deep']"
}

@test "CVE-2021-30465, CVE-2024-45310: mount points in a shared volume are exchanged with a link, at every call" {
    volume
    exchanged "$BUNDLE/volume/a" "$BUNDLE/volume/b"
}

@test "CVE-2021-30465, CVE-2024-45310: the same with mount(2) alone" {
    volume
    CALLS=$(find "$KEG_BUILD" -type f -name older-mount-calls -perm -1 | head -n 1)
    [ -n "$CALLS" ] || skip "needs the test program older-mount-calls"
    exchanged "$BUNDLE/volume/a" "$BUNDLE/volume/b"
}

@test "CVE-2025-31133: /dev/null and what is masked are exchanged with links, at every call" {
    evil "for n in null zero; do ln -s '$UP$SENT/file' dev/evil-\$n; : >dev/\$n; done; rm dev/null dev/zero
        mknod dev/null c 1 3; mknod dev/zero c 1 5
        mkdir m; echo hidden >m/file; mkdir m/directory; ln -s '$UP/proc/sysrq-trigger' m/evil-file; ln -s '$UP$SENT' m/evil-directory"
    config "without('/dev', '/dev/pts', '/dev/shm', '/dev/mqueue')
c['linux']['maskedPaths'] += ['/m/file', '/m/directory']; c['linux']['readonlyPaths'] += ['/m']"
    exchanged "$EVIL/dev/null" "$EVIL/dev/evil-null" "$EVIL/dev/zero" "$EVIL/dev/evil-zero" \
        "$EVIL/m/file" "$EVIL/m/evil-file" "$EVIL/m/directory" "$EVIL/m/evil-directory"
}

@test "CVE-2025-52565: the terminal's nodes are exchanged with links, at every call" {
    evil "mkdir dev/pts; : >dev/console; ln -s '$UP$SENT/new' dev/evil-console; ln -s '$UP/dev/pts' dev/evil-pts
        ln -s pts/ptmx dev/ptmx; ln -s '$UP$SENT/file' dev/evil-ptmx"
    config "without('/dev', '/dev/shm', '/dev/mqueue'); c['process'].update(terminal=True)"
    exchanged "$EVIL/dev/console" "$EVIL/dev/evil-console" "$EVIL/dev/pts" "$EVIL/dev/evil-pts" "$EVIL/dev/ptmx" "$EVIL/dev/evil-ptmx"
}

@test "CVE-2025-52881, CVE-2019-19921: /proc and /sys are exchanged with links, at every call" {
    evil "ln -s '$UP$SENT' evil-proc; ln -s /tmp evil-sys"
    config "c['linux']['sysctl'] = {'net.ipv4.ip_forward': '1'}; c['process']['oomScoreAdj'] = 300"
    exchanged "$EVIL/proc" "$EVIL/evil-proc" "$EVIL/sys" "$EVIL/evil-sys"
}

@test "CVE-2026-41579, CVE-2024-45310: /dev and directories of the image are exchanged with links, at every call" {
    evil "ln -s '$UP$SENT' evil-dev; mkdir -p deep/one; ln -s '$UP$SENT' evil-deep; ln -s '$UP' evil-etc"
    config "c['mounts'] += [{'destination': '/deep/one/two/three', 'type': 'tmpfs', 'source': 'tmpfs'},
    {'destination': '/etc/hosts', 'source': '$SENT/../config.json', 'options': ['bind', 'ro']}]
c['linux']['devices'] = [{'path': '/deep/one/fuse', 'type': 'c', 'major': 10, 'minor': 229}]"
    exchanged "$EVIL/dev" "$EVIL/evil-dev" "$EVIL/deep" "$EVIL/evil-deep" "$EVIL/etc" "$EVIL/evil-etc"
}

# ---- the invariants of the design, by construction ----

# Names and flags as fault prints them: NAME RESOLVE ARGUMENT DESCRIPTOR "PATH".
strange_paths() {
    awk -v bundle="$BUNDLE" '
        $NF == "\"\"" { next }                                          # by descriptor alone
        $1 == "openat2" && $2 ~ /^(12|1a|a|e|b|f)$/ { next }            # in the root or below procfs, no magic links
        $4 != -100 && $NF !~ "/" && $NF != "\"..\"" && $1 != "openat" { next } # one name in a directory that is open
        $1 == "openat" && $4 != -100 && $NF !~ "/" { next }
        $1 ~ /^(pivot_root|umount2)$/ && $NF == "\".\"" { next }
        $NF == "\"/\"" && $1 ~ /^(openat|open|mount)$/ { next }         # the host'"'"'s root, before the pivot
        $1 == "open_tree" && $NF ~ "^\"" bundle { next }                # sources, opened first
        $1 == "open_tree" && ($NF == "\"/dev/null\"" || $NF ~ "^\"/sys/fs/cgroup/") { next }
        { print }'
}

@test "init's paths up to pivot_root: none but the host's own is resolved outside of the root" {
    [ -n "$FAULT" ] || skip "needs the test program fault"
    volume
    config "c['process']['args'] = ['/bin/true']; c['linux']['sysctl'] = {'net.ipv4.ip_forward': '1'}
c['linux']['devices'] = [{'path': '/dev/fuse', 'type': 'c', 'major': 10, 'minor': 229}]"
    run "$FAULT" paths --runtime "$KEG_BUILD/keg-runtime" --state "$ROOT" --bundle "$BUNDLE" --cgroup "$ID"
    [ "$status" = 0 ]
    [ "${#lines[@]}" -gt 100 ]
    strange=$(strange_paths <<<"$output")
    [ -z "$strange" ] || { echo "$strange"; return 1; }
}

@test "no descriptor above 2 in the program, in run and in exec, whatever the caller left open" {
    config "c['process']['args'] = ['/bin/payload', 'fds']"
    run rt run --bundle "$BUNDLE" "$ID" 5</ 77</etc/passwd 900>"$BUNDLE/x"
    [ "$status" = 0 ]
    [ "$output" = "" ]
    running
    run rt exec "$ID" payload fds 5</ 77</etc/passwd 900>"$BUNDLE/x"
    [ "$status" = 0 ]
    [ "$output" = "" ]
}

@test "CVE-2021-43784: long arguments, environments and mappings arrive whole or are refused, never cut" {
    config "c['process']['args'] = ['/bin/sh', '-c', 'printf %s \"\$1\" | sha256sum; echo \${#BIG}; echo \$#', 'sh', 'x' * 100000] + ['y'] * 2000
c['process']['env'] += ['BIG=' + 'z' * 120000]"
    run rt run --bundle "$BUNDLE" "$ID"
    [ "$status" = 0 ]
    [ "${lines[0]}" = "$(python3 -c 'print("x" * 100000, end="")' | sha256sum)" ]
    [ "${lines[1]}" = 120000 ]
    [ "${lines[2]}" = 2001 ]
    config "c['process']['args'][4] = 'x' * 200000" # more than the kernel takes
    run rt run --bundle "$BUNDLE" "$ID"
    [ "$status" != 0 ]
    [[ $output == *"rgument list too long"* ]]
    # a mapping has no second half that could be cut off: every id is where it was said to be, or there is no container
    config "c['process']['args'] = ['/bin/sh', '-c', 'wc -l </proc/self/uid_map; tail -n 1 /proc/self/uid_map']
without('/dev/mqueue')
c['linux']['namespaces'].append({'type': 'user'})
c['linux']['uidMappings'] = [{'containerID': i, 'hostID': 100000 + 2 * i, 'size': 1} for i in range(250)]
c['linux']['gidMappings'] = c['linux']['uidMappings']
c['root']['readonly'] = False"
    run rt run --bundle "$BUNDLE" "$ID"
    [ "$status" = 0 ]
    [ "${lines[0]}" = 250 ]
    [[ ${lines[1]} =~ ^\ *249\ +100498\ +1$ ]]
    config "c['linux']['uidMappings'] = [{'containerID': i, 'hostID': 100000 + 2 * i, 'size': 1} for i in range(9000)]"
    run rt run --bundle "$BUNDLE" "$ID"
    [ "$status" = 1 ]
    [[ $output == *mapping* ]]
}

@test "CVE-2021-43784: half a thousand broken configurations end soon, with an error and nothing left" {
    config "c['process']['args'] = ['/bin/true']"
    run python3 - "$KEG_BUILD/keg-runtime" "$ROOT" "$BUNDLE" "$ID" <<'PYTHON'
import copy, json, os, random, subprocess, sys
runtime, root, bundle, name = sys.argv[1:]
path = bundle + '/config.json'
good = json.load(open(path))
random.seed(43784)
odd = [None, True, -1, 0, 1 << 31, 1 << 32, 1 << 63, 1 << 64, 1e308, '', '/', '..', '../' * 300, 'x' * 70000, '\x00', '\u202e', 'a\nb', '%s%n',
       [], {}, [[]], [None] * 70, {'x': {}}, [{}] * 3, ['x' * 70000]]
def places(node, at=()):
    yield at
    for key in (node if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()):
        yield from places(node[key], at + (key,))
everywhere = [p for p in places(good) if p and p[0] != 'ociVersion' and p[:2] != ('linux', 'cgroupsPath')]
wrong = 0
for i in range(500):
    c = copy.deepcopy(good)
    for place in random.sample(everywhere, random.choice((1, 1, 1, 2, 5))):
        node = c
        try:
            for key in place[:-1]:
                node = node[key]
            if random.random() < 0.2:
                del node[place[-1]]
            else:
                node[place[-1]] = random.choice(odd)
        except (KeyError, IndexError, TypeError):
            pass
    text = json.dumps(c)
    if i % 10 == 0:
        text = text[:random.randrange(len(text))]
    open(path, 'w').write(text)
    try:
        p = subprocess.run([runtime, '--root', root, 'run', '--bundle', bundle, name], stdin=subprocess.DEVNULL,
                           capture_output=True, timeout=10)
        if p.returncode < 0 or p.returncode >= 128 or (p.returncode and len(p.stderr) < 20):
            wrong += 1
            print('status', p.returncode, p.stderr[:200], text[:300])
    except subprocess.TimeoutExpired:
        wrong += 1
        print('hangs', text[:300])
    if os.path.isdir(root) and os.listdir(root):
        wrong += 1
        print('left', os.listdir(root), text[:300])
        subprocess.run([runtime, '--root', root, 'delete', '--force', name])
json.dump(good, open(path, 'w'))
sys.exit(wrong != 0)
PYTHON
    echo "$output"
    [ "$status" = 0 ]
}

# ---- what the image has in the way ----

@test "CVE-2019-18837, CVE-2019-19921, CVE-2023-27561, CVE-2023-28642: /proc or /sys as links are refused, of any kind" {
    local to name
    for name in proc sys; do
        for to in /vol ../vol "$UP$SENT" "$SENT" chain; do
            evil "rmdir $name; mkdir vol; ln -s vol chain; ln -s '$to' $name"
            in_container true
            [ "$status" = 1 ]
            [[ $output == *"symbolic link"* ]]
        done
    done
    evil "mkdir -p vol/self/attr; echo fake >vol/self/attr/exec; rm -r proc; cp -r vol proc" # a directory with fakes is covered
    in_container 'stat -f -c %T /proc; stat -f -c %T /proc/self/attr; ls /proc/vol 2>&1'
    [ "${lines[0]}" = proc ]
    [ "${lines[1]}" = proc ]
}

@test "CVE-2019-16884: nothing lies over /proc or in it but what is allowed, by no name of it" {
    local place options
    mkdir "$BUNDLE/data"
    for place in /proc /proc/self/attr /proc/self /proc/./sys/kernel /dev/../proc/sys //proc//sys /link/sys; do
        evil "ln -s proc link"
        config "c['mounts'].append({'destination': '$place', 'source': '$BUNDLE/data', 'options': ['bind']})"
        in_container true
        [ "$status" = 1 ]
        config "c['mounts'][-1] = {'destination': '$place', 'type': 'tmpfs', 'source': 'tmpfs'}"
        in_container true
        [ "$status" = 1 ]
        config "c['mounts'].pop()"
    done
}

@test "CVE-2025-52881: a label that can't be set is an error or told, never nothing" {
    [ "$(cat /sys/module/apparmor/parameters/enabled 2>/dev/null)" != Y ] || skip "AppArmor is enabled here"
    config "c['process']['apparmorProfile'] = 'docker-default'"
    in_container true
    [[ $output == *AppArmor* ]]
    config "del c['process']['apparmorProfile']; c['process']['selinuxLabel'] = 'system_u:system_r:container_t:s0'"
    [ -e /sys/fs/selinux/enforce ] && return
    in_container true
    [ "$status" = 1 ]
}

@test "CVE-2026-41579, CVE-2026-47766: /dev as a link, absolute, relative, chained, leads nowhere outside" {
    local to terminal
    for to in "$SENT" "$UP$SENT" one /proc/self/cwd "$UP"; do
        for terminal in True False; do
            evil "rmdir dev; ln -s two one; ln -s '$UP$SENT/directory' two; ln -s '$to' dev"
            config "without('/dev/shm', '/dev/mqueue'); c['process']['terminal'] = $terminal"
            in_container 'true'
            is_untouched
            config "without('/dev', '/dev/pts')"
            in_container 'true'
            is_untouched
        done
    done
}

@test "CVE-2026-88264, CVE-2026-88265: /dev/console and /dev/null as links or files of the host: nothing made, no owner changed" {
    evil "ln -s '$UP$SENT/new' dev/console; ln -s '$UP$SENT/file' dev/null; ln -s '$SENT/file' dev/full"
    config "without('/dev', '/dev/shm', '/dev/mqueue'); c['process'].update(terminal=True, user={'uid': 33, 'gid': 33})"
    in_container true
    is_untouched
    config "c['process']['terminal'] = False"
    in_container true
    is_untouched
    evil "rm -f dev/null; : >dev/null"
    config "c['mounts'].append({'destination': '/dev/null', 'source': '$SENT/file', 'options': ['bind']}); c['root']['readonly'] = False"
    in_container 'echo x >/dev/null'
    [ "$status" != 0 ]
    is_untouched
}

@test "CVE-2026-115521: a made-up /proc/self/fd keeps nothing writable that is to be read-only" {
    local n calls
    for calls in '' "$(find "$KEG_BUILD" -type f -name older-mount-calls -perm -1 | head -n 1)"; do
        evil "mkdir -p proc/self/fd proc/thread-self ro data; for n in \$(seq 3 60); do ln -s /tmp proc/self/fd/\$n; done"
        mkdir -p "$BUNDLE/data"
        config "without('/proc'); c['linux']['maskedPaths'] = c['linux']['readonlyPaths'] = []
c['mounts'] = [m for m in c['mounts'] if m['destination'] not in ('/ro', '/data')]
c['mounts'] += [{'destination': '/ro', 'type': 'tmpfs', 'source': 'tmpfs', 'options': ['ro']},
    {'destination': '/data', 'source': '$BUNDLE/data', 'options': ['bind', 'ro']}]; c['root']['readonly'] = True"
        sh_args 'for f in /new /ro/new /data/new /tmp/new; do (echo x >$f) 2>/dev/null && echo "wrote $f"; done; true'
        run $calls timeout 60 "$KEG_BUILD/keg-runtime" --root "$ROOT" run --bundle "$BUNDLE" "$ID" </dev/null
        [ "$status" = 0 ]
        [ "$output" = "" ]
    done
}

@test "CVE-2024-21626: a working directory by way of any descriptor, in run and in exec, is refused or inside" {
    local n
    evil "ln -s /proc/self/fd away; ln -s ../../../proc/self/cwd cwd"
    for n in $(seq 0 40) 100 255; do
        config "c['process']['cwd'] = '/proc/self/fd/$n'"
        in_container 'pwd; ls ..'
        [ "$status" != 0 ]
    done
    for n in /away/7 /away/7/../.. /proc/1/root /proc/self/root/../..; do
        config "c['process']['cwd'] = '$n'"
        in_container 'ls /sentinel ../sentinel 2>/dev/null'
        [[ $output != *directory$'\n'file* ]]
    done
    config "c['process']['cwd'] = '/'"
    running
    for n in $(seq 0 40) 100 255; do
        run rt exec --cwd "/proc/self/fd/$n" "$ID" pwd
        [ "$status" = 255 ]
    done
    for n in /away/7 /away/9; do
        run rt exec --cwd "$n" "$ID" pwd
        [ "$status" = 255 ]
    done
}

# ---- the process ----

@test "CVE-2019-5736: the runtime's program can't be opened for writing by what it becomes or joins" {
    evil "printf '#!/proc/self/exe\n' >self; chmod +x self"
    config "c['process']['args'] = ['/self']" # the runtime itself, as an interpreter
    run rt run --bundle "$BUNDLE" "$ID"
    is_untouched
    config "c['process']['args'] = ['/bin/sh', '-c', 'while :; do for p in /proc/[0-9]*; do payload write-exe \${p#/proc/} 2>/dev/null; done; done']"
    rt create --bundle "$BUNDLE" "$ID" >"$BUNDLE/output" 2>&1
    rt start "$ID"
    local i
    for i in $(seq 40); do
        rt exec "$ID" /self --root /tmp list >/dev/null 2>&1 || :
        rt exec "$ID" true
    done
    rt delete --force "$ID"
    [ "$(grep -c . "$BUNDLE/output")" -gt 5 ]
    # /bin/busybox and payload are of the image, on a root that can't be written
    refute grep -q writable "$BUNDLE/output"
}

@test "CVE-2022-24769, -27649, -27650, -27651, -29162: no inheritable capabilities in run and exec, whoever asks for more" {
    config "c['process']['user'] = {'uid': 0, 'gid': 0}"
    in_container 'grep CapInh /proc/self/status'
    [ "$(tr -dc 0-9a-f <<<"${output#CapInh:}")" = 0000000000000000 ]
    running
    local option
    for option in --cap=CAP_NET_ADMIN "--user=33" "--cap=CAP_SYS_ADMIN --user=33:33"; do
        # shellcheck disable=SC2086
        run rt exec $option "$ID" grep CapInh /proc/self/status
        [ "$(tr -dc 0-9a-f <<<"${output#CapInh:}")" = 0000000000000000 ]
    done
    echo '{"cwd": "/", "args": ["grep", "CapInh", "/proc/self/status"], "user": {"uid": 0, "gid": 0}}' >"$BUNDLE/process.json"
    run rt exec --process "$BUNDLE/process.json" "$ID"
    [ "$(tr -dc 0-9a-f <<<"${output#CapInh:}")" = 0000000000000000 ]
}

@test "CVE-2023-25809: cgroups of the host can't be written where a container has no cgroup namespace" {
    config "c['linux']['namespaces'] = [n for n in c['linux']['namespaces'] if n['type'] != 'cgroup'] + [{'type': 'user'}]
without('/dev/mqueue')
c['linux']['uidMappings'] = c['linux']['gidMappings'] = [{'containerID': 0, 'hostID': 100000, 'size': 65536}]
c['root']['readonly'] = False"
    in_container 'for d in /sys/fs/cgroup $(find /sys/fs/cgroup -type d | head -n 200); do
        mkdir $d/escape 2>/dev/null && echo "made $d/escape"; (echo 0 >$d/cgroup.procs) 2>/dev/null && echo "joined $d"; done
        (echo /x >/sys/fs/cgroup/release_agent) 2>/dev/null && echo agent; true'
    [ "$status" = 0 ]
    [ "$output" = "" ]
}

@test "CVE-2026-30892: users that only look like numbers are refused, numbers are not taken for names" {
    running
    local user
    for user in 1: 01 +1 -1 4294967295 4294967296 18446744073709551616 a:b root root:0 1:2:3 0x1 '1 ' ' 1' 1,2 '' :0 0: 1e1; do
        run rt exec --user "$user" "$ID" id -u
        [ "$status" = 255 ] || { echo "\"$user\": $status $output"; return 1; }
    done
    run rt exec --user 1 "$ID" sh -c 'id -u; id -g'
    [ "$output" = $'1\n0' ]
    run rt exec --user 0:1 "$ID" sh -c 'id -u; id -g'
    [ "$output" = $'0\n1' ]
}

@test "CVE-2025-24965, CVE-2026-84042: annotations choose no other handler, file or helper" {
    config "c['annotations'] = {'run.oci.handler': 'krun', 'krun.cpus': '9', 'run.oci.krun_config_path': '$SENT/file', 'run.oci.seccomp.receiver': '$SENT/x',
    'run.oci.hooks.stdout': '$SENT/hooks', 'run.oci.mount_context_type': 'x', 'org.criu.config': '$SENT/criu', 'module.wasm.image/variant': 'compat'}"
    in_container 'id -u; cat /.krun_config.json 2>/dev/null; true'
    [ "$status" != 0 ] || [ "$output" = 0 ] # without a handler of that name it is a container, or none
    is_untouched
}

@test "CVE-2026-39402: no program has privileges of its own, by mode or by file capabilities" {
    run find "$KEG_BUILD" -maxdepth 1 -type f -perm /6000
    [ "$output" = "" ]
    ! command -v getcap >/dev/null || [ "$(getcap "$KEG_BUILD"/keg* 2>/dev/null)" = "" ]
}

@test "CVE-2022-0811: names of sysctls that aren't plain, or belong to no namespace, are refused" {
    local name
    for name in 'kernel.shm_rmid_forced=1+kernel.core_pattern' 'kernel.shm_rmid_forced+kernel.core_pattern' '+kernel.shmmax' 'kernel.core_pattern' \
        'net/../kernel/core_pattern' 'net.ipv4/../../kernel/core_pattern' 'net..kernel' './net/x' '/net/ipv4/ip_forward' 'net.ipv4.ip_forward/' \
        'kernel.shmmax ' $'kernel.shmmax\\nkernel.core_pattern' 'kernel.shmmax\\u0000x' 'vm.overcommit_memory' 'fs.mqueue.../../kernel/core_pattern' 'net.*'; do
        config "c['linux']['sysctl'] = {'$name': '|/bin/sh'}"
        in_container true
        [ "$status" = 1 ]
        is_untouched
    done
}
