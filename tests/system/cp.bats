#!/usr/bin/env bats
# Files in and out of containers (cp, the archive calls), what they changed (diff), and what they use (stats).
# vm: long

bats_require_minimum_version 1.5.0

setup_file() {
    load lib
    require root curl jq nft python3
    kegd_start
    image_busybox
    export SOCK=$KEG_ROOT/run/keg.sock
    mkdir "$KEG_ROOT/outside"
    echo "the host's own" >"$KEG_ROOT/outside/secret"
}

teardown_file() {
    load lib
    kegd_stop
}

setup() {
    load lib
    WORK=$(mktemp -d "$KEG_ROOT/work.XXXXXX")
    cd "$WORK"
}

teardown() {
    local ids
    ids=$(keg ps -aq)
    # shellcheck disable=SC2086
    [ -z "$ids" ] || keg rm -fv $ids >/dev/null
    cd /
    rm -rf "$WORK"
}

# The message and status of a call.
ask() {
    local method=$1 path=$2
    shift 2
    curl -s -w '%{http_code}' --unix-socket "$SOCK" -X "$method" "$@" "http://keg$path" | tr -d '\n'
}

stat_of() { # CONTAINER PATH
    curl -sI --unix-socket "$SOCK" "http://keg/containers/$1/archive?path=$2" | tr -d '\r' |
        sed -n 's/^X-Docker-Container-Path-Stat: //p' | base64 -d
}

names() { # CONTAINER PATH: of the archive
    curl -s --unix-socket "$SOCK" "http://keg/containers/$1/archive?path=$2" | tar -tf - 2>/dev/null | sort
}

tree() { # what tells trees apart
    (cd "$1" && find . -mindepth 1 -printf '%P %y %m %l %s %T@\n' | sed 's/\.[0-9]*$//' | sort)
}

@test "archive: a path's description is Docker's, and so are the refusals" {
    keg create --name c1 busybox true
    stat_of c1 /bin/sh | jq -e '.name == "sh" and .mode == 134218239 and .linkTarget == "/bin/busybox"'
    stat_of c1 /bin/ | jq -e '.name == "bin" and .mode == 2147484141 and .linkTarget == ""'
    stat_of c1 /tmp | jq -e '.mode == 2148532735 and (.mtime | test("^20..-..-..T..:..:..(\\.[0-9]+)?Z$"))'
    stat_of c1 /bin/busybox | jq -e --argjson size "$(stat -c %s /bin/busybox)" '.size == $size and .mode == 493'
    stat_of c1 / | jq -e '.name == "/"'
    [ "$(ask GET '/containers/c1/archive?path=/nope')" = '{"message":"Could not find the file /nope in container c1"}404' ]
    [ "$(ask PUT '/containers/c1/archive?path=/nope' -d '')" = '{"message":"Could not find the file /nope in container c1"}404' ]
    [ "$(ask PUT '/containers/c1/archive?path=/bin/busybox' -d '')" = '{"message":"extraction point is not a directory"}400' ]
    [[ "$(ask GET '/containers/c1/archive')" == *"bad parameter"*400 ]]
    [ "$(ask GET '/containers/nobody/archive?path=/')" = '{"message":"No such container: nobody"}404' ]
    [[ "$(echo rubbish | ask PUT '/containers/c1/archive?path=/' --data-binary @-)" == *400 ]]
    [ "$(ask PUT '/containers/c1/archive?path=/' -d '')" = 200 ]
    [ "$(names c1 /etc/. | head -n 1)" = ./ ]
    [ "$(names c1 /etc/passwd)" = passwd ]
    [ "$(names c1 /bin/sh)" = sh ]
    names c1 / | grep -qx /etc/passwd
}

@test "cp: in and out, of one that runs and one at rest, the trees are the same; owners, modes and times stay" {
    mkdir -p in/deep/er
    echo one >in/one
    echo two >in/deep/two
    ln -s ../one in/deep/link
    ln in/one in/second
    mkfifo in/fifo
    truncate -s 3M in/large
    head -c 100k /dev/urandom >>in/large
    touch -d '2001-02-03 04:05:06' in/deep/two in/deep
    chown 1234:567 in/one
    chmod 4750 in/one
    for state in rest running; do
        [ $state = rest ] && keg create --name c1 -v vol:/vol busybox sleep 1000 || keg start c1
        for place in /there$state /vol/there$state; do
            keg cp in c1:$place
            keg cp c1:$place out
            diff <(tree in) <(tree out)
            cmp in/large out/large
            [ "$(stat -c %i out/one)" = "$(stat -c %i out/second)" ]
            keg cp c1:$place/one - | tar -tv --numeric-owner | grep -q '^-rwsr-x--- 1234/567 .* one$'
            rm -r out
        done
    done
    keg exec c1 sh -c 'cd /thererest && stat -c %a:%u:%g one && cat deep/link' >said
    [ "$(cat said)" = $'4750:1234:567\none' ]
    # what is mounted in the running one is there as well
    keg exec c1 sh -c 'mkdir /dev/shm/d; echo x >/dev/shm/d/x'
    keg cp c1:/dev/shm/d - | tar -xO d/x | grep -qx x
    # and what the kernel shows there is no content
    [ "$(names c1 /proc/.)" = ./ ] || names c1 / | refute grep -q '^/proc/.'
}

@test "cp: where it goes and what it is called, as docker does; and its words" {
    mkdir -p d/sub
    echo hi >d/f
    keg create --name c1 busybox true
    said() { keg cp "$@" 2>&1 || :; }
    [ "$(said c1:/bin/busybox new/)" = "no such directory" ]
    [ "$(said c1:/bin/busybox no/x)" = "invalid output path: directory \"$PWD/no\" does not exist" ]
    [ "$(said c1:/bin d/f)" = "cannot copy directory" ]
    [ "$(said c1:/nope .)" = "Error response from daemon: Could not find the file /nope in container c1" ]
    [ "$(said nothing c1:/)" = "lstat $PWD/nothing: no such file or directory" ]
    [ "$(said d c1:/bin/busybox)" = "cannot copy directory" ]
    [ "$(said d/f c1:/no/)" = "no such directory" ]
    [[ "$(said d/f c1:/no/such)" == "Error response from daemon: Could not find the file /no"*" in container c1" ]]
    [ "$(said - c1:/bin/busybox </dev/null)" = 'destination "c1:/bin/busybox" must be a directory' ]
    [ "$(said c1:/x c1:/y)" = "copying between containers is not supported" ]
    [ "$(said /x /y)" = "must specify at least one container source" ]
    [ "$(said "" c1:/y)" = "source can not be empty" ]
    keg cp d c1:/new
    keg cp d c1:/new
    [ "$(names c1 /new | tr '\n' ' ')" = "new/ new/d/ new/d/f new/d/sub/ new/f new/sub/ " ]
    keg cp d/. c1:/fresh
    [ "$(names c1 /fresh | tr '\n' ' ')" = "fresh/ fresh/f fresh/sub/ " ]
    keg cp c1:/fresh/. out
    [ "$(ls out | tr '\n' ' ')" = "f sub " ]
    keg cp c1:/fresh out
    [ "$(cat out/fresh/f)" = hi ]
    keg cp c1:/etc/passwd out/renamed
    grep -q ^root: out/renamed
    keg cp c1:/bin/sh link
    [ -L link ]
    keg cp -L c1:/bin/sh followed
    cmp followed /bin/busybox
    ln -s d/f here
    keg cp -L here c1:/
    keg cp c1:/here - | tar -xO here | grep -qx hi
    tar -c d | keg cp - c1:/new/sub
    names c1 /new/sub | grep -qx sub/d/f
    [[ "$(keg cp c1:/fresh - | tar -t | head -n 1)" == fresh/ ]]
    # a link as the destination stays
    mkdir there
    ln -s ../t there/one
    ln -s there/one two
    keg cp -q c1:/etc/passwd two
    [ -L two ] && [ -L there/one ] && grep -q ^root: t
    ln -sf two two
    run keg cp c1:/etc/passwd two
    [ "$status" = 1 ] && [[ $output == *"too many symbolic links"* ]]
    mkdir out/group
    run keg cp c1:/etc/group out/.
    [ "$output" = "cannot overwrite directory \"$WORK/out/group\" with non-directory \"$WORK/out\"" ]
    run keg cp -L nobody:/etc/passwd out
    [ "$output" = "Error response from daemon: No such container: nobody" ]
}

@test "cp: -a gives the container's user; a directory isn't replaced by a file, nor the other way round; read-only is refused" {
    mkdir -p x other
    echo 1 >f
    mkdir other/f
    keg create --name c1 -u web -v vol:/vol busybox true
    keg cp -a f c1:/vol/f
    [ "$(keg cp c1:/vol/f - | tar -tv --numeric-owner | awk '{print $2}')" = 1000/1000 ]
    tar -C other -c f >dir.tar
    [[ "$(ask PUT '/containers/c1/archive?path=/vol&noOverwriteDirNonDir=1' --data-binary @dir.tar)" == *'cannot overwrite non-directory'*400 ]]
    [ "$(ask PUT '/containers/c1/archive?path=/vol' --data-binary @dir.tar)" = 200 ]
    [[ "$(tar -c f | ask PUT '/containers/c1/archive?path=/vol&noOverwriteDirNonDir=true' --data-binary @-)" == *'cannot overwrite directory'*400 ]]
    for z in gzip zstd; do
        tar -c f | $z | ask PUT '/containers/c1/archive?path=/' --data-binary @- | grep -qx 200
    done
    keg run -d --name r1 --read-only -v vol:/vol:ro -v second:/w busybox sleep 1000
    [ "$(tar -c f | ask PUT '/containers/r1/archive?path=/' --data-binary @-)" = '{"message":"container rootfs is marked read-only"}400' ]
    [ "$(tar -c f | ask PUT '/containers/r1/archive?path=/vol' --data-binary @-)" = '{"message":"mounted volume is marked read-only"}400' ]
    [ "$(tar -c f | ask PUT '/containers/r1/archive?path=/w' --data-binary @-)" = 200 ]
    keg create --name q1 --read-only busybox true
    [[ "$(tar -c f | ask PUT '/containers/q1/archive?path=/' --data-binary @-)" == *'read-only'*400 ]]
}

@test "cp: hostile archives write nothing outside the container, and none of its programs or libraries run" {
    keg run -d --name c1 busybox sleep 1000
    # decompressors and NSS of the container's, which leave a trace if they run
    keg exec c1 sh -c 'for p in gzip xz unpigz zstd tar sh2; do printf "#!/bin/sh\ntouch /ran\n" >/usr/local/bin/$p 2>/dev/null || { mkdir -p /usr/local/bin; printf "#!/bin/sh\ntouch /ran\n" >/usr/local/bin/$p; }; chmod 755 /usr/local/bin/$p; done; mkdir -p /lib /etc; echo "passwd: evil" >/etc/nsswitch.conf; cp /bin/busybox /lib/libnss_evil.so.2; cp /bin/busybox /lib/libnss_files.so.2'
    python3 - "$KEG_ROOT/outside" <<'PY'
import io, sys, tarfile
outside = sys.argv[1]
def member(name, kind=tarfile.REGTYPE, link="", data=b"bad"):
    m = tarfile.TarInfo(name); m.type = kind; m.linkname = link; m.mode = 0o777
    m.size = len(data) if kind == tarfile.REGTYPE else 0
    return m, data
cases = {
    "absolute": [member(outside + "/made")],
    "dotdot": [member("../" * 30 + outside[1:] + "/made")],
    "link": [member("l", tarfile.SYMTYPE, outside), member("l/made")],
    "relative": [member("l2", tarfile.SYMTYPE, "../" * 30 + outside[1:]), member("l2/made")],
    "hardlink": [member("h", tarfile.LNKTYPE, outside + "/secret"), member("h")],
    "hardlink2": [member("l3", tarfile.SYMTYPE, outside), member("h2", tarfile.LNKTYPE, "l3/secret")],
    "proc": [member("p", tarfile.SYMTYPE, "/proc/self/root"), member("p" + outside + "/made")],
    "cwd": [member("q", tarfile.SYMTYPE, "/proc/1/cwd/../../.."), member("q" + outside + "/made")],
}
for name, members in cases.items():
    with tarfile.open(f"{name}.tar", "w") as tar:
        for m, data in members:
            tar.addfile(m, io.BytesIO(data))
PY
    before=$(tree "$KEG_ROOT/outside"; cat "$KEG_ROOT/outside/secret")
    for t in *.tar; do
        for path in / /tmp; do
            ask PUT "/containers/c1/archive?path=$path" --data-binary @"$t" >>answers
        done
        gzip -k "$t"
        ask PUT "/containers/c1/archive?path=/tmp" --data-binary @"$t.gz" >>answers
    done
    refute grep -q '000$' answers
    [ "$before" = "$(tree "$KEG_ROOT/outside"; cat "$KEG_ROOT/outside/secret")" ]
    keg exec c1 sh -c 'ln -s /proc/1/root/../../.. /out; ln -s '"$KEG_ROOT"'/outside /out2'
    [[ "$(ask GET "/containers/c1/archive?path=/out$KEG_ROOT/outside/secret")" != *"the host's own"* ]]
    [[ "$(ask GET "/containers/c1/archive?path=/out2/secret")" != *"the host's own"* ]]
    [[ "$(ask GET "/containers/c1/archive?path=/../../../../$KEG_ROOT/outside/secret")" != *"the host's own"* ]]
    keg cp c1:/etc/passwd - >/dev/null
    refute keg exec c1 ls /ran
    grep -q secret <(ls "$KEG_ROOT/outside")
}

@test "cp: a directory that is exchanged with a link all the while leads nowhere but into the container" {
    local n=60
    [ -z "${KEG_FULL:-}" ] || n=20000
    keg volume create race >/dev/null
    mkdir "$KEG_ROOT/data/volumes/race/_data/a"
    echo inside >"$KEG_ROOT/data/volumes/race/_data/a/secret"
    keg run -d --name c1 -v race:/vol busybox sleep 1000
    keg create --name rest -v race:/vol busybox true
    before=$(tree "$KEG_ROOT/outside")
    python3 "$BATS_TEST_DIRNAME/cp_race.py" "$SOCK" c1 "$KEG_ROOT/data/volumes/race/_data" /vol "$KEG_ROOT/outside" $n
    rm -f "$KEG_ROOT/data/volumes/race/_data/b" 2>/dev/null || rm -rf "$KEG_ROOT/data/volumes/race/_data/b"
    rm -rf "$KEG_ROOT/data/volumes/race/_data/"*
    mkdir "$KEG_ROOT/data/volumes/race/_data/a"
    python3 "$BATS_TEST_DIRNAME/cp_race.py" "$SOCK" rest "$KEG_ROOT/data/volumes/race/_data" /vol "$KEG_ROOT/outside" $((n / 2))
    [ "$before" = "$(tree "$KEG_ROOT/outside")" ]
    [ "$(cat "$KEG_ROOT/outside/secret")" = "the host's own" ]
}

@test "cp: mount points of one at rest are made and followed only inside; nothing is left mounted, no worker stays" {
    keg create --name c1 -v "$KEG_ROOT/outside:/link/target:ro" -v vol:/data/deep busybox true
    # the image's place for the mount becomes a link that leads out
    mkdir t && ln -s "$KEG_ROOT/elsewhere" t/link
    tar -C t -c link | ask PUT '/containers/c1/archive?path=/' --data-binary @- >/dev/null
    mounts=$(grep -c . /proc/self/mountinfo)
    ask GET '/containers/c1/archive?path=/data' >/dev/null
    echo v >v
    keg cp v c1:/data/deep/v
    [ "$(cat "$KEG_ROOT/data/volumes/vol/_data/v")" = v ]
    [ ! -e "$KEG_ROOT/elsewhere" ]
    [ "$mounts" = "$(grep -c . /proc/self/mountinfo)" ]
    [ -z "$(pgrep -P "$KEGD_PID" keg-layer)" ]
}

@test "cp: who leaves takes the copy along; a copy that stalls holds up neither inspect nor a removal" {
    keg create --name c1 busybox true
    mkfifo pipe
    curl -s --unix-socket "$SOCK" -X PUT -T - "http://keg/containers/c1/archive?path=/" <pipe >/dev/null 3>&- &
    local client=$!
    exec 8>pipe
    head -c 1024 /dev/zero >&8
    eventually pgrep -P "$KEGD_PID" keg-layer
    [ "$(timeout 5 keg inspect -f '{{.State.Status}}' c1)" = created ]
    timeout 5 keg ps -a >/dev/null
    timeout 8 keg rm -f c1
    exec 8>&-
    kill $client 2>/dev/null || :
    keg run -d --name r1 busybox sleep 1000
    curl -s --unix-socket "$SOCK" -X PUT -T - "http://keg/containers/r1/archive?path=/" <pipe >/dev/null 3>&- &
    client=$!
    exec 8>pipe
    head -c 700 /dev/zero >&8
    eventually pgrep -P "$KEGD_PID" keg-layer
    kill $client
    exec 8>&-
    eventually sh -c "! pgrep -P $KEGD_PID keg-layer"
}

@test "diff: added, changed and deleted, with every kind of change" {
    keg run --name c1 -v vol:/vol busybox sh -c \
        'mkdir -p /a/b; echo >/a/b/c; rm /bin/vi; echo x >>/etc/passwd; rm -r /root; mkdir /root; echo >/root/new; chmod 700 /var; echo >/vol/x; rm -r /usr/sbin; echo file >/usr/sbin'
    keg diff c1 >said
    cat said
    for line in "A /a" "A /a/b" "A /a/b/c" "C /bin" "D /bin/vi" "C /etc" "C /etc/passwd" "C /var" "C /root" "A /root/new" "A /vol" "C /usr" "C /usr/sbin"; do
        [ "$line" != "C /etc" ] || continue # a directory counts when something was added or removed in it, or its own attributes changed
        grep -qx "$line" said
    done
    refute grep -q /vol/x said
    refute grep -qE ' /(dev|proc|sys|\.dockerenv)' said
    keg create --name none busybox true
    [ -z "$(keg diff none)" ]
    [ "$(ask GET /containers/none/changes)" = null200 ]
    [ "$(ask GET /containers/nobody/changes)" = '{"message":"No such container: nobody"}404' ]
}

@test "stats: figures of one that runs, of one that doesn't, and streams" {
    keg run -d --name c1 -m 64m --pids-limit 50 busybox sh -c 'while :; do :; done'
    keg create --name idle busybox true
    api GET '/containers/c1/stats?stream=false' >one
    jq -e '.name == "/c1" and (.id | length) == 64 and .cpu_stats.online_cpus > 0 and .pids_stats.current >= 1 and .pids_stats.limit == 50
        and .memory_stats.limit == 67108864 and .memory_stats.usage > 0 and (.memory_stats.stats | length) > 10
        and .networks.eth0.rx_bytes >= 0 and (.networks | has("lo") | not) and .num_procs == 0 and .storage_stats == {}
        and (.read > .preread) and .preread != "0001-01-01T00:00:00Z"
        and .cpu_stats.cpu_usage.total_usage > .precpu_stats.cpu_usage.total_usage
        and .cpu_stats.system_cpu_usage > .precpu_stats.system_cpu_usage
        and (.cpu_stats.throttling_data | has("periods") and has("throttled_periods") and has("throttled_time"))
        and (.blkio_stats | length) == 8' one
    api GET '/containers/c1/stats?stream=false&one-shot=true' | jq -e '.preread == "0001-01-01T00:00:00Z" and .precpu_stats.cpu_usage.total_usage == 0 and .cpu_stats.cpu_usage.total_usage > 0'
    api GET '/containers/idle/stats?stream=false' | jq -e '.read == "0001-01-01T00:00:00Z" and .memory_stats == {} and .cpu_stats.cpu_usage.total_usage == 0 and .name == "/idle"'
    [ "$(ask GET '/containers/c1/stats?stream=1&one-shot=1')" = '{"message":"cannot have stream=true and one-shot=true"}400' ]
    [ "$(ask GET '/containers/nobody/stats')" = '{"message":"No such container: nobody"}404' ]
    curl -s --max-time 2.7 --unix-socket "$SOCK" http://keg/containers/c1/stats >stream || :
    [ "$(wc -l <stream)" -ge 2 ]
    [ "$(jq -r .read stream | sort -u | wc -l)" = "$(wc -l <stream)" ]
    [ "$(jq -s '.[-1].preread == .[-2].read' stream)" = true ]
    keg stats --no-stream --format '{{.Name}} {{.CPUPerc}} {{.PIDs}}' c1 | grep -qE '^c1 [0-9.]+% [0-9]+$'
    keg stats --no-stream -a | grep -q idle
    # all of them together take as long as one
    for i in 1 2 3 4 5 6; do keg run -d --name more$i --network none busybox sleep 1000; done >/dev/null
    timeout 5 keg stats --no-stream --format '{{.Name}}' >all
    [ "$(grep -c . all)" = 7 ]
    # a stream ends with its container
    curl -s --max-time 10 --unix-socket "$SOCK" http://keg/containers/c1/stats >/dev/null 3>&- &
    local client=$!
    keg rm -f c1
    wait $client
}

@test "cp: parts of volumes, volumes that are mounted, and images as mounts, of one at rest" {
    echo 1 >f
    keg create --name c1 --mount type=volume,src=vol,dst=/part,volume-subpath=sub \
        --mount type=volume,dst=/tm,volume-opt=type=tmpfs,volume-opt=device=tmpfs busybox true 2>said || skip "not here: $(cat said)"
    mkdir -p "$KEG_ROOT/data/volumes/vol/_data/sub"
    keg cp f c1:/part/f
    [ "$(cat "$KEG_ROOT/data/volumes/vol/_data/sub/f")" = 1 ]
    keg cp c1:/part/f - | tar -xO f | grep -qx 1
    keg cp f c1:/tm/f
    refute grep -q " $KEG_ROOT/data/volumes/" /proc/self/mountinfo
}

@test "cp: copies side by side into a volume that is mounted for them all go where it is mounted" {
    mkdir dev
    keg create --name c1 --mount "type=volume,src=beside,dst=/v,volume-opt=type=none,volume-opt=o=bind,volume-opt=device=$WORK/dev" \
        busybox true
    local i
    for i in $(seq 24); do echo "$i" >"f$i"; done
    seq 24 | xargs -P 6 -I{} keg cp -q f{} c1:/v/f{}
    [ "$(find dev -name 'f*' | wc -l)" = 24 ]
    [ -z "$(ls -A "$KEG_ROOT/data/volumes/beside/_data")" ] # nothing below, hidden by the mount
    refute grep -q " $KEG_ROOT/data/volumes/" /proc/self/mountinfo
    keg rm c1
    keg volume rm beside
    [ "$(find dev -name 'f*' | wc -l)" = 24 ]
}

@test "cp: what a hostile daemon sends stays in the destination" {
    mkdir outside
    echo mine >outside/secret
    python3 - "$PWD/outside" <<'PY'
import io, sys, tarfile
outside = sys.argv[1]
def entry(name, kind=tarfile.REGTYPE, link="", data=b"evil"):
    e = tarfile.TarInfo(name)
    e.type, e.linkname = kind, link
    e.size = len(data) if kind == tarfile.REGTYPE else 0
    return e, io.BytesIO(data)
up = "../" * 20
cases = {
    "dots": [entry("d/"), entry("d/../../outside/new")],
    "absolute": [entry(outside + "/new")],
    "link": [entry("d/x", tarfile.SYMTYPE, outside), entry("d/x/new")],
    "relative": [entry("d/x", tarfile.SYMTYPE, up + outside), entry("d/x/new")],
    "chain": [entry("d/a", tarfile.SYMTYPE, "."), entry("d/a/b", tarfile.SYMTYPE, "../.."), entry("d/a/b/outside/new")],
    "file": [entry("d/x", tarfile.SYMTYPE, outside + "/secret"), entry("d/x")],
    "hard": [entry("d/x", tarfile.LNKTYPE, outside + "/secret"), entry("d/x")],
    "harddots": [entry("d/x", tarfile.LNKTYPE, up + outside + "/secret")],
    "hardlink": [entry("d/l", tarfile.SYMTYPE, outside), entry("d/x", tarfile.LNKTYPE, "d/l/secret")],
    "directory": [entry("d/x", tarfile.SYMTYPE, outside), entry("d/x", tarfile.DIRTYPE), entry("d/x/new")],
}
for name, entries in cases.items():
    with tarfile.open(name + ".tar", "w") as t:
        for e, data in entries:
            t.addfile(e, data if e.size else None)
PY
    chmod 640 outside/secret
    touch -d 2001-02-03 outside/secret outside
    local before name
    before=$(ls -lR --time-style=full-iso outside)
    for name in dots absolute link relative chain file hard harddots hardlink directory; do
        "$BATS_TEST_DIRNAME/fake_daemon.py" "$PWD/$name.sock" "$PWD/$name.tar" d 2147484141 >ready 3>&- &
        eventually grep -q ready ready
        mkdir "to-$name"
        KEG_HOST=unix://$PWD/$name.sock keg cp c1:/d "to-$name" >"said-$name" 2>&1 && echo done >>"said-$name"
        kill $! && wait $! || :
        : >ready
        diff <(echo "$before") <(ls -lR --time-style=full-iso outside)
        [ "$(cat outside/secret)" = mine ]
    done
    grep -q "is outside of" said-dots
    for name in link relative chain; do grep -q "leads out of" said-$name; done
    [ "$(cat to-file/d/x)" = evil ] # the link has made way for the file
    grep -qx done said-file
    grep -q 'cannot overwrite non-directory' said-directory
    # and into a tree that somebody else has prepared
    mkdir -p prepared/d
    ln -s "$PWD/outside" prepared/d/bin
    keg create --name c1 busybox true
    run -1 keg cp c1:/bin prepared/d
    [ "$output" = "cannot overwrite non-directory \"$PWD/prepared/d/bin\" with directory \"$PWD/prepared/d\"" ]
    diff <(echo "$before") <(ls -lR --time-style=full-iso outside)
}

@test "cp: into and out of a pipe, with -q, and without the host's tar" {
    keg create --name c1 busybox true
    mkdir -p src/sub bin
    echo hi >src/sub/f
    ln -s "$(command -v keg)" bin/keg
    PATH=$PWD/bin keg cp src c1:/new
    PATH=$PWD/bin keg cp c1:/new out
    [ "$(cat out/sub/f)" = hi ]
    keg cp c1:/new - | keg cp - c1:/tmp
    [ "$(names c1 /tmp/new | tr '\n' ' ')" = "new/ new/sub/ new/sub/f " ]
    [ -z "$(keg cp src/sub/f c1:/ 2>&1)" ]
    [[ "$(keg cp -q=false src/sub/f c1:/ 2>&1)" =~ ^"Successfully copied "[0-9.]+"kB to c1:/"$ ]]
    [[ "$(keg cp -q=false c1:/f copy 2>&1)" =~ ^"Successfully copied "[0-9.]+"kB to $PWD/copy"$ ]]
    run -1 keg cp c1:/f "$PWD/src/sub/f/"
    [ "$output" = "not a directory" ] || [ "$output" = "no such directory" ]
}
