# What a kegd has in the kernel, in memory and on disk, thing by thing, so that before and after can be compared.
# For tests that load lib: `load lib; load census`.

# The instance's tag, as its cgroups and its nftables table carry it.
keg_tag() {
    nft list tables | sed -n 's/^table ip \(keg-[0-9a-f]*\)$/\1/p'
}

# Processes of this instance: kegd's children (zombies as well), whatever sits in its cgroups, monitors.
census_processes() {
    local tag
    tag=$(keg_tag)
    awk -v kegd="$KEGD_PID" '/^Name:/ { name = $2 } /^State:/ { state = $2 }
        /^PPid:/ && $2 == kegd { print "process " name " " state " of kegd" }' /proc/[0-9]*/status 2>/dev/null || : # some go meanwhile
    echo "processes in cgroups: $(grep -l "/$tag/" /proc/[0-9]*/cgroup 2>/dev/null | wc -l)"
    readlink /proc/[0-9]*/cwd 2>/dev/null | grep "^$KEG_ROOT/run/containers/" | sed 's/^/monitor: /'
}

# What kegd holds open: a namespace that nobody else holds would be here, or among the mounts.
census_descriptors() { # but for the cgroup hierarchies, which are opened once, when they are first needed
    readlink "/proc/$KEGD_PID/fd"/* 2>/dev/null | sed 's/\[[0-9]*\]/[]/; /^\/sys\/fs\/cgroup\(\/[^/]*\)\?$/d' | sort | uniq -c
    grep ^Threads: "/proc/$KEGD_PID/status"
}

census_disk() {
    find "$KEG_ROOT/run" "$KEG_ROOT/data" -printf '%P %y\n' | grep -Ev '^(keg.db-.*|volumes d)' | sort
    # everything that has a row
    keg ps -aq --no-trunc | sed 's/^/container /'
    keg images -aq --no-trunc | sed 's/^/image /'
    keg volume ls -q | sed 's/^/volume /'
    keg network ls -q --no-trunc | sed 's/^/network /'
}

# census [another-kegd]: the whole; without what is in kegd itself when it is not the same process before and after.
census() {
    local tag
    tag=$(keg_tag)
    echo "== mounts"
    cut -d' ' -f5- /proc/self/mountinfo | grep -v '^/tmp/'
    echo "== mounts of kegd"
    cut -d' ' -f5- "/proc/$KEGD_PID/mountinfo" | grep -v '^/tmp/' # others' comings and goings
    echo "== links"
    ip -o link | awk -F': ' '{print $2}'
    ip route | sed 's/ linkdown *$//; s/ *$//'
    echo "== nftables"
    nft list ruleset | sed 's/counter packets.*//'
    echo "== cgroups"
    find /sys/fs/cgroup/"$tag" /sys/fs/cgroup/*/"$tag" -type d 2>/dev/null || : # v2, v1
    echo "== processes"
    census_processes
    if [ "${1:-}" != another-kegd ]; then
        echo "== descriptors and threads of kegd"
        census_descriptors
    fi
    echo "== disk"
    census_disk
}

# census_before FILE [another-kegd]: the census once it stands still, without a connection or thread that is just leaving.
census_before() {
    local i
    census "${2:-}" >"$1"
    for i in $(seq 15); do
        sleep 0.5
        census_differs "$@" || return 0
        census "${2:-}" >"$1"
    done
    echo "the census never stood still" >&2
    return 1
}

census_differs() { # file with the census before, as for census
    ! census "${2:-}" 2>&1 | diff "$1" - >"$1.diff"
}

# census_same FILE [another-kegd]: waits up to 5 s for the census to be as it was in the file; shows what is different.
census_same() {
    local i
    for i in $(seq 15); do
        census_differs "$@" || return 0
        sleep 0.3
    done
    echo "this is different from before:" >&2
    cat "$1.diff" >&2
    return 1
}

kegd_pss() { # kB
    awk '/^Pss:/ { print $2 }' "/proc/$KEGD_PID/smaps_rollup"
}
