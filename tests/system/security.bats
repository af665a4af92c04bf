#!/usr/bin/env bats
# Holes that container engines had, one test each, through a real kegd: hostile images, programs that look for a way
# out, and races. $SENT stands for the host: whatever happens, it must stay what it was.
# KEG_FULL=1 lets the races run longer.

bats_require_minimum_version 1.5.0

setup_file() {
    load lib
    require root curl jq python3
    kegd_start
    busybox_rootfs "$KEG_ROOT/busybox"
    payload=$(find "$KEG_BUILD" -type f -name payload -perm -1 | head -n 1)
    [ -z "$payload" ] || cp "$payload" "$KEG_ROOT/busybox/bin/payload"
    tar -C "$KEG_ROOT/busybox" -c . | keg import -c 'CMD ["sh"]' - busybox >/dev/null
}

teardown_file() {
    setup
    kegd_stop
}

setup() {
    load lib
    KEGD_PID=$(cat "$KEG_ROOT/kegd.pid")
    SENT=$KEG_ROOT/sentinel
    UP=../../../../../../../../../../..
    rm -rf "$SENT"
    mkdir -p "$SENT/directory"
    echo secret >"$SENT/file"
    chmod 0741 "$SENT/file"
    before=$(sentinel)
}

teardown() {
    local ids
    ids=$(keg ps -aq)
    # shellcheck disable=SC2086
    [ -z "$ids" ] || keg rm -fv $ids >/dev/null
    is_untouched
}

sentinel() {
    find "$SENT" -printf '%p %y %i %m %u %g %s %T@ %l\n' | sort
    cat "$SENT/file"
    sha256sum "$KEG_BUILD/keg-monitor" "$KEG_BUILD/kegd"
    cat /proc/sys/kernel/core_pattern
}

is_untouched() { diff <(echo "$before") <(sentinel); }

# hostile NAME 'commands in its root file system' [arguments of import…]: an image
hostile() {
    local name=$1 commands=$2 root=$KEG_ROOT/hostile
    shift 2
    rm -rf "$root"
    cp -a "$KEG_ROOT/busybox" "$root"
    (cd "$root" && eval "$commands")
    tar -C "$root" -c . | keg import "$@" - "$name" >/dev/null
    rm -rf "$root"
}

once() { run timeout 20 keg run --rm --network none "$@"; }

has_payload() { [ -e "$KEG_ROOT/busybox/bin/payload" ] || skip "needs the test program payload"; }

# ---- descriptors, directories, programs ----

@test "CVE-2024-21626: no descriptor above 2 in the program, with and without a terminal, in run and in exec" {
    has_payload
    once busybox payload fds
    [ "$output" = "" ]
    once -i busybox payload fds </dev/null
    [ "$output" = "" ]
    keg run -d --network none --name fds busybox sleep 60
    run keg exec fds payload fds
    [ "$output" = "" ]
    run keg exec --privileged fds payload fds
    [ "$output" = "" ]
    id=$(api POST /containers/fds/exec -H 'Content-Type: application/json' \
        -d '{"Cmd":["sh","-c","payload fds >/fds"],"Tty":true}' | jq -r .Id)
    api POST "/exec/$id/start" -H 'Content-Type: application/json' -d '{"Detach":true,"Tty":true}'
    eventually keg exec fds test -e /fds
    run keg exec fds cat /fds
    [ "$output" = "" ]
}

@test "CVE-2024-21626: a working directory by way of descriptors or links to them is refused" {
    hostile fdlink 'ln -s /proc/self/fd/7 away; ln -s /proc/self/cwd cwd' -c 'CMD ["pwd"]'
    local n
    for n in 0 3 5 7 9 12; do
        once -w "/proc/self/fd/$n" fdlink pwd
        [ "$status" != 0 ]
    done
    once -w /away fdlink pwd
    [ "$status" != 0 ]
    hostile fdwork 'true' -c 'WORKDIR /proc/self/fd/8' -c 'CMD ["pwd"]'
    once fdwork
    [ "$status" != 0 ]
    keg run -d --network none --name cwd fdlink sleep 60
    for n in 0 3 5 7 9 12; do
        run keg exec -w "/proc/self/fd/$n" cwd pwd
        [ "$status" != 0 ]
    done
    run keg exec -w /away cwd pwd
    [ "$status" != 0 ]
}

@test "CVE-2019-5736: the programs of the host can't be written by way of /proc/PID/exe" {
    has_payload
    printf '#!/proc/self/exe\n' >"$KEG_ROOT/script"
    hostile selfexe 'cp "$KEG_ROOT/script" self; chmod +x self'
    keg run -d --network none --name exe selfexe sleep 60
    for i in 1 2 3 4 5; do
        keg exec exe /self >/dev/null 2>&1 || :
    done
    run keg exec exe sh -c 'for p in /proc/[0-9]*; do payload write-exe ${p#/proc/}; done'
    [[ $output != *writable* ]] || [ "$(keg exec exe sh -c 'ls -l /proc/1/exe' | grep -c busybox)" = 1 ]
    # nor by the monitor's own, which is a sealed copy
    monitor=$(awk '/^PPid/{print $2}' "/proc/$(keg inspect -f '{{.State.Pid}}' exe)/status")
    [[ $(readlink "/proc/$monitor/exe") == *memfd:* ]]
    run sh -c "echo x >>/proc/$monitor/exe"
    [ "$status" != 0 ]
}

@test "a program that makes its parent its tracer has not ended" {
    has_payload
    local option
    for option in --init=false --init --privileged; do
        once $option busybox payload traced
        [ "$output" = "went on" ]
        [ "$status" = 0 ]
    done
    keg run -d --network none --name traced busybox sleep 60
    run keg exec traced payload traced
    [ "$output" = "went on" ]
    [ "$(keg inspect -f '{{.State.Status}}' traced)" = running ]
}

@test "CVE-2022-1227: top asks the host; no program of the image is executed" {
    hostile evilps 'rm -f bin/ps; printf "#!/bin/sh\necho pwned; touch /pwned\n" >bin/ps; chmod +x bin/ps'
    keg run -d --network none --name evil evilps sleep 60
    run keg top evil
    [[ $output == *"sleep 60"* && $output != *pwned* ]]
    run keg exec evil test -e /pwned
    [ "$status" = 1 ]
}

# ---- what the image has in the way ----

@test "CVE-2019-19921, CVE-2023-27561: /proc or /sys as a symlink is refused" {
    local name
    for name in proc sys; do
        hostile fake "rmdir $name; mkdir vol; ln -s /vol $name"
        once fake true
        [ "$status" != 0 ]
        [[ $output == *"symbolic link"* ]]
    done
    once busybox stat -f -c %T /proc
    [ "$output" = proc ]
}

@test "CVE-2026-41579, CVE-2026-47766: /dev as a symlink leads nowhere outside" {
    local to
    for to in "$SENT" "../$UP$SENT" "$UP$SENT/directory" "$UP"; do
        hostile evildev "rmdir dev; ln -s '$to' dev"
        once evildev true
        once -t evildev true
        is_untouched
    done
}

@test "CVE-2026-88264, CVE-2026-88265: /dev/console, /dev/null, /dev/pts, /dev/shm as symlinks" {
    hostile evilnodes "for n in null console pts shm ptmx mqueue; do rm -rf dev/\$n; ln -s '$SENT/directory' dev/\$n; done
                       ln -sfn '$SENT/new' dev/console; ln -sfn '$SENT/file' dev/null"
    once evilnodes stat -c '%t:%T' /dev/null
    [ "$output" = 1:3 ]
    once -t evilnodes true
    once --privileged evilnodes true
    is_untouched
}

@test "CVE-2024-9341: the files keg puts in follow the image's symlinks inside only" {
    hostile evilhosts "ln -s '$SENT/file' etc/hosts; ln -s '$UP$SENT/new' etc/resolv.conf; ln -s loop etc/loop; ln -s /proc/sysrq-trigger etc/hostname"
    once evilhosts true
    is_untouched
    hostile evilhosts "ln -s '$SENT/file' etc/hosts; ln -s '$UP$SENT/new' etc/resolv.conf"
    once evilhosts cat /etc/hosts "$SENT/file"
    [ "$(grep -c '^127.0.0.1' <<<"$output")" = 2 ]
    is_untouched
    hostile evilhosts "ln -s /proc/1/root/etc/x etc/hosts; ln -s /proc/self/fd/3 etc/resolv.conf"
    once evilhosts true
    [ "$status" != 0 ]
    hostile evilhosts "rm -rf etc; ln -s '../..$UP$SENT/directory' etc"
    once evilhosts true
    is_untouched
}

@test "images whose resolv.conf is a link to what systemd would make can be started" {
    hostile stub 'ln -s ../run/systemd/resolve/stub-resolv.conf etc/resolv.conf'
    once --dns 192.0.2.7 stub cat /etc/resolv.conf
    [[ $output == *"nameserver 192.0.2.7"* ]]
}

@test "GHSA-q6r4-3wmg-fwcq: the working directory is made inside, whatever links lead to it" {
    hostile evilwork "ln -s '$SENT' w; ln -s '$UP$SENT/made' v"
    local directory
    for directory in /w /w/new /v/x "/w/../..$UP$SENT/y"; do
        once -w "$directory" evilwork pwd
        is_untouched
    done
    hostile evilwork "ln -s '$SENT' w" -c 'WORKDIR /w/z' -c 'CMD ["pwd"]'
    once evilwork
    is_untouched
}

@test "CVE-2022-23648: VOLUME holds what is inside the image, of whatever name" {
    hostile evilvolume "mkdir -p data; ln -s '$SENT/file' data/link; ln -s '$UP$SENT' out; mkfifo data/fifo; chmod 4711 data" \
        -c 'VOLUME /data /out' -c "VOLUME /..$UP$SENT"
    once evilvolume sh -c "ls /data; cat '$SENT/file' /out/file /data/link"
    [[ $output != *secret* ]]
    [[ $output == *fifo* ]]
    local path
    for path in /proc /proc/self /; do
        hostile evilvolume true -c "VOLUME $path"
        once evilvolume true
        [ "$status" != 0 ]
    done
    is_untouched
}

@test "CVE-2026-53488, CVE-2022-0811: labels and annotations of an image set nothing" {
    hostile labelled true -c 'LABEL org.systemd.property.Delegate=true run.oci.hooks.x=/bin/sh io.podman.annotations.privileged=TRUE org.criu.config=/x' \
        -c 'LABEL containerd.io/restart.loguri=binary:///bin/sh keg.privileged=1 com.docker.compose.project=x' \
        -c 'CMD ["true"]'
    keg create --network none --name labelled labelled
    run keg inspect -f '{{.HostConfig.Privileged}} {{len .HostConfig.Annotations}} {{.HostConfig.LogConfig.Type}} {{.HostConfig.Runtime}}' labelled
    [[ $output == "false 0 json-file"* ]]
    run keg start -a labelled
    [ "$status" = 0 ]
}

@test "CVE-2021-3602: variables without a value, or with stars, are not filled in from kegd's" {
    run api POST "/containers/create?name=env" -H 'Content-Type: application/json' \
        -d '{"Image":"busybox","Cmd":["env"],"Env":["KEG_ROOT","K*","*","LD_PRELOAD"],"HostConfig":{"NetworkMode":"none"}}'
    run keg start -a env
    [[ $output != *"$KEG_ROOT"* && $output != *KEG_* ]]
}

# ---- users ----

@test "CVE-2024-40635, CVE-2026-46680, CVE-2026-30892: users that only look like numbers" {
    hostile users 'printf "root:x:0:0::/:\nall:x:4294967295:0::/:\nneg:x:-1:-1::/:\nbig:x:4294967296:0::/:\n4294967296:x:0:0::/:\n1000:x:0:0::/:\n" >etc/passwd'
    local user
    for user in 4294967295 4294967296 2147483648 99999999999 -1 +1 01 1:2:3 a:b all neg big 1:4294967296 "1 " 0x1 1,2; do
        once -u "$user" users id -u
        [ "$status" != 0 ]
        hostile numbered 'true' -c "USER $user"
    done
    once -u 1 users id -u
    [ "$output" = 1 ]
    once -u 1000 users id -u # the entry named 1000 is root's
    [ "$output" = 1000 ]
    once -u 0:1 users sh -c 'echo $(id -u) $(cut -d: -f3 /dev/null; grep ^Gid /proc/self/status)'
    [[ $output == "0 Gid: 1 1 1 1" ]]
}

@test "CVE-2026-47262: passwd and group as FIFO, device, link out, or huge, are errors soon" {
    local commands
    for commands in 'rm etc/passwd etc/group; mkfifo etc/passwd etc/group' \
        'rm etc/passwd etc/group; mknod etc/passwd c 1 5; mknod etc/group c 1 5' \
        'rm etc/group; truncate -s 2G etc/group' \
        'rm etc/passwd; ln -s /proc/self/environ etc/passwd' \
        'rm etc/passwd; mkdir etc/passwd'; do
        hostile files "$commands"
        SECONDS=0
        once -u web files id
        [ "$status" != 0 ]
        [ "$SECONDS" -lt 10 ]
    done
    hostile files "rm etc/passwd; ln -s '$UP$SENT/file' etc/passwd"
    once -u secret files id
    [ "$status" != 0 ]
}

@test "CVE-2022-36109, CVE-2022-2989: the primary group is always among the groups" {
    once -u web busybox id -G
    [ "$output" = "1000 2000" ]
    once -u 1000:33 busybox id -G
    [ "$output" = 33 ]
    once -u 77 busybox id -G
    [ "$output" = 0 ]
    once -u web:extra --group-add 5 busybox id -G
    [ "$output" = "2000 5" ]
}

# ---- what a program may ----

@test "CVE-2022-24769, CVE-2022-29162: no inheritable capabilities in run, exec and privileged exec" {
    keg run -d --network none --name caps busybox sleep 60
    keg run -d --network none --privileged --name caps2 busybox sleep 60
    local command
    for command in "run --rm --network none busybox" "run --rm --network none --privileged busybox" "run --rm --network none -u web --cap-add NET_ADMIN busybox" \
        "exec caps" "exec -u web caps" "exec --privileged caps" "exec caps2"; do
        # shellcheck disable=SC2086
        run keg $command grep CapInh /proc/self/status
        [ "$(tr -dc 0-9a-f <<<"${output#CapInh}")" = 0000000000000000 ]
    done
}

@test "CVE-2026-31431, CVE-2026-123876: AF_ALG and AF_VSOCK by no way into the kernel" {
    has_payload
    local family option
    for family in 38 40; do
        for option in --cap-drop=MKNOD --cap-add=SYS_ADMIN --security-opt=no-new-privileges; do
            once "$option" busybox payload sockets "$family"
            [[ $output == *"plain Operation not permitted"* && $output != *" ok"* ]]
        done
    done
    once busybox payload sockets 2
    [[ $output == *"plain ok"* && $output == *"ia32 ok"* ]]
}

@test "CVE-2025-31133, CVE-2025-52881: what is masked stays masked, what is read-only read-only" {
    once busybox sh -c 'for f in /proc/sysrq-trigger /proc/sys/kernel/core_pattern /proc/irq/0/x /sys/kernel/uevent_helper; do
        (echo x >$f) 2>/dev/null && echo "wrote $f"; done
        for f in /proc/kcore /proc/keys /proc/timer_list; do [ ! -e $f ] || [ -c $f ] || echo "not masked $f"; done
        [ -z "$(ls /proc/scsi /sys/firmware 2>/dev/null | grep -v :)" ] || echo "not masked"
        mount -t tmpfs x /tmp 2>/dev/null && echo mounted; umount /proc/keys 2>/dev/null && echo unmasked; true'
    [ "$output" = "" ]
}

@test "CVE-2021-30465, CVE-2024-45310: mounts under a directory of a volume that is swapped with a link" {
    keg volume create race >/dev/null
    volume=$KEG_ROOT/data/volumes/race/_data
    mkdir -p "$volume/a" "$KEG_ROOT/source"
    echo s >"$KEG_ROOT/source/file"
    ln -s "$UP$SENT" "$volume/b"
    seconds=3
    [ -z "${KEG_FULL:-}" ] || seconds=60
    python3 - "$volume" "$seconds" <<'PYTHON' &
import ctypes, os, sys, time
exchange = ctypes.CDLL(None, use_errno=True).syscall
directory = os.open(sys.argv[1], os.O_PATH | os.O_DIRECTORY)
end = time.time() + float(sys.argv[2])
while time.time() < end:
    for _ in range(200):
        exchange(316, directory, b'a', directory, b'b', 2)  # renameat2, RENAME_EXCHANGE
PYTHON
    SECONDS=0
    while [ "$SECONDS" -lt "$seconds" ]; do
        run timeout 20 keg run --rm --network none -v race:/vol -v "$KEG_ROOT/source:/vol/a/in" \
            -v "$KEG_ROOT/source/file:/vol/a/deep/er/file" --tmpfs /vol/a/t -w /vol/a/work busybox \
            awk '{print $4}' /proc/self/mountinfo
        [[ $output != *sentinel* ]]
        is_untouched
    done
    wait
    keg volume rm race >/dev/null
}

# ---- what others may ----

@test "CVE-2020-15257: no abstract sockets; a container on the host's network reaches none of keg's" {
    keg run -d --network host --name host busybox sleep 60
    run grep -c '@.*keg' /proc/net/unix
    [ "$output" = 0 ]
    run keg exec host sh -c "ls '$KEG_ROOT/run' 2>&1; cat /proc/net/unix | grep -c '@.*keg'"
    [[ $output == *"No such file"*0 ]]
}

@test "CVE-2021-41091, CVE-2024-25621: other users can't look into layers, volumes, records" {
    keg run -d --network none -v modes:/v --name modes busybox sleep 60
    run python3 - "$KEG_ROOT" <<'PYTHON'
import os, socket, sys
root = sys.argv[1]
os.chmod(root, 0o755)
found = [os.path.join(d, n) for d, ds, fs in os.walk(root + '/data') for n in ds + fs if d.count('/') < root.count('/') + 4]
found += [os.path.join(d, n) for d, ds, fs in os.walk(root + '/run/containers') for n in ds + fs]
assert len(found) > 10
os.setgroups([]); os.setgid(65534); os.setuid(65534)
for path in found + [root + '/data/keg.db']:
    try:
        os.stat(path)
        print('seen', path)
    except PermissionError:
        pass
try:
    socket.socket(socket.AF_UNIX).connect(root + '/run/keg.sock')
    print('connected')
except PermissionError:
    pass
PYTHON
    echo "$output"
    [ "$output" = "" ]
    [ "$status" = 0 ]
    [ "$(stat -c %a "$KEG_ROOT/data/keg.db")" = 600 ]
}

@test "CVE-2024-32473: IPv6 is off where a network has none" {
    run timeout 20 keg run --rm busybox sh -c 'cat /proc/sys/net/ipv6/conf/eth0/disable_ipv6; ip -6 addr'
    [ "$status" = 0 ]
    [[ $output == 1* && $output != *fe80* ]]
}

# ---- the API ----

@test "kegd answers every malformed container in JSON, and lives on" {
    run python3 "$BATS_TEST_DIRNAME/api_fuzz.py" "$KEG_ROOT/run/keg.sock" create "${KEG_FULL:+3000}"
    echo "$output"
    [ "$status" = 0 ]
    kill -0 "$KEGD_PID"
}

@test "kegd bears malformed HTTP, clients that vanish, and 500 that say nothing" {
    run python3 "$BATS_TEST_DIRNAME/api_fuzz.py" "$KEG_ROOT/run/keg.sock" http
    echo "$output"
    [ "$status" = 0 ]
    kill -0 "$KEGD_PID"
}

@test "50 operations at once on one container: no system errors, nothing left" {
    run python3 "$BATS_TEST_DIRNAME/api_fuzz.py" "$KEG_ROOT/run/keg.sock" race "${KEG_FULL:+50}"
    echo "$output"
    [ "$status" = 0 ]
    [ "$(keg ps -aq)" = "" ]
    [ "$(ls "$KEG_ROOT/data/containers")" = "" ]
    eventually [ "$(ls "$KEG_ROOT/run/containers")" = "" ]
}

# ---- the command line ----

@test "closed standard descriptors are not mistaken for keg's own" {
    run sh -c 'timeout 10 keg run -i --rm --network none busybox cat <&-'
    [ "$status" = 0 ]
    run timeout 10 sh -c 'keg ps >&-; keg version <&- >&- 2>&-; exit 0'
    [ "$status" = 0 ]
}

@test "a reader that has gone ends keg without a word" {
    run bash -c 'keg run --name pipe --network none busybox sh -c "while echo y; do :; done" 2>&1 | head -n 1; exit ${PIPESTATUS[0]}'
    [ "$output" = y ]
    [ "$status" = 141 ]
}
