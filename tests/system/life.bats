#!/usr/bin/env bats
# What monitors do for their containers with nobody around: restarts, health checks, timed stops; and events that no kegd misses.
# vm: long

setup_file() {
    load lib
    require root python3
    kegd_start
    image_busybox
}

teardown_file() {
    setup # the kegd that runs now
    kegd_stop
}

setup() {
    load lib
    KEGD_PID=$(cat "$KEG_ROOT/kegd.pid")
}

teardown() {
    load lib
    KEGD_PID=$(cat "$KEG_ROOT/kegd.pid" 2>/dev/null) || :
    kill -0 "$KEGD_PID" 2>/dev/null || kegd_start
    ids=$(keg ps -aq)
    # shellcheck disable=SC2086
    [ -z "$ids" ] || keg rm -f $ids >/dev/null
}

run_dir() { echo "$KEG_ROOT/run/containers/$(keg inspect -f '{{.Id}}' "$1")"; }
field() { python3 -c 'import json,sys; v=json.load(open(sys.argv[1]))
for k in sys.argv[2].split("."): v=v[k]
print(v)' "$@"; }
is() { [ "$(keg inspect -f "$2" "$1")" = "$3" ]; }
at_least() { [ "$(field "$1" "$2")" -ge "$3" ]; }
# The container's events since the beginning, without times: "start die start …"
actions() {
    keg events --since 1h --until "$(date +%s.%N)" --filter type=container --filter "container=$(keg inspect -f '{{.Id}}' "$1")" --format '{{.Action}}' | tr '\n' ' '
}
says() { actions "$1" | grep -qE "$2"; }

@test "restart: a policy holds without kegd, and the next kegd tells all of it once" {
    keg run -d --name aa --restart always -p 127.0.0.1::80 busybox sh -c 'sleep 0.05; exit 3'
    dir=$(run_dir aa)
    address=$(keg inspect -f '{{.NetworkSettings.IPAddress}}' aa) port=$(keg port aa 80)
    kegd_kill
    eventually at_least "$dir/state.json" restart_count 3
    kegd_start
    count=$(keg inspect -f '{{.RestartCount}}' aa)
    [ "$count" -ge 3 ]
    [ "$(keg inspect -f '{{.NetworkSettings.IPAddress}}' aa)" = "$address" ]
    [ "$(keg port aa 80)" = "$port" ]
    keg stop aa
    is aa '{{.State.Status}}' exited
    keg events --since 1h --until "$(date +%s.%N)" --filter "container=$(keg inspect -f '{{.Id}}' aa)" --format '{{json .}}' >"$BATS_TEST_TMPDIR/events"
    run python3 - "$BATS_TEST_TMPDIR/events" "$count" <<'EOF'
import json, sys
events = [json.loads(line) for line in open(sys.argv[1])]
lives = [e for e in events if e["Action"] in ("start", "die")]
assert [e["Action"] for e in lives] == ["start", "die"] * (len(lives) // 2), [e["Action"] for e in lives]
assert len(lives) // 2 >= int(sys.argv[2]), (len(lives), sys.argv[2])
times = [e["timeNano"] for e in lives]
assert times == sorted(times) and len(set(times)) == len(times), times
pauses = [(b - a) / 1e9 for a, b in zip(times[1::2], times[2::2])]
assert all(p >= 0.1 * 2 ** i for i, p in enumerate(pauses)), pauses    # the back-off
assert all(e["Actor"]["Attributes"]["exitCode"] == "3" for e in lives[1::2])
print("fine")
EOF
    [ "$output" = fine ]
    restarted=$(keg inspect -f '{{.RestartCount}}' aa)
    kegd_kill TERM
    kegd_start
    # "always" is taken seriously: a new kegd starts what was stopped by hand; but counts from the beginning
    is aa '{{.State.Status}}' exited || [ "$restarted" -gt 0 ]
}

@test "restart: on-failure counts, and a good end is the end" {
    keg run -d --name aa --network none --restart on-failure:2 busybox sh -c 'exit 4'
    eventually is aa '{{.State.Status}} {{.RestartCount}} {{.State.ExitCode}}' 'exited 2 4'
    keg run -d --name bb --network none --restart on-failure busybox sh -c 'test -e /once || { touch /once; exit 1; }'
    eventually is bb '{{.State.Status}} {{.RestartCount}} {{.State.ExitCode}}' 'exited 1 0'
    [ "$(actions bb)" = "create start die start die " ]
}

@test "restart: who waits for an end hears of the first one, who follows a log of all" {
    keg run -d --name again --network none --restart always busybox sh -c 'echo one; sleep 0.3; exit 4'
    [ "$(timeout 20 keg wait again)" = 4 ]
    timeout 20 keg logs -f again >"$BATS_TEST_TMPDIR/followed" 3>&- &
    eventually eval '[ "$(wc -l <"$BATS_TEST_TMPDIR/followed")" -ge 3 ]'
    keg rm -f again
    wait
}

@test "restart: stopped between two starts, and told otherwise by update" {
    keg run -d --name aa --network none --restart always busybox false
    eventually is aa '{{.State.Restarting}} {{.State.Running}} {{.State.Pid}}' 'true true 0'
    keg ps --format '{{.Status}}' --filter name=aa | grep '^Restarting (1)'
    run keg start aa
    [ "$status" = 0 ]
    run keg exec aa true
    [[ $output == *"is restarting, wait until the container is running"* ]]
    keg stop aa
    is aa '{{.State.Status}} {{.State.Running}} {{.State.ExitCode}}' 'exited false 1'
    dies=$(actions aa | grep -o die | wc -l)
    [ "$dies" = "$(actions aa | grep -o start | wc -l)" ]
    keg run -d --name bb --network none --restart always busybox false
    keg update --restart no bb
    eventually is bb '{{.State.Status}}' exited
    keg run -d --name cc --network none -m 32m busybox sh -c 'while [ ! -e /end ]; do sleep 0.02; done; exit 1'
    keg update --restart on-failure:1 -m 48m --memory-swap 48m cc
    keg exec cc touch /end
    eventually is cc '{{.RestartCount}}' 1
    eventually is cc '{{.State.Status}}' exited
    # a start that fails ends it, with the reason
    keg run -d --name dd --network none --restart always -v "$BATS_TEST_TMPDIR/dir:/dir" busybox sh -c 'sleep 0.1; exit 1'
    rmdir "$BATS_TEST_TMPDIR/dir"
    eventually is dd '{{.State.Status}} {{.State.ExitCode}}' 'exited 128'
    keg inspect -f '{{.State.Error}}' dd | grep -F "$BATS_TEST_TMPDIR/dir"
}

@test "restart: what shares another's namespaces finds them again" {
    keg run -d --name aa --restart always busybox sh -c 'while [ ! -e /end ]; do sleep 0.02; done; rm /end; exit 1'
    keg run -d --name bb --network container:aa --restart always busybox sh -c 'ip -o -4 addr show eth0; sleep 0.3; exit 1'
    keg exec aa touch /end
    eventually is aa '{{.RestartCount}}' 1
    eventually grep -q '"restart_count": *[1-9]' "$(run_dir bb)/state.json"
    lines=$(keg logs bb | grep -c eth0)
    eventually bash -c "[ \$('$KEG_BUILD/keg' logs bb | grep -c eth0) -gt $lines ]"
}

@test "restart: parts of volumes and images are mounted again, without kegd" {
    before=$(leftovers)
    keg volume create evol >/dev/null
    keg run --rm --network none -v evol:/v busybox sh -c 'mkdir /v/part && echo inside >/v/part/file'
    keg run -d --name aa --network none --restart on-failure:2 --mount type=volume,source=evol,target=/p,volume-subpath=part \
        --mount type=image,source=busybox,target=/i busybox sh -c 'cat /p/file; ls /i/bin/busybox; sleep 0.3; exit 1'
    dir=$(run_dir aa)
    kegd_kill
    eventually grep -q '"restart_count": *2' "$dir/exit.json"
    kegd_start
    is aa '{{.State.Status}} {{.RestartCount}}' 'exited 2'
    [ "$(keg logs aa | grep -c inside)" = 3 ]
    [ "$(keg logs aa | grep -c /i/bin/busybox)" = 3 ]
    # with kegd, and by hand
    keg update --restart on-failure:1 aa >/dev/null
    keg restart aa
    eventually is aa '{{.State.Status}} {{.RestartCount}}' 'exited 1'
    [ "$(keg logs aa | grep -c inside)" = 5 ]
    keg rm aa >/dev/null
    keg volume rm evol >/dev/null
    [ "$(leftovers | grep -E '^(mounts|run|containers|monitors)')" = "$(grep -E '^(mounts|run|containers|monitors)' <<<"$before")" ]
}

@test "restart: by hand, and kegd dies in the middle: the monitor completes it" {
    for more in '' --rm; do
        # shellcheck disable=SC2086
        keg run -d --name aa $more --network none busybox sh -c 'trap "sleep 0.5; exit 7" TERM; echo ready; while :; do sleep 0.05; done' >/dev/null
        dir=$(run_dir aa)
        first=$(field "$dir/state.json" started_at)
        eventually bash -c "'$KEG_BUILD/keg' logs aa | grep ready"
        keg restart aa >/dev/null 2>&1 &
        client=$!
        eventually grep -q '"event": *"kill"' "$dir/events"
        kegd_kill
        refute wait "$client"
        eventually at_least "$dir/state.json" started_at $((first + 1))
        is_running() { [ "$(field "$dir/state.json" status)" = running ]; }
        eventually is_running
        kegd_start
        is aa '{{.State.Status}} {{.RestartCount}}' 'running 0'
        [ "$(actions aa)" = "create start kill die stop start restart " ]
        keg restart -t 0 aa >/dev/null
        is aa '{{.State.Status}} {{.RestartCount}}' 'running 0'
        says aa 'restart kill kill die stop start restart $'
        keg rm -f aa >/dev/null
    done
    # wherever it is interrupted
    rounds=${KEG_FULL:+40}
    rounds=${rounds:-3}
    keg run -d --name bb --network none busybox sleep 1000 >/dev/null
    for ((i = 0; i < rounds; i++)); do
        keg restart -t 0 bb >/dev/null 2>&1 &
        sleep "0.0$((RANDOM % 6))$((RANDOM % 10))"
        kegd_kill
        wait $! || :
        kegd_start
        eventually is bb '{{.State.Status}}' running || { keg inspect -f '{{json .State}}' bb; tail -n 20 "$KEG_ROOT/kegd.log"; false; }
        [ "$(keg top bb | grep -c 'sleep 1000')" = 1 ]
    done
}

# Everything that runs is gone at once, and what is on tmpfs.
machine_goes_down() {
    local pids dir cwd pid
    pids=$(keg ps -q | xargs -r "$KEG_BUILD/keg" inspect -f '{{.State.Pid}}')
    kegd_kill
    for dir in "$KEG_ROOT"/run/containers/*/; do
        for cwd in /proc/[0-9]*/cwd; do
            [ "$(readlink "$cwd")/" = "$dir" ] || continue
            pid=${cwd#/proc/}
            kill -9 "${pid%/cwd}"
        done
        rm -rf "$dir"
    done
    for pid in $pids; do
        kill -9 "$pid" 2>/dev/null || :
        eventually refute test -e "/proc/$pid/exe"
    done
}

@test "a host that comes up again: what others need comes first, and healthy if they say so" {
    service() { # NAME DEPENDS OPTIONS…
        local name=$1 depends=$2
        shift 2
        keg run -d --name "$name" --network none --restart always --label com.docker.compose.project=pp \
            --label "com.docker.compose.service=$name" --label "com.docker.compose.depends_on=$depends" "$@" busybox sleep 100 >/dev/null
    }
    service mid app:service_started:false
    service app cache:service_started:true,db:service_healthy:false
    service cache ''
    service db '' --health-cmd 'test -e /dev/shm/ok || { touch /dev/shm/ok; false; }' --health-interval 300ms
    keg run -d --name ring --network none --restart always --label com.docker.compose.project=pp --label com.docker.compose.service=ring \
        --label com.docker.compose.depends_on=ring2:service_started:false busybox sleep 100 >/dev/null
    service ring2 ring:service_started:false
    machine_goes_down
    now=$(date +%s.%N)
    kegd_start
    is cache '{{.State.Status}}' running
    is ring '{{.State.Status}}' running
    is ring2 '{{.State.Status}}' running
    is app '{{.State.Status}}' restarting # as long as it waits
    eventually is mid '{{.State.Status}}' running
    keg events --since "$now" --until "$(date +%s.%N)" --filter event=start --filter event=health_status --format '{{.Actor.Attributes.name}} {{.Action}}' >"$BATS_TEST_TMPDIR/order"
    cat "$BATS_TEST_TMPDIR/order"
    [ "$(grep -E '^(db|app|mid) ' "$BATS_TEST_TMPDIR/order" | tr '\n' ,)" = "db start,db health_status: healthy,app start,mid start," ]
    # a kegd that ends meanwhile doesn't wait
    machine_goes_down
    kegd_start
    kegd_kill TERM
    kegd_start
    eventually is mid '{{.State.Status}}' running
}

@test "a host that comes up again: unless-stopped and always" {
    keg run -d --name aa --network none --restart unless-stopped busybox sleep 100
    keg run -d --name bb --network none --restart unless-stopped busybox sleep 100
    keg run -d --name cc --network none --restart always busybox sleep 100
    keg run -d --name dd --network none busybox sleep 100
    keg stop bb cc
    machine_goes_down
    kegd_start
    is aa '{{.State.Status}}' running
    is bb '{{.State.Status}}' exited
    is cc '{{.State.Status}}' running
    is dd '{{.State.Status}} {{.State.ExitCode}}' 'exited 255'
}

@test "stop: kegd dies in the middle, and it is carried out" {
    keg run -d --name aa --network none --restart always busybox sh -c 'trap : TERM; while :; do sleep 0.02; done'
    eventually keg exec aa true
    dir=$(run_dir aa)
    keg stop -t 1 aa >/dev/null 2>&1 3>&- &
    eventually grep -q kill "$dir/events"
    kegd_kill
    eventually test -e "$dir/exit.json"
    kegd_start
    is aa '{{.State.Status}} {{.State.ExitCode}} {{.RestartCount}}' 'running 0 0' || is aa '{{.State.Status}} {{.State.ExitCode}}' 'exited 137'
    [[ $(actions aa) == *"kill kill die"* ]]
    [ "$(keg events --since 1h --until "$(date +%s.%N)" --filter "container=$(keg inspect -f '{{.Id}}' aa)" --filter event=kill --format '{{.Actor.Attributes.signal}}' | tr '\n' ' ')" = "15 9 " ]
}

@test "kill: without a stop signal of its own any signal ends a restart policy" {
    keg run -d --name aa --network none --restart always busybox sh -c 'trap "exit 9" HUP; while :; do sleep 0.02; done'
    keg run -d --name bb --network none --restart always --stop-signal TERM busybox sh -c 'trap "exit 9" HUP; while :; do sleep 0.02; done'
    eventually keg exec aa true
    eventually keg exec bb true
    keg kill -s HUP aa bb
    eventually is aa '{{.State.Status}} {{.State.ExitCode}}' 'exited 9'
    eventually is bb '{{.State.Status}} {{.RestartCount}}' 'running 1'
}

@test "stop: nobody waits for a PID 1 that wouldn't notice" {
    keg run -d --name aa --network none busybox sleep 100
    keg run -d --name bb --network none --stop-signal USR1 busybox sh -c 'trap "exit 7" USR1; while :; do sleep 0.02; done'
    eventually keg exec bb true
    run timeout 5 keg stop -t 60 aa bb
    [ "$status" = 0 ]
    is aa '{{.State.ExitCode}}' 137
    is bb '{{.State.ExitCode}}' 7
    # a stopped process in a paused container hears it, too
    keg run -d --name cc --network none busybox sh -c 'trap "exit 5" TERM; while :; do sleep 0.02; done'
    eventually keg exec cc true
    keg pause cc
    run timeout 5 keg stop -t 60 cc
    [ "$status" = 0 ]
    is cc '{{.State.ExitCode}}' 5
}

@test "health: starting, healthy, unhealthy; results, status, filter, events" {
    keg run -d --name aa --network none -w /tmp -e WHAT=ok --health-cmd 'echo $WHAT in $PWD; test ! -e /bad' \
        --health-interval 150ms --health-retries 2 busybox sleep 100
    is aa '{{.State.Health.Status}} {{.State.Health.FailingStreak}} {{json .State.Health.Log}}' 'starting 0 []'
    keg ps --format '{{.Status}}' | grep -F '(health: starting)'
    eventually is aa '{{.State.Health.Status}}' healthy
    [ "$(keg ps -q --no-trunc --filter health=healthy)" = "$(keg inspect -f '{{.Id}}' aa)" ]
    [ -z "$(keg ps -q --filter health=unhealthy --filter health=starting --filter health=none)" ]
    [ "$(keg inspect -f '{{(index .State.Health.Log 0).Output}}' aa)" = "ok in /tmp" ]
    keg exec aa touch /bad
    eventually is aa '{{.State.Health.Status}}' unhealthy
    keg ps --format '{{.Status}}' | grep -F '(unhealthy)'
    [ "$(keg inspect -f '{{.State.Health.FailingStreak}}' aa)" -ge 2 ]
    keg exec aa rm /bad
    eventually is aa '{{.State.Health.Status}} {{.State.Health.FailingStreak}}' 'healthy 0'
    sleep 0.5
    [ "$(keg inspect -f '{{len .State.Health.Log}}' aa)" = 5 ]
    says aa 'exec_create: /bin/sh -c echo \$WHAT.* exec_start: /bin/sh -c echo.* exec_die health_status: healthy .*health_status: unhealthy .*health_status: healthy'
    keg stop aa
    # nobody looks any more; the results stay, also beside those of the next life
    is aa '{{.State.Health.Status}} {{len .State.Health.Log}}' 'unhealthy 5'
    keg start aa
    is aa '{{.State.Health.Status}} {{.State.Health.FailingStreak}} {{len .State.Health.Log}}' 'starting 0 5'
    last=$(keg inspect -f '{{(index .State.Health.Log 4).Start}}' aa)
    eventually is aa '{{(index .State.Health.Log 3).Start}}' "$last"
}

@test "health: what the image says, and what the user says instead" {
    tar -C "$KEG_ROOT/busybox" -c . | keg import -c 'HEALTHCHECK --interval=150ms --retries=1 CMD ["test", "-e", "/ok"]' - checked >/dev/null
    keg run -d --name aa --network none checked sleep 100
    keg run -d --name bb --network none --no-healthcheck checked sleep 100
    keg run -d --name cc --network none --health-cmd true checked sleep 100
    eventually is aa '{{.State.Health.Status}}' unhealthy
    eventually is cc '{{.State.Health.Status}}' healthy
    is cc '{{json .Config.Healthcheck}}' '{"Test":["CMD-SHELL","true"],"Interval":150000000,"Retries":1}'
    [ "$(api GET /containers/bb/json | python3 -c 'import json,sys; print("Health" in json.load(sys.stdin)["State"])')" = False ]
    run keg ps --filter health=fine
    [[ $output == *"invalid value for health (fine): must be one of none, starting, healthy, unhealthy"* ]]
    run keg run --health-interval 1us --health-cmd true busybox true
    [ "$status" = 125 ]
    [[ $output == *"Interval in Healthcheck cannot be less than 1ms"* ]]
}

@test "health: a start period forgives; a start interval hurries" {
    keg run -d --name aa --network none --health-cmd 'test -e /ok' --health-retries 1 --health-interval 1h \
        --health-start-period 1h --health-start-interval 100ms busybox sleep 100
    eventually bash -c "[ \$('$KEG_BUILD/keg' inspect -f '{{len .State.Health.Log}}' aa) -ge 3 ]"
    is aa '{{.State.Health.Status}} {{.State.Health.FailingStreak}}' 'starting 0'
    keg exec aa touch /ok
    eventually is aa '{{.State.Health.Status}}' healthy
}

@test "health: a probe's time and output are limited; all that it started is ended" {
    keg run -d --name aa --network none --health-interval 100ms --health-timeout 300ms --health-retries 1 \
        --health-cmd 'setsid sh -c "sleep 1234 & sleep 1235" & yes' busybox sleep 100
    eventually is aa '{{.State.Health.Status}}' unhealthy
    [ "$(keg inspect -f '{{(index .State.Health.Log 0).ExitCode}}' aa)" = -1 ]
    keg inspect -f '{{(index .State.Health.Log 0).Output}}' aa | grep -F 'Health check exceeded timeout (300ms): y'
    length=$(keg inspect -f '{{len (index .State.Health.Log 0).Output}}' aa)
    [ "$length" -gt 4096 ]
    [ "$length" -lt 4200 ]
    keg update --cpus 1 aa
    keg exec aa sh -c 'ps | grep -c "[s]leep 123[45]"' >"$BATS_TEST_TMPDIR/left" || :
    [ "$(cat "$BATS_TEST_TMPDIR/left")" -le 3 ] # of the one that runs now, at most
    keg pause aa
    before=$(keg inspect -f '{{json .State.Health.Log}}' aa)
    sleep 0.6
    [ "$(keg inspect -f '{{json .State.Health.Log}}' aa)" = "$before" ]
    keg unpause aa
    eventually refute is aa '{{json .State.Health.Log}}' "$before"
}

@test "health: it is looked after without kegd, and the next one knows" {
    keg run -d --name aa --network none --health-cmd 'test ! -e /bad' --health-interval 100ms --health-retries 1 busybox sh -c 'sleep 0.6; touch /bad; sleep 100'
    eventually is aa '{{.State.Health.Status}}' healthy
    dir=$(run_dir aa)
    kegd_kill
    eventually grep -q unhealthy "$dir/state.json"
    [ "$(grep -c probe-start "$dir/probes")" -ge 2 ]
    kegd_start
    is aa '{{.State.Health.Status}}' unhealthy
    # each check, whoever was there, is told once: created, started, ended
    keg events --since 1h --until "$(date +%s.%N)" --filter "container=$(keg inspect -f '{{.Id}}' aa)" --format '{{json .}}' >"$BATS_TEST_TMPDIR/events"
    run python3 - "$BATS_TEST_TMPDIR/events" <<'EOF'
import collections, json, sys
events = [json.loads(line) for line in open(sys.argv[1])]
runs = collections.defaultdict(list)
events = [e for e in events if e["Type"] == "container"]
for e in events:
    if "execID" in e["Actor"]["Attributes"]:
        runs[e["Actor"]["Attributes"]["execID"]].append(e["Action"].split(":")[0])
runs = list(runs.values())
assert [e["timeNano"] for e in events] == sorted(e["timeNano"] for e in events), [(e["timeNano"], e["Action"]) for e in events]
assert len(runs) >= 4 and all(r == ["exec_create", "exec_start", "exec_die"] for r in runs[:-1]), runs
print("fine")
EOF
    echo "$output"
    [ "$output" = fine ]
    [ "$(actions aa | grep -o 'health_status: [a-z]*' | tr '\n' ' ')" = "health_status: healthy health_status: unhealthy " ]
}

@test "health: an action of choice" {
    keg run -d --name aa --network none -l keg.health.on-failure=restart --health-cmd 'test -e /ok || { touch /ok; false; }' \
        --health-interval 100ms --health-retries 1 busybox sleep 100
    keg run -d --name bb --network none --restart always -l keg.health.on-failure=stop --health-cmd false --health-interval 100ms \
        --health-retries 1 busybox sleep 100
    keg run -d --name cc --network none --restart on-failure:1 -l keg.health.on-failure=kill --health-cmd false \
        --health-interval 100ms --health-retries 1 busybox sleep 100
    eventually is aa '{{.RestartCount}} {{.State.Health.Status}}' '1 healthy'
    eventually is bb '{{.State.Status}} {{.RestartCount}}' 'exited 0'
    eventually is cc '{{.State.Status}} {{.RestartCount}} {{.State.ExitCode}}' 'exited 1 137'
    run keg run -l keg.health.on-failure=panic busybox true
    [ "$status" = 125 ]
}

@test "events: kegd killed again and again, none lost, none twice" {
    rounds=${KEG_FULL:+60}
    for i in 1 2 3; do
        keg run -d --name "cc$i" --network none --restart always --health-cmd true --health-interval 150ms busybox sh -c "sleep 0.$((i * 13)); exit $i" >/dev/null
    done
    for ((i = 0; i < ${rounds:-6}; i++)); do
        sleep "0.$((RANDOM % 4))$((RANDOM % 10))"
        kegd_kill
        [ $((i % 3)) = 0 ] || sleep "0.$((RANDOM % 10))"
        kegd_start
    done
    counts=$(keg inspect -f '{{.RestartCount}}' cc1 cc2 cc3)
    ids=$(keg inspect -f '{{.Id}}' cc1 cc2 cc3)
    keg stop cc1 cc2 cc3 >/dev/null
    keg events --since 1h --until "$(date +%s.%N)" --filter type=container --format '{{json .}}' >"$BATS_TEST_TMPDIR/events"
    # shellcheck disable=SC2086
    run python3 - "$BATS_TEST_TMPDIR/events" $ids $counts <<'EOF'
import json, sys
rows = [json.loads(line) for line in open(sys.argv[1])]
ids, counts = sys.argv[2:5], [int(n) for n in sys.argv[5:8]]
for id, count in zip(ids, counts):
    lives = [e for e in rows if e["Actor"]["ID"] == id and e["Action"] in ("start", "die")]
    assert count > 1, count
    told = [e["Action"] for e in lives]
    whole = len(rows) < 1000 # else the ring has forgotten the first
    assert told == (["start", "die"] * len(told))[:len(told)] or not whole, told
    assert all(a != b for a, b in zip(told, told[1:])), told
    assert not whole or told.count("start") >= count, (told.count("start"), count)
    times = [e["timeNano"] for e in lives]
    assert times == sorted(set(times)), times
print("fine")
EOF
    [ "$output" = fine ]
}

@test "events: those of one life, with Docker's attributes" {
    keg volume create evol >/dev/null
    keg create --name aa --network none -l a=b -v evol:/v busybox sh -c 'trap "exit 3" TERM; while :; do sleep 0.02; done' >/dev/null
    id=$(keg inspect -f '{{.Id}}' aa)
    keg start aa
    eventually keg exec aa true
    keg top aa
    keg restart aa
    eventually keg exec aa true
    keg stop aa
    keg rm aa
    keg volume rm evol
    keg volume prune -af
    keg events --since 1h --until "$(date +%s.%N)" --format '{{json .}}' >"$BATS_TEST_TMPDIR/events"
    run python3 - "$BATS_TEST_TMPDIR/events" "$id" <<'EOF'
import json, sys
rows = [json.loads(line) for line in open(sys.argv[1])]
first = next(i for i, e in enumerate(rows) if e["Actor"]["ID"] == sys.argv[2])
rows = [e for e in rows[first:] if not e["Action"].startswith("exec_") and e["Type"] != "network"]
told = [e["Type"][:3] + " " + e["Action"] for e in rows]
assert told == ["con create", "vol mount", "con start", "con top", "con kill", "vol unmount", "con die", "con stop", "vol mount",
                "con start", "con restart", "con kill", "vol unmount", "con die", "con stop", "con destroy", "vol destroy",
                "vol prune"], told
attributes = [e["Actor"]["Attributes"] for e in rows]
assert attributes[0] == {"a": "b", "image": "busybox", "name": "aa"}, attributes[0]
assert attributes[1] == {"container": sys.argv[2], "destination": "/v", "driver": "local", "propagation": "",
                         "read/write": "true"}, attributes[1]
assert attributes[4]["signal"] == "15" and attributes[6]["exitCode"] == "3", attributes
assert attributes[5] == {"container": sys.argv[2], "driver": "local"}, attributes[5]
assert set(attributes[6]) == {"a", "image", "name", "execDuration", "exitCode"}, attributes[6]
assert attributes[-1] == {"reclaimed": "0"}, attributes[-1]
assert all(e["scope"] == "local" and e["time"] == e["timeNano"] // 10**9 for e in rows)
print("fine")
EOF
    [ "$output" = fine ]
}

@test "events: they outlive kegd, in order, and since and until cut them" {
    keg volume create elder >/dev/null
    keg create --name aa --network none busybox >/dev/null
    sleep 0.01
    now=$(date +%s.%N)
    sleep 0.01
    keg rename aa bb
    before=$(keg events --since 1h --until "$(date +%s.%N)" --format '{{json .}}')
    kegd_kill
    kegd_start
    [ "$(keg events --since 1h --until "$(date +%s.%N)" --format '{{json .}}' | head -n "$(wc -l <<<"$before")")" = "$before" ]
    [ "$(keg events --since "$now" --until "$(date +%s.%N)" --filter type=container --format '{{.Action}}')" = rename ]
    [ "$(keg events --since 1h --until "$now" --filter type=volume --filter volume=elder --format '{{.Action}}')" = create ]
    keg volume rm elder >/dev/null
}

@test "volumes: what a removal that failed has left, and what came since, no later kegd removes" {
    keg volume create vv >/dev/null
    data=$KEG_ROOT/data/volumes/vv/_data
    touch "$data/immutable"
    chattr +i "$data/immutable" || skip "the filesystem knows no immutable files"
    run keg volume rm vv
    chattr -i "$data/immutable"
    [ "$status" = 1 ]
    [[ $output == *"perat"*"not permitted" ]]
    keg run --rm --network none -v vv:/v busybox sh -c 'echo kept >/v/since'
    kegd_kill
    kegd_start
    [ "$(cat "$data/since")" = kept ]
    keg volume rm vv
    [ ! -e "$data" ]
}

@test "events: what a power cut tore or filled with zeros harms no other event" {
    keg volume create whole >/dev/null
    kegd_kill
    { head -c 100 /dev/zero; printf '\n{"Type":"volume","Action":"torn","Actor":{"ID":"a","timeNano":1'; } >>"$KEG_ROOT/data/events"
    kegd_start
    keg volume rm whole >/dev/null
    kegd_kill
    kegd_start
    keg volume create after >/dev/null
    keg volume rm after >/dev/null
    api GET "/events?since=1&until=$(date +%s.%N)" >"$BATS_TEST_TMPDIR/events"
    python3 -c 'import json,sys; print(*[e["Action"] for e in map(json.loads, sys.stdin) if e["Actor"]["ID"] in ("whole", "after")])' \
        <"$BATS_TEST_TMPDIR/events" | tee /dev/stderr | grep -qx 'create destroy create destroy'
    refute grep -q torn "$BATS_TEST_TMPDIR/events"
}

@test "health: probes that leave something behind leave no groups behind" {
    keg run -d --name aa --network none --health-interval 30ms --health-cmd 'sleep 0.2 & cat /proc/uptime >>/n' busybox sleep 100
    eventually bash -c "[ \$('$KEG_BUILD/keg' exec aa cat /n | wc -l) -ge 25 ]"
    groups=$(find /sys/fs/cgroup -type d -path "*$(keg inspect -f '{{.Id}}' aa)*/keg-probe.*" | wc -l)
    echo "$groups groups"
    [ "$groups" -le 15 ]
    [ "$groups" -ge 1 ]
}

@test "restart: another's process is looked at before its namespaces are joined, as its number may be anybody's by now" {
    keg run -d --name aa busybox sleep 100
    keg run -d --name bb --network container:aa --restart always busybox sh -c 'while [ ! -e /end ]; do sleep 0.02; done; rm /end; exit 1'
    dir=$(run_dir aa) other=$(run_dir bb)
    pid=$(keg inspect -f '{{.State.Pid}}' bb)
    kegd_kill
    cp "$dir/state.json" "$BATS_TEST_TMPDIR/state"
    sed -i "s/\"pid\": *[0-9]*/\"pid\":$$/" "$dir/state.json"
    grep -q "\"pid\":$$" "$dir/state.json"
    touch "/proc/$pid/root/end"
    eventually refute test -d "/proc/$pid"
    eventually test -e "$other/exit.json"
    grep -F 'namespace of a non running container' "$other/exit.json"
    cp "$BATS_TEST_TMPDIR/state" "$dir/state.json"
}

@test "restart: networks that come and go between two starts" {
    local n
    for n in n1 n2 n3; do keg network create $n >/dev/null; done
    keg create --name aa --network n1 --restart always busybox sh -c 'ip -o -4 addr | grep -c eth; ip -o -4 addr; echo .; exit 1' >/dev/null
    keg network connect n2 aa
    keg start aa
    eventually is aa '{{.State.Status}} {{.RestartCount}}' 'restarting 3'
    gone=$(keg inspect -f '{{.NetworkSettings.Networks.n2.IPAddress}}' aa)
    [ -n "$gone" ]
    keg network disconnect n2 aa
    keg network connect n3 aa
    is aa '{{.State.Status}} {{.RestartCount}}' 'restarting 3' || skip "it was started meanwhile"
    come=$(keg inspect -f '{{.NetworkSettings.Networks.n3.IPAddress}}' aa)
    [ -n "$come" ]
    eventually is aa '{{.State.Status}} {{.RestartCount}}' 'restarting 4'
    keg logs aa | tac | sed -n '2,/^\.$/p' >"$BATS_TEST_TMPDIR/last"
    cat "$BATS_TEST_TMPDIR/last"
    grep -qF "$come" "$BATS_TEST_TMPDIR/last"
    refute grep -F "$gone" "$BATS_TEST_TMPDIR/last"
    keg rm -f aa
    keg network rm n1 n2 n3
}
