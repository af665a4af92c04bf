# keg-runtime: mounts, devices, the root. Most tests go through both families of kernel calls: the descriptor calls, and
# mount(2) alone (older-mount-calls refuses the others). Every test has a bundle of its own; all share one root filesystem.

setup_file() {
    load lib
    load bundle
    require root python3
    bundles_begin mounts
}

teardown_file() {
    load bundle
    bundles_end
}

setup() {
    load lib
    load bundle
    CALLS=
    bundle_begin
    rm "$BUNDLE/rootfs"
    mkdir -p "$BUNDLE/rootfs" "$BUNDLE/data/sub"
    cp -a "$DIR/rootfs/." "$BUNDLE/rootfs"
}

teardown() {
    rt delete --force "$ID"
    ! mountpoint -q "$BUNDLE/data/sub" || umount "$BUNDLE/data/sub"
    ! mountpoint -q "$BUNDLE/data" || umount "$BUNDLE/data"
    ! mountpoint -q "$BUNDLE/rootfs" || umount -R "$BUNDLE/rootfs"
    bundle_end
}

older() { CALLS=$KEG_BUILD/tests/older-mount-calls; }
has_mount_api() { [ "$(uname -r | cut -d. -f1)" -ge 6 ]; }

CONFIG_MORE='
def bind(destination, *options, source=bundle + "/data", **more):
    mounts.append({"destination": destination, "source": source, "options": ["bind"] + list(options), **more})
def user(first, size=65536):
    linux["namespaces"].append({"type": "user"})
    linux["uidMappings"] = linux["gidMappings"] = [{"containerID": 0, "hostID": first, "size": size}]
'

# The options of the mount at $1, in the container's eyes.
options_of() { in_container "while read -r _ at _ options _; do [ \$at = $1 ] && o=\$options; done </proc/mounts; echo \$o"; }

has() { # option…: all of them are in $output, those with ! aren't
    local option
    [ "$status" = 0 ] || { echo "status $status: $output" >&2; return 1; }
    for option; do
        case $option in
        !*) [[ ",$output," != *",${option#!},"* ]] || { echo "${option#!} is in $output" >&2; return 1; } ;;
        *) [[ ",$output," == *",$option,"* ]] || { echo "$option isn't in $output" >&2; return 1; } ;;
        esac
    done
}

fails_with() { # text
    [ "$status" != 0 ] || { echo "no failure: $output" >&2; return 1; }
    [[ ${output//\\\"/\"} == *"$1"* ]] || { echo "no \"$1\" in: $output" >&2; return 1; }
}

# A bind of data, itself mounted with $1, with the options $2.
bind_of() { # options-of-the-source options…
    local source=$1
    shift
    ! mountpoint -q "$BUNDLE/data" || umount "$BUNDLE/data"
    mount -t tmpfs tmpfs "$BUNDLE/data"
    mount -o "remount,bind,$source" "$BUNDLE/data"
    config "mounts[:] = [m for m in mounts if m['destination'] != '/mnt']
bind('/mnt', *'$*'.split())"
    options_of /mnt
}

flags_of_binds() {
    bind_of ro,nosuid,nodiratime && has ro nosuid nodiratime
    bind_of ro,nosuid,nodev nodev && has rw '!nosuid' nodev
    bind_of ro rw && has rw
    bind_of nosuid,nodev,noexec dev suid exec && has '!nosuid' '!nodev' '!noexec'
    bind_of noatime ro && has ro noatime
    bind_of noatime atime && has noatime
    bind_of noatime relatime && has relatime '!noatime'
    bind_of noatime nodiratime && has nodiratime relatime
    bind_of nodiratime strictatime && has '!nodiratime' '!relatime' '!noatime'
}

@test "a bind has its source's flags, or the named ones alone; access times stay unless named" {
    flags_of_binds
    older
    flags_of_binds
}

@test "in a user namespace a bind keeps what its source is forbidden, and saying otherwise is an error" {
    has_mount_api || skip "binds of a user namespace need the descriptor calls"
    chmod 711 "$BUNDLE"
    chown -R 100000:100000 "$BUNDLE/rootfs"
    config 'user(100000)'
    bind_of ro,nosuid nodev && has ro nosuid nodev
    bind_of nosymfollow,noexec ro && has ro noexec
    bind_of ro rw
    fails_with 'operation not permitted'
    bind_of relatime noatime
    fails_with "can't be taken off"
}

@test "idmapped binds: the container's mapping, one of their own, crun's notation, without and with a user namespace" {
    has_mount_api || skip "needs idmapped mounts"
    touch "$BUNDLE/data/file"
    chown 5:6 "$BUNDLE/data/file"
    chmod 711 "$BUNDLE"
    config "one = [{'containerID': 5, 'hostID': 1005, 'size': 3}]
bind('/a', uidMappings=one, gidMappings=one)
bind('/b', 'idmap=uids=0-2000-10;gids=0-3000-10')
bind('/c', 'ridmap', 'rbind', uidMappings=one, gidMappings=one)"
    in_container 'stat -c %u:%g /a/file /b/file /c/file | tr "\n" " "'
    [ "$output" = '1005:1006 2005:3006 1005:1006 ' ]
    chown -R 100000:100000 "$BUNDLE/rootfs"
    config "user(100000)
mounts[:] = [m for m in mounts if len(m['destination']) > 2]
own = linux['uidMappings']
bind('/a', 'idmap')
bind('/b', uidMappings=own, gidMappings=own)
bind('/c', 'idmap=uids=@0-0-10;gids=@0-7-10')
bind('/d')
bind('/e', 'idmap', source=bundle + '/rootfs/d')"
    in_container 'stat -c %u:%g /a/file /b/file /c/file /d/file /e/file | tr "\n" " "'
    [ "$output" = '5:6 5:6 5:13 65534:65534 5:6 ' ]
    config "mounts[-3]['options'] = ['bind', 'idmap=uids=0-0']"
    in_container true
    fails_with 'idmap=uids=0-0: expected'
    older
    config "mounts[-3:] = []"
    in_container true
    [ "$status" != 0 ]
}

@test "mounts build on one another, destinations and sources may be named by their path on the host" {
    build() {
        echo deep >"$BUNDLE/data/sub/file"
        config "mounts[:] = [m for m in mounts if not m['destination'].startswith('/m')]
root = bundle + '/rootfs'
bind('/m', source=bundle + '/data')
mounts.append({'destination': root + '/m/sub', 'type': 'tmpfs', 'source': 'tmpfs'})
bind('/m/sub/x', source=bundle + '/data/sub')
bind(root + '/mine', 'rbind', source=root + '/m')"
        in_container 'cat /mine/sub/x/file; ls -d /m/sub/file'
        [ "${lines[0]}" = deep ]
        [[ ${lines[1]} == *"No such file"* ]]
    }
    build
    older
    build
    # what is in the root leads nowhere outside
    ln -s "$BUNDLE/data" "$BUNDLE/rootfs/out"
    config "bind('/stolen', source=bundle + '/rootfs/out')"
    in_container 'cat /stolen/sub/file'
    [ "$status" != 0 ]
    [[ $output != *deep* ]]
}

@test "a read-only tmpfs and a read-only /dev are so once everything in them is made" {
    sealed() {
        config "mounts[:] = [m for m in mounts if not m['destination'].startswith('/t')]
[m['options'].append('ro') for m in mounts if m['destination'] == '/dev']
mounts.append({'destination': '/t', 'type': 'tmpfs', 'source': 'tmpfs', 'options': ['ro']})
bind('/t/data')"
        in_container 'ls /t/data; touch /t/x; touch /dev/x; ls /dev/null /dev/ptmx'
        [[ $output == *sub*"/t/x: Read-only"*"/dev/x: Read-only"*/dev/null* ]]
    }
    sealed
    older
    sealed
}

@test "tmpfs over the root, with what was there" {
    config "mounts.insert(0, {'destination': '/', 'type': 'tmpfs', 'source': 'tmpfs', 'options': ['tmpcopyup']})"
    for calls in newer older; do
        [ $calls = newer ] || older
        in_container 'echo new >/here; cat /here; grep -c "^tmpfs / " /proc/mounts'
        [ "$output" = $'new\n1' ]
        [ ! -e "$BUNDLE/rootfs/here" ]
    done
}

@test "options of the superblock: sync, mode; a directory's mode is inherited" {
    for calls in newer older; do
        [ $calls = newer ] || older
        config "mounts[:] = [m for m in mounts if m['destination'] != '/t']
mounts.append({'destination': '/t', 'type': 'tmpfs', 'source': 'tmpfs', 'options': ['sync', 'noexec', 'size=64k']})"
        mkdir -p "$BUNDLE/rootfs/t"
        chmod 710 "$BUNDLE/rootfs/t"
        options_of /t
        has sync noexec size=64k mode=710
    done
}

@test "symlinks: copied, mounted themselves, mounted on" {
    ln -s nowhere "$BUNDLE/link"
    echo content >"$BUNDLE/file"
    links() {
        rm -f "$BUNDLE/rootfs/there" "$BUNDLE/rootfs/deep/link"
        ln -s elsewhere "$BUNDLE/rootfs/there"
        config "mounts[:] = [m for m in mounts if m['destination'] not in ('/there', '/deep/link')]
bind('/deep/link', 'rbind', 'copy-symlink', source=bundle + '/link')
bind('/there', $1, source=bundle + '/$2')"
        in_container "readlink /deep/link; $3 /there"
        [ "$output" = "nowhere
$4" ]
    }
    links "'dest-nofollow'" file cat content
    links "'dest-nofollow', 'src-nofollow'" link readlink nowhere
    older
    links "'dest-nofollow'" file cat content
    links "'dest-nofollow', 'src-nofollow'" link readlink nowhere
    config "mounts[-2]['source'] = bundle + '/file'; mounts[-2]['options'] = ['bind', 'dest-nofollow']
mounts[-2]['destination'] = '/proc/self'"
    in_container true
    fails_with 'inside /proc'
}

@test "fifos, sockets and files are bound like files, also read-only all the way down" {
    mkfifo "$BUNDLE/data/fifo"
    config "bind('/fifo', 'ro', source=bundle + '/data/fifo')"
    in_container '[ -p /fifo ] && echo fifo'
    [ "$output" = fifo ]
    has_mount_api || return 0
    mount -t tmpfs tmpfs "$BUNDLE/data/sub"
    config "bind('/fifo', 'rro', source=bundle + '/data/fifo'); bind('/tree', 'rbind', 'rro')"
    in_container 'touch /tree/sub/x || [ -p /fifo ] && echo fifo'
    [[ $output == *"Read-only"*fifo ]]
    older
    in_container true
    fails_with 'need Linux 5.12'
}

@test "binds are listed in the order in which they are mounted" {
    config "bind('/one', 'shared'); mounts.append({'destination': '/two', 'type': 'tmpfs', 'source': 'tmpfs'})
bind('/three', 'rslave')"
    in_container 'cut -d" " -f2 /proc/mounts | grep -E "/one|/two|/three" | tr "\n" " "'
    [ "$output" = '/one /two /three ' ]
}

@test "a shared bind takes mounts back to the host, others don't" {
    mount -t tmpfs tmpfs "$BUNDLE/data"
    mount --make-shared "$BUNDLE/data"
    mkdir "$BUNDLE/data/sub" "$BUNDLE/data/other"
    config "p['capabilities'] = {k: ['CAP_SYS_ADMIN'] for k in ('bounding', 'permitted', 'effective')}
bind('/back', 'rshared'); bind('/not', 'rslave'); linux['rootfsPropagation'] = 'shared'"
    in_container 'mount -t tmpfs tmpfs /back/sub && mount -t tmpfs tmpfs /not/other'
    [ "$status" = 0 ]
    mountpoint -q "$BUNDLE/data/sub"
    refute mountpoint -q "$BUNDLE/data/other"
}

@test "devices of a user namespace are made with mode and owner, and no others than asked for" {
    [ "$(uname -r | cut -d. -f1)" -gt 6 ] || [ "$(uname -r | cut -d. -f2)" -ge 15 ] || skip "needs Linux 6.15"
    chmod 711 "$BUNDLE"
    chown -R 100000:100000 "$BUNDLE/rootfs"
    config "user(100000)
linux['devices'] = [{'path': '/dev/mine', 'type': 'c', 'major': 1, 'minor': 5, 'fileMode': 0o644, 'uid': 7, 'gid': 8},
                    {'path': '/dev/pipe', 'type': 'p', 'fileMode': 0o600}]"
    in_container 'stat -c "%a %u:%g %t:%T" /dev/mine; [ -p /dev/pipe ] && head -c 5 /dev/mine | wc -c; stat -c %t:%T /dev/null'
    [ "$output" = $'644 7:8 1:5\n5\n1:3' ]
}

@test "a user namespace without mappings: root is the caller" {
    config "linux['namespaces'].append({'type': 'user'})
for m in mounts: m['options'] = [o for o in m.get('options', []) if o != 'gid=5']"
    in_container 'cat /proc/self/uid_map'
    [ "$(echo $output)" = '0 0 1' ]
}

@test "--no-pivot leaves no procfs that a user namespace could mount anew" {
    for calls in newer older; do
        [ $calls = newer ] || older
        config "p['capabilities'] = {k: ['CAP_SYS_ADMIN', 'CAP_SETUID', 'CAP_SETGID', 'CAP_SETFCAP'] for k in ('bounding', 'permitted', 'effective')}
p['args'] = ['unshare', '-mrpf', 'mount', '-t', 'proc', 'proc', '/proc']"
        run rt run --no-pivot --bundle "$BUNDLE" "$ID"
        fails_with 'ermission denied'
        in_container 'ls /proc/self/exe /etc >/dev/null && echo fine'
        [ "$output" = fine ]
    done
}

@test "a container in the caller's mount namespace has its root, and cuts nothing of the caller's" {
    config "linux['namespaces'] = [n for n in linux['namespaces'] if n['type'] != 'mount']
linux['maskedPaths'] = linux['readonlyPaths'] = []"
    before=$(findmnt -n -o PROPAGATION /)
    in_container 'echo $$; ls /bin/sh'
    [ "$output" = $'1\n/bin/sh' ]
    [ "$(findmnt -n -o PROPAGATION /)" = "$before" ]
    umount -R "$BUNDLE/rootfs"
    config "linux['maskedPaths'] = ['/proc/kcore']"
    in_container true
    fails_with 'need a mount namespace'
}

@test "errors name source, destination and cause" {
    config "bind('/x', source=bundle + '/missing')"
    in_container true
    fails_with "error mounting \"$BUNDLE/missing\" to rootfs at \"/x\": open the source: no such file or directory"
    config "mounts[-1]['source'] = bundle + '/config.json'; mounts[-1]['destination'] = '/etc'"
    in_container true
    fails_with 'Are you trying to mount a directory onto a file'
    config "mounts[-1] = {'destination': '/x', 'type': 'tmpfs', 'source': 't', 'options': ['nonsense=1']}"
    in_container true
    fails_with 'error mounting "tmpfs" to rootfs at "/x"'
    rm -rf "$BUNDLE/rootfs/proc"
    ln -s tmp "$BUNDLE/rootfs/proc"
    in_container true
    fails_with 'must be mounted on ordinary directory'
}
