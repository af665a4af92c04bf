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
# vm: once

bats_require_minimum_version 1.5.0

setup_file() {
    load lib
    require root python3
    DIR=$(mktemp -d /var/tmp/keg-secure.XXXXXX)
    busybox_rootfs "$DIR/rootfs"
    FAULT=$(find "$KEG_BUILD" -type f -name fault -perm -1 | head -n 1)
    payload=$(find "$KEG_BUILD" -type f -name payload -perm -1 | head -n 1)
    [ -z "$payload" ] || cp "$payload" "$DIR/rootfs/bin/payload"
    [ -z "$FAULT" ] || cp "$FAULT" "$DIR/rootfs/bin/fault"
    export DIR FAULT
}

teardown_file() {
    rm -rf --one-file-system "$DIR"
}

setup() {
    load lib
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

rt() { timeout 60 "$KEG_BUILD/keg-runtime" --root "$ROOT" "$@" </dev/null; }

# Changes config.json by Python over c.
config() { python3 -c 'import json, sys
path = sys.argv[1] + "/config.json"
c = json.load(open(path))
def without(*destinations):
    c["mounts"] = [m for m in c["mounts"] if m["destination"] not in destinations]
exec(sys.argv[2])
json.dump(c, open(path, "w"))' "$BUNDLE" "$1"; }

sh_args() { config "c['process']['args'] = ['/bin/sh', '-c', '''$1''']"; }
in_container() { sh_args "$1" && run rt run --bundle "$BUNDLE" "$ID"; }
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
    # nothing of the host is opened once a mount has been put in place
    first=$(grep -n '^move_mount' <<<"$output" | head -n 1 | cut -d: -f1)
    later=$(tail -n "+$first" <<<"$output" | grep '^open_tree' | grep -c "\"$BUNDLE") || :
    [ "$later" = 0 ]
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
