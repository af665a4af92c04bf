# What a kegd has in the kernel, in memory and on disk, thing by thing, so that before and after can be compared.
# For tests that load lib: `load lib; load census`.

# The instance's tag, as its cgroups and its nftables table carry it.
keg_tag() {
    nft list tables | sed -n 's/^table ip \(keg-[0-9a-f]*\)$/\1/p'
}

# Processes of this instance: kegd's children (zombies as well), whatever sits in its cgroups, monitors.
census_processes() {
    local status tag
    tag=$(keg_tag)
    for status in /proc/[0-9]*/status; do
        awk -v kegd="$KEGD_PID" '/^Name:/ { name = $2 } /^State:/ { state = $2 }
            /^PPid:/ && $2 == kegd { print "process " name " " state " of kegd" }' "$status" 2>/dev/null || :
    done
    grep -l "/$tag/" /proc/[0-9]*/cgroup 2>/dev/null | wc -l | sed 's/^/processes in cgroups: /'
    for status in /proc/[0-9]*/cwd; do readlink "$status"; done 2>/dev/null | grep "^$KEG_ROOT/run/containers/" | sed 's/^/monitor: /'
}

# Network namespaces that processes of this machine hold and whose holder has to do with this instance are seen as
# processes; those that only kegd holds are seen as descriptors and mounts.
census_descriptors() {
    local fd
    for fd in "/proc/$KEGD_PID/fd"/*; do readlink "$fd"; done 2>/dev/null | sed 's/\[[0-9]*\]/[]/' | sort | uniq -c
}

census_disk() {
    find "$KEG_ROOT/run" "$KEG_ROOT/data" -printf '%P %y\n' | grep -v '^keg.db-' | sort
    # everything that has a row
    keg ps -aq --no-trunc | sed 's/^/container /'
    keg images -aq --no-trunc | sed 's/^/image /'
    keg volume ls -q | sed 's/^/volume /'
    keg network ls -q --no-trunc | sed 's/^/network /'
}

census() {
    local tag
    tag=$(keg_tag)
    echo "== mounts"
    cut -d' ' -f5- /proc/self/mountinfo
    echo "== mounts of kegd"
    cut -d' ' -f5- "/proc/$KEGD_PID/mountinfo"
    echo "== links"
    ip -o link | awk -F': ' '{print $2}'
    ip route
    echo "== nftables"
    nft list ruleset | sed 's/counter packets.*//'
    echo "== cgroups"
    find /sys/fs/cgroup -type d -path "*/$tag*"
    echo "== processes"
    census_processes
    echo "== descriptors and threads of kegd"
    census_descriptors
    grep ^Threads: "/proc/$KEGD_PID/status"
    echo "== disk"
    census_disk
}

census_differs() { # file with the census before
    ! census 2>&1 | diff "$1" - >"$1.diff"
}

# Waits up to 5 s for the census to be as it was in file $1; shows what is different.
census_same() {
    local i
    for i in $(seq 25); do
        census_differs "$1" || return 0
        sleep 0.2
    done
    echo "this is different from before:" >&2
    cat "$1.diff" >&2
    return 1
}

kegd_pss() { # kB
    awk '/^Pss:/ { print $2 }' "/proc/$KEGD_PID/smaps_rollup"
}
