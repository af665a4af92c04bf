# keg-runtime and cgroups: limits at the start and by update, what is recorded of them, devices, pausing, delegation, and groups
# that are somebody else's. Every test has a bundle of its own; all share one root filesystem.

setup_file() {
    load lib
    load bundle
    require root python3
    bundles_begin cgroup
}

teardown_file() {
    load bundle
    bundles_end
}

setup() {
    load lib
    load bundle
    bundle_begin
    config 'p["args"] = ["sleep", "600"]'
    V2=
    [ ! -e /sys/fs/cgroup/cgroup.controllers ] || V2=1
}

teardown() {
    bundle_end
}

limit() { config "resources.update($1)"; }
start() { rt run -d --bundle "$BUNDLE" "$ID" >"$BUNDLE/out" 2>&1 || { cat "$BUNDLE/out"; return 1; }; }
update() { rt update "$@" "$ID"; }
update_from() { "$KEG_BUILD/keg-runtime" --root "$ROOT" update --resources - "$ID" <<<"$1"; }
failed() { # text
    [ "$status" -ne 0 ] || { echo "did not fail: $output" >&2; return 1; }
    [[ ${output//\\\"/\"} == *"$1"* ]] || { echo "no \"$1\" in: $output" >&2; return 1; }
}

# The container's file of one of these names: v1's, v2's.
limit_file() { find /sys/fs/cgroup -maxdepth 4 -path "*$ID/$([ -n "$V2" ] && echo "${2:-$1}" || echo "$1")" | head -n 1; }
is() { # value v1-file [v2-file]
    local file
    file=$(limit_file "$2" "${3:-$2}")
    [ "$(cat "$file")" = "$1" ] || { echo "$file is $(cat "$file"), not $1" >&2; return 1; }
}
has() { [ -n "$(limit_file "$1" "${2:-$1}")" ]; }

memory_is() { is "$1" memory.limit_in_bytes memory.max; }
quota_is() { # quota period
    if [ -n "$V2" ]; then is "$1 $2" cpu.max; else is "$1" cpu.cfs_quota_us && is "$2" cpu.cfs_period_us; fi
}

@test "update has an option for every limit, before and behind the id" {
    start
    update --memory 64m --memory-reservation 32M
    memory_is 67108864
    is 33554432 memory.soft_limit_in_bytes memory.low
    rt update "$ID" --memory=50331648
    memory_is 50331648
    update --cpu-shares 512 --cpu-quota 20000 --cpu-period 50000
    quota_is 20000 50000
    if [ -n "$V2" ]; then is 59 cpu.weight; else is 512 cpu.shares; fi
    ! has cpu.cfs_burst_us cpu.max.burst || { update --cpu-burst 5000; is 5000 cpu.cfs_burst_us cpu.max.burst; }
    update --cpuset-cpus 0 --cpuset-mems 0 --pids-limit 33
    is 0 cpuset.cpus
    is 0 cpuset.mems
    is 33 pids.max
    update --pids-limit -1 --memory -1 --cpu-quota -1
    is max pids.max
    if [ -n "$V2" ]; then is max memory.max; is 'max 50000' cpu.max; else is -1 cpu.cfs_quota_us; fi
    run update --memory lots
    failed 'invalid value for memory: "lots"'
}

@test "idle and shares: each order in which the kernel takes them" {
    start
    has cpu.idle || skip "the kernel has no cpu.idle"
    update --cpu-idle 1
    is 1 cpu.idle
    run update --cpu-share 200 # as long as it is idle it has none
    [ "$status" -ne 0 ]
    update --cpu-share 200 --cpu-idle 0
    is 0 cpu.idle
    if [ -n "$V2" ]; then is 29 cpu.weight; else is 200 cpu.shares; fi
    update --cpu-share 100 --cpu-idle 1
    is 1 cpu.idle
    run update --cpu-idle 2
    failed 'resources.cpu.idle'
    is 1 cpu.idle
}

@test "memory and swap go up and down together; what isn't given is what was set before" {
    limit 'memory={"limit": 33554432}'
    start
    has memory.memsw.limit_in_bytes memory.swap.max || skip "the kernel doesn't count swap"
    local both=memory.memsw.limit_in_bytes of=memory.swap.max
    update --memory-swap 50331648
    if [ -n "$V2" ]; then is 16777216 $both $of; else is 50331648 $both $of; fi
    update --memory 83886080 --memory-swap 100663296
    memory_is 83886080
    update --memory 16777216
    memory_is 16777216
    if [ -n "$V2" ]; then is 83886080 $both $of; else is 100663296 $both $of; fi
    update --memory-swap -1
    [ -z "$V2" ] || is max $both $of
}

@test "an update that fails sets back what it had set" {
    limit 'memory={"limit": 33554432}, cpu={"quota": 20000, "period": 50000}'
    start
    run update --memory 67108864 --cpu-period 1
    failed 'resources.cpu'
    memory_is 33554432
    quota_is 20000 50000
    update --cpu-period 100000
    quota_is 20000 100000
    update --cpu-quota 30000
    quota_is 30000 100000
}

@test "resources come from a file and from standard input, and then no option counts" {
    start
    echo '{"pids": {"limit": 44}}' >"$BUNDLE/limits"
    update --resources "$BUNDLE/limits" --pids-limit 55
    is 44 pids.max
    update_from '{"pids": {"limit": 45}, "cpu": {"quota": 30000}}'
    is 45 pids.max
    quota_is 30000 100000
    run update_from '[]'
    failed 'no JSON object'
    run update_from '{"pids": '
    [ "$status" -ne 0 ]
}

@test "throttles of a device are changed, those of others stay" {
    local name number rate=blkio.throttle.read_bps_device
    for name in /sys/block/*; do number=$(cat "$name/dev"); case $name in */loop*|*/ram*|*/zram*) ;; *) break ;; esac; done
    [ -n "${number:-}" ] || skip "no block device here"
    local device="\"major\": ${number%:*}, \"minor\": ${number#*:}"
    limit "blockIO={'throttleReadBpsDevice': [{$device, 'rate': 1048576}, {$device, 'rate': 2097152}]}"
    start
    has $rate io.max || skip "no throttling here"
    reads() { grep -q "^$number .*$1" "$(limit_file $rate io.max)"; }
    reads 2097152
    update_from "{\"blockIO\": {\"throttleReadBpsDevice\": [{$device, \"rate\": 4194304}],
        \"throttleWriteIOPSDevice\": [{$device, \"rate\": 500}]}}"
    reads 4194304
    grep -q "^$number .*500" "$(limit_file blkio.throttle.write_iops_device io.max)"
    python3 -c 'import json, sys
io = json.load(open(sys.argv[1]))["linux"]["resources"]["blockIO"]
assert [d["rate"] for d in io["throttleReadBpsDevice"]] == [1048576, 4194304], io
assert [d["rate"] for d in io["throttleWriteIOPSDevice"]] == [500], io' "$ROOT/$ID/config.json"
}

@test "device rules change while the container runs, and what is allowed all the time never fails" {
    config 'linux["devices"] = [{"path": "/dev/probe", "type": "c", "major": 1, "minor": 11, "fileMode": 438}]
p["args"] = ["sh", "-c", "while :; do : </dev/null >/dev/null; done"]
for s in p["capabilities"].values(): s.append("CAP_SYSLOG")'
    start
    run rt exec "$ID" sh -c ': </dev/probe'
    [ "$status" -ne 0 ]
    for _ in 1 2 3 4 5; do
        update_from '{"devices": [{"allow": true, "type": "c", "major": 1, "minor": 11, "access": "r"}]}'
        rt exec "$ID" sh -c ': </dev/probe'
        update_from '{"devices": [{"allow": false, "access": "rwm"}]}'
        run rt exec "$ID" sh -c ': </dev/probe'
    [ "$status" -ne 0 ]
    done
    [ "$(status)" = running ] # the shell ends when it can't open one
}

@test "checkBeforeUpdate refuses a limit below what is in use" {
    start
    run update_from '{"memory": {"limit": 1024, "checkBeforeUpdate": true}}'
    failed 'rejecting memory limit 1024'
    run update_from '{"memory": {"limit": 1024, "swap": 2048, "checkBeforeUpdate": true}}'
    failed 'rejecting memory+swap limit 2048'
    [ "$(status)" = running ]
}

@test "files of cgroup v2 by name outrank the rest; cgroup v1 has none" {
    limit 'unified={"pids.max": "77"}, pids={"limit": 20}'
    if [ -z "$V2" ]; then
        run start
        failed 'invalid configuration: resources.unified needs cgroup v2'
    else
        start
        is 77 pids.max
        update_from '{"unified": {"memory.high": "67108864", "pids.max": "78\n79\n"}}'
        is 79 pids.max # a line at a time
        is 67108864 memory.high
        run update_from '{"unified": {"../pids.max": "1"}}'
        failed 'resources.unified: "../pids.max"'
        run update_from '{"unified": {"nothing.max": "1"}}'
        failed 'the requested cgroup controller `nothing` is not available'
        run update_from '{"unified": {"pids": "1"}}'
        failed 'has not the form CONTROLLER.VALUE `pids`'
        run update_from '{"unified": {"pids.none": "1"}}'
        failed 'this kernel has no pids.none'
    fi
}

@test "what the kernel or its mounts can't do is an error that names it" {
    if [ -n "$V2" ]; then
        limit 'cpu={"realtimeRuntime": 1000}'
        run start
        failed 'resources.cpu.realtimeRuntime: cgroup v2 has no such setting'
        config 'resources.clear()'
        limit 'network={"classID": 1048577}'
        run start
        failed 'resources.network.classID'
    else
        limit 'hugepageLimits=[{"pageSize": "3MB", "limit": 9437184}]'
        run start
        failed 'resources.hugepageLimits'
        config 'resources.clear()'
        limit 'cpu={"period": 1}'
        run start
        failed 'resources.cpu.period: the kernel refuses "1"'
    fi
    config 'resources.clear()'
    start
    [ -d /sys/fs/resctrl/info/L3 ] && return
    run update --l3-cache-schema L3:0=f
    failed 'Intel RDT/CAT: l3 cache schema is not enabled'
    run update --mem-bw-schema MB:0=50
    failed 'Intel RDT/MBA: memory bandwidth schema is not enabled'
}

@test "a cgroup that holds processes is refused, and those live on" {
    config "linux['cgroupsPath'] = '/$ID/shared'"
    start
    cp -r "$BUNDLE" "$BUNDLE.other"
    run rt run -d --bundle "$BUNDLE.other" "$ID.other"
    rm -rf "$BUNDLE.other"
    failed "container's cgroup is not empty"
    [ "$(status)" = running ]
    [ -n "$(find /sys/fs/cgroup -maxdepth 3 -path "*/$ID/shared")" ]
    rt delete --force "$ID"
    find /sys/fs/cgroup -maxdepth 2 -name "$ID" -exec rmdir {} +
}

@test "a cgroup that is frozen is refused, and stays" {
    local directory=/sys/fs/cgroup${V2:+/$ID} state=cgroup.freeze on=1
    if [ -z "$V2" ]; then
        [ -d /sys/fs/cgroup/freezer ] || skip "no freezer here"
        directory=/sys/fs/cgroup/freezer/$ID state=freezer.state on=FROZEN
    fi
    mkdir "$directory"
    echo $on >"$directory/$state"
    config "linux['cgroupsPath'] = '/$ID'"
    run start
    [ -d "$directory" ]
    rmdir "$directory"
    failed "container's cgroup unexpectedly frozen"
}

@test "a paused container stays paused when its limits change, and resumes" {
    start
    rt pause "$ID"
    [ "$(status)" = paused ]
    update --pids-limit 30
    [ "$(status)" = paused ]
    is 30 pids.max
    rt resume "$ID"
    [ "$(status)" = running ]
}

@test "groups that the container makes go with it" {
    config 'for m in c["mounts"]:
    if m["destination"] == "/sys/fs/cgroup": m["options"] = ["nosuid", "noexec", "nodev", "rw"]
p["args"] = ["sh", "-c", "d=/sys/fs/cgroup; [ -e $d/cgroup.procs ] || d=$d/memory; mkdir -p $d/a/b; sleep 600 & echo $! >$d/a/b/cgroup.procs; wait"]'
    start
    moved() { find /sys/fs/cgroup -maxdepth 6 -path "*$ID/a/b/cgroup.procs" -exec cat {} + | grep -q .; }
    stopped() { [ "$(status)" = stopped ]; }
    eventually moved
    rt kill --all "$ID" KILL
    eventually stopped
    rt delete --force "$ID"
    [ -z "$(find /sys/fs/cgroup -maxdepth 4 -name "*$ID*")" ]
}

@test "a container that was moved into a frozen group of v1 can be deleted" {
    [ -d /sys/fs/cgroup/freezer ] || skip "needs the freezer of cgroup v1"
    start
    local directory=/sys/fs/cgroup/freezer/elsewhere-$$
    mkdir "$directory"
    rt state "$ID" | sed -n 's/.*"pid": \([0-9]*\).*/\1/p' >"$directory/tasks"
    echo FROZEN >"$directory/freezer.state"
    timeout 5 "$KEG_BUILD/keg-runtime" --root "$ROOT" delete --force "$ID"
    eventually rmdir "$directory"
}

@test "options of a cgroup2 mount reach the kernel" {
    [ -n "$V2" ] || skip "needs cgroup v2"
    config 'for m in c["mounts"]:
    if m["destination"] == "/sys/fs/cgroup": m["options"].append("no_such_option")'
    run start
    failed 'no_such_option'
}

@test "--cgroup-manager disabled leaves it where the caller is" {
    "$KEG_BUILD/keg-runtime" --root "$ROOT" --cgroup-manager disabled run -d --bundle "$BUNDLE" "$ID" </dev/null >/dev/null 2>&1
    [ -z "$(find /sys/fs/cgroup -maxdepth 3 -name "*$ID*")" ]
    diff /proc/self/cgroup "/proc/$(rt state "$ID" | sed -n 's/.*"pid": \([0-9]*\).*/\1/p')/cgroup"
    run update --pids-limit 10
    failed 'has no cgroup'
}

@test "with a user namespace its root owns the v2 tree that it sees writable, and not else" {
    [ -n "$V2" ] || skip "needs cgroup v2"
    config 'linux["namespaces"].append({"type": "user"})
linux["uidMappings"] = linux["gidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 65536}]'
    chmod 755 "$DIR"
    start
    [ "$(rt exec "$ID" stat -c %u /sys/fs/cgroup)" = 65534 ]
    rt delete --force "$ID"
    config 'for m in c["mounts"]:
    if m["destination"] == "/sys/fs/cgroup": m["options"] = ["nosuid", "noexec", "nodev", "rw"]'
    start
    [ "$(rt exec "$ID" stat -c %u /sys/fs/cgroup)" = 0 ]
    rt exec "$ID" sh -c 'mkdir /sys/fs/cgroup/sub && echo 1 >/sys/fs/cgroup/sub/cgroup.procs'
    run rt exec "$ID" sh -c 'echo 10 >/sys/fs/cgroup/pids.max'
    [ "$status" -ne 0 ]
}
