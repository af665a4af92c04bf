# What system tests share: a private kegd each, an image, and a look at what is left behind.
#
#   setup_file() { load lib; require root; kegd_start; image_busybox; }
#   teardown_file() { load lib; kegd_stop; }
#
# Run by tests/run in network and mount namespaces of their own. KEG_BUILD is the build directory.

KEG_BUILD=${KEG_BUILD:-$(cd "$BATS_TEST_DIRNAME/../.." && pwd)/build}
# A shim for python3 that comes earlier in PATH costs five times what python does. (No function: one in the background would be a
# shell, whose end its python survives.)
export KEG_BUILD PATH="$KEG_BUILD:/usr/bin:$PATH"
# Until kegd_start says where it is: never the machine's own kegd, nor one that keg would start at the default place.
export KEG_HOST=${KEG_HOST:-unix:///run/no-kegd-was-started.sock}

# missing root|cgroup1|cgroup2|NAME … : prints what is missing, if anything is; NAME is a program.
missing() {
    local need
    for need; do
        case $need in
        root) [ "$(id -u)" = 0 ] || { echo "needs root"; return; } ;;
        cgroup1) [ -d /sys/fs/cgroup/memory ] || { echo "needs cgroup v1"; return; } ;;
        cgroup2) [ -e /sys/fs/cgroup/cgroup.controllers ] || { echo "needs cgroup v2"; return; } ;;
        *) command -v "$need" >/dev/null || { echo "needs the program $need"; return; } ;;
        esac
    done
}

# In a test: skips it, with the reason. In setup_file, where nothing can be skipped, it is a failure: every machine that runs
# these tests has what they need (tools/packages); what may be missing is asked for by each test, with KEG_SKIP (docker.bats).
require() {
    local reason
    reason=$(missing "$@")
    [ -n "$reason" ] || return 0
    [ -z "${BATS_TEST_NUMBER:-}" ] || skip "$reason"
    echo "$reason" >&2
    return 1
}

# A private kegd below $KEG_ROOT (made if unset); further arguments go to kegd.
kegd_start() {
    : "${KEG_ROOT:=$(mktemp -d /var/tmp/keg-test.XXXXXX)}"
    export KEG_ROOT KEG_HOST=unix://$KEG_ROOT/run/keg.sock
    "$KEG_BUILD/kegd" --data-root "$KEG_ROOT/data" --exec-root "$KEG_ROOT/run" --pidfile "$KEG_ROOT/kegd.pid" "$@" \
        >>"$KEG_ROOT/kegd.log" 2>&1 3>&- </dev/null &
    KEGD_PID=$!
    export KEGD_PID
    disown
    local i
    for i in $(seq 200); do
        curl -sf --unix-socket "$KEG_ROOT/run/keg.sock" http://keg/_ping >/dev/null && return 0
        kill -0 "$KEGD_PID" 2>/dev/null || break
        sleep 0.05
    done
    echo "kegd did not start:" >&2
    tail -n 20 "$KEG_ROOT/kegd.log" >&2
    return 1
}

# Ends kegd only; containers go on.
kegd_kill() {
    kill "-${1:-KILL}" "$KEGD_PID" 2>/dev/null || :
    while kill -0 "$KEGD_PID" 2>/dev/null; do sleep 0.02; done
}

# Removes everything and ends kegd.
kegd_stop() {
    local ids
    [ -n "${KEG_ROOT:-}" ] || return 0
    ids=$(keg ps -aq 2>/dev/null) || ids=
    # shellcheck disable=SC2086
    [ -z "$ids" ] || keg rm -f $ids >/dev/null || :
    kegd_kill TERM
    [ -z "${KEG_KEEP:-}" ] || return 0
    rm -rf "$KEG_ROOT"
}

# REST by hand: api GET /containers/json [curl arguments…]
api() {
    local method=$1 path=$2
    shift 2
    curl -s --unix-socket "$KEG_ROOT/run/keg.sock" -X "$method" "$@" "http://keg$path"
}

# A root filesystem of busybox alone, in directory $1.
busybox_rootfs() {
    local applet
    mkdir -p "$1"/{bin,sbin,usr/bin,usr/sbin,etc,root,tmp,var,proc,sys,dev}
    chmod 1777 "$1/tmp"
    cp /bin/busybox "$1/bin/busybox"
    for applet in $(/bin/busybox --list-full); do
        [ -e "$1/$applet" ] || ln -s /bin/busybox "$1/$applet"
    done
    printf 'root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1:daemon:/usr/sbin:/bin/false\nweb:x:1000:1000::/home/web:/bin/sh\n' >"$1/etc/passwd"
    printf 'root:x:0:\ndaemon:x:1:\nextra:x:2000:web\nweb:x:1000:\n' >"$1/etc/group"
}

# The image busybox:latest in the private kegd.
image_busybox() {
    busybox_rootfs "$KEG_ROOT/busybox"
    tar -C "$KEG_ROOT/busybox" -c . | keg import -c 'CMD ["sh"]' \
        -c 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' - busybox >/dev/null
}

# What this kegd has in the kernel and on disk, for comparing before and after: mounts, cgroups, interfaces, nftables,
# namespaces' holders (monitors), entries of RUN and DATA, rows.
leftovers() {
    echo "mounts $(grep -c . /proc/self/mountinfo)"
    echo "links: $(ip -o link | awk -F': ' '{print $2}' | sort | tr '\n' ' ')"
    echo "nft: $(nft list ruleset 2>/dev/null | grep -c .)"
    # of this instance alone, which its table is named after; others may be at work beside it
    local tag
    tag=$(nft list tables 2>/dev/null | awk '$3 ~ /^keg/ {print $3; exit}')
    echo "cgroups: $(find /sys/fs/cgroup -type d -path "*/${tag:-keg}/*" 2>/dev/null | grep -cE '[0-9a-f]{64}')"
    echo "run: $(find "$KEG_ROOT/run/containers" -mindepth 1 2>/dev/null | wc -l)"
    echo "containers: $(find "$KEG_ROOT/data/containers" -mindepth 1 -maxdepth 1 2>/dev/null | wc -l)"
    echo "layers: $(find "$KEG_ROOT/data/layers" -mindepth 1 -maxdepth 1 ! -name '.trash-*' 2>/dev/null | wc -l)"
    echo "volumes: $(find "$KEG_ROOT/data/volumes" -mindepth 1 -maxdepth 1 2>/dev/null | wc -l)"
    echo "monitors: $(for c in /proc/[0-9]*/cwd; do readlink "$c"; done 2>/dev/null | grep -c "^$KEG_ROOT/run/containers/")"
    echo "rows: $(keg ps -aq | wc -l)"
}

# A command that must fail. (`! command` fails a test only as its last line.)
refute() {
    ! "$@" || { echo "succeeded, and must not: $*" >&2; return 1; }
}

# Tries a command until it succeeds, for 5 s; one that takes longer is tried twice at least.
eventually() {
    local end=$((SECONDS + 6)) tries=0
    while [ $SECONDS -lt $end ] || [ $tries -lt 2 ]; do
        "$@" >/dev/null 2>&1 && return 0
        tries=$((tries + 1))
        sleep 0.05
    done
    echo "never became true: $*" >&2
    return 1
}
