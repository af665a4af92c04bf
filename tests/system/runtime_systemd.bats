# vm: no
# keg-runtime --systemd-cgroup: what it asks of systemd, on a message bus of its own with a manager that only takes notes.

setup_file() {
    load lib
    load bundle
    require root
    bundles_begin systemd
    export DBUS_SYSTEM_BUS_ADDRESS=unix:path=$DIR/bus
    fake_missing >/dev/null && return
    dbus-daemon --session --nofork --nopidfile --address="$DBUS_SYSTEM_BUS_ADDRESS" >"$DIR/bus.log" 2>&1 3>&- </dev/null &
    BUS_PID=$!
    until [ -S "$DIR/bus" ]; do sleep 0.05; kill -0 "$BUS_PID"; done
    /usr/bin/python3 "$BATS_TEST_DIRNAME/fake_systemd.py" "$DIR/calls" >"$DIR/fake.log" 2>&1 3>&- </dev/null &
    FAKE_PID=$!
    until [ -s "$DIR/calls" ]; do sleep 0.05; kill -0 "$FAKE_PID"; done
    export BUS_PID FAKE_PID
    disown -a
}

teardown_file() {
    [ -z "${BUS_PID:-}" ] || kill "$BUS_PID" "$FAKE_PID"
    load bundle
    bundles_end
}

# Prints what keeps the fake from running.
fake_missing() {
    command -v dbus-daemon >/dev/null || { echo "needs dbus-daemon"; return 0; }
    /usr/bin/python3 -c 'import dbus, gi' 2>/dev/null || { echo "needs python3-dbus and python3-gi"; return 0; }
    return 1
}

setup() {
    load lib
    load bundle
    reason=$(fake_missing) && skip "$reason"
    GLOBAL=--systemd-cgroup
    bundle_begin
    config 'p["args"] = ["sleep", "600"]'
    : >"$DIR/calls"
}

teardown() {
    [ -n "${BUNDLE:-}" ] || return 0
    bundle_end
    rmdir /sys/fs/cgroup/{,*/}{system,machine}.slice 2>/dev/null || :
    [ -z "$(find /sys/fs/cgroup -maxdepth 4 -name "*$ID*")" ]
}

create() { rt create --bundle "$BUNDLE" "$ID" >"$BUNDLE/out" 2>&1; }
# The value of a property in the last call of that name, as JSON; "none".
property() { python3 -c 'import json, sys
calls = [json.loads(line) for line in open(sys.argv[1])]
found = dict([c for c in calls if c["call"] == sys.argv[2]][-1]["properties"])
print(json.dumps(found[sys.argv[3]]) if sys.argv[3] in found else "none")' "$DIR/calls" "$1" "$2"; }
called() { grep "\"call\": \"$1\"" "$DIR/calls"; }
unit_directory() { find /sys/fs/cgroup -maxdepth 4 -type d -name "$1" | head -n 1; }

@test "a container is a scope with its process in it, in the slice that the path names" {
    config "c['linux']['cgroupsPath'] = 'machine-web.slice:app:$ID'"
    create
    [ "$(property StartTransientUnit Slice)" = '"machine-web.slice"' ]
    [ "$(property StartTransientUnit PIDs)" = "[$(rt state "$ID" | sed -n 's/.*"pid": \([0-9]*\).*/\1/p')]" ]
    [ "$(property StartTransientUnit Delegate)" = true ]
    called StartTransientUnit | grep -q "\"name\": \"app-$ID.scope\", \"mode\": \"replace\""
    [[ $(unit_directory "app-$ID.scope") == */machine.slice/machine-web.slice/app-$ID.scope ]]
    grep -q "/machine.slice/machine-web.slice/app-$ID.scope$" "/proc/$(rt state "$ID" | sed -n 's/.*"pid": \([0-9]*\).*/\1/p')/cgroup"
    rt delete --force "$ID"
    called StopUnit | grep -q "app-$ID.scope"
    rmdir /sys/fs/cgroup/{,*/}machine.slice/machine-web.slice 2>/dev/null || :
}

@test "without a path it is in the default slice; a name that is a slice is one" {
    create
    [ "$(property StartTransientUnit Slice)" = '"system.slice"' ]
    called StartTransientUnit | grep -q "\"name\": \"keg-$ID.scope\""
    rt delete --force "$ID"
    config "c['linux']['cgroupsPath'] = '::${ID//-/_}.slice'"
    create
    [ "$(property StartTransientUnit PIDs)" = none ]
    [ "$(property StartTransientUnit Wants)" = '["system.slice"]' ]
}

@test "limits and device rules are the unit's properties, and the cgroup's" {
    config 'c["linux"]["resources"].update(memory={"limit": 67108864}, pids={"limit": 50},
        cpu={"shares": 512, "quota": 20000, "period": 50000})'
    create
    local memory=MemoryLimit shares=CPUShares
    [ -d /sys/fs/cgroup/memory ] || { memory=MemoryMax; shares=CPUWeight; }
    [ "$(property StartTransientUnit $memory)" = 67108864 ]
    [ "$(property StartTransientUnit $shares)" != none ]
    [ "$(property StartTransientUnit TasksMax)" = 50 ]
    [ "$(property StartTransientUnit CPUQuotaPerSecUSec)" = 400000 ]
    [ "$(property StartTransientUnit CPUQuotaPeriodUSec)" = 50000 ]
    [ "$(property StartTransientUnit DevicePolicy)" = '"strict"' ]
    property StartTransientUnit DeviceAllow | grep -q '\["/dev/char/1:3", "rwm"\]'
    property StartTransientUnit DeviceAllow | grep -q '\["char-pts", "rwm"\]'
    grep -qx 50 "$(find /sys/fs/cgroup -maxdepth 4 -path "*keg-$ID.scope/pids.max")"
}

@test "update tells systemd, and what it doesn't mention stays" {
    config 'c["linux"]["resources"].update(cpu={"quota": 20000, "period": 50000}, pids={"limit": 50})'
    create
    rt update --cpu-quota 10000 "$ID"
    [ "$(property SetUnitProperties CPUQuotaPerSecUSec)" = 200000 ]
    [ "$(property SetUnitProperties TasksMax)" = none ]
    rt update --pids-limit -1 "$ID"
    [ "$(property SetUnitProperties TasksMax)" = 18446744073709551615 ]
    grep -qx max "$(find /sys/fs/cgroup -maxdepth 4 -path "*keg-$ID.scope/pids.max")"
}

@test "annotations become properties" {
    config "c['annotations'] = {'org.systemd.property.TimeoutStopUSec': 'uint64 5000000',
        'org.systemd.property.CollectMode': \"'inactive-or-failed'\", 'org.systemd.property.RuntimeMaxSec': '60',
        'org.systemd.property.After': \"['a.service', 'b.service']\", 'org.systemd.property.SendSIGHUP': 'true'}"
    create
    [ "$(property StartTransientUnit TimeoutStopUSec)" = 5000000 ]
    [ "$(property StartTransientUnit CollectMode)" = '"inactive-or-failed"' ]
    [ "$(property StartTransientUnit RuntimeMaxUSec)" = 60000000 ]
    [ "$(property StartTransientUnit After)" = '["a.service", "b.service"]' ]
    [ "$(property StartTransientUnit SendSIGHUP)" = true ]
    rt delete --force "$ID"
    config "c['annotations'] = {'org.systemd.property.CollectMode': 'no quotes'}"
    run create
    [ "$status" -ne 0 ]
    grep -q 'annotation org.systemd.property.CollectMode: .*no quotes.* is no text in quotes' "$BUNDLE/out"
}

@test "what systemd refuses is the error, and leaves nothing" {
    config "c['linux']['cgroupsPath'] = ':refused:$ID'"
    run create
    [ "$status" -ne 0 ]
    grep -q "systemd unit refused-$ID.scope: StartTransientUnit: no (org.freedesktop.DBus.Error.AccessDenied)" "$BUNDLE/out"
    config "c['linux']['cgroupsPath'] = ':failing:$ID'"
    run create
    [ "$status" -ne 0 ]
    grep -q "systemd unit failing-$ID.scope: StartTransientUnit ended as .*failed" "$BUNDLE/out"
    [ ! -e "$ROOT/$ID" ]
}

@test "a unit that exists is somebody else's, and stays" {
    config "c['linux']['cgroupsPath'] = ':app:$ID'"
    create
    cp -r "$BUNDLE" "$BUNDLE.other"
    run rt create --bundle "$BUNDLE.other" "$ID.other"
    rm -rf "$BUNDLE.other"
    [ "$status" -ne 0 ]
    [[ "$output" == *"Unit app-$ID.scope was already loaded"* ]]
    # nor does one come to harm when the other fails before it gets so far
    config 'c["linux"]["namespaces"].append({"type": "time", "path": "/nowhere"})'
    run rt create --bundle "$BUNDLE" "$ID.other"
    [ "$status" -ne 0 ]
    [ -z "$(called StopUnit || :)" ]
    [ "$(rt state "$ID" | sed -n 's/.*"status": "\(.*\)".*/\1/p')" = created ]
}

@test "bad paths, and no systemd" {
    config 'c["linux"]["cgroupsPath"] = "/just/a/path"'
    run create
    [ "$status" -ne 0 ]
    grep -q 'expected cgroupsPath to be of format' "$BUNDLE/out"
    config 'c["linux"]["cgroupsPath"] = "a--b.slice:x:y"'
    run create
    [ "$status" -ne 0 ]
    grep -q 'is no name of a slice' "$BUNDLE/out"
    config 'c["linux"]["cgroupsPath"] = "::y"'
    DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nowhere run create
    [ "$status" -ne 0 ]
    grep -q 'systemd not running on this host, cannot use systemd cgroups manager' "$BUNDLE/out"
}
