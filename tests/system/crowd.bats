#!/usr/bin/env bats
# Many clients at once, and such as leave in the middle: every one is served, and afterwards kegd and the container's monitor have
# no descriptor, no thread and next to no memory more than before. KEG_FULL=1: 10,000 calls, 1,000 followers, 100 starts.

setup_file() {
    load lib
    require root curl python3
    kegd_start
    image_busybox
    keg run -d -i --name crowd busybox cat
    timeout 0.3 keg logs -f crowd || : # from the first follower on there is a thread for them
}

teardown_file() {
    load lib
    keg rm -f crowd
    kegd_stop
}

setup() { load lib; }

many() { echo $((${KEG_FULL:+1} + 0 ? $2 : $1)); } # USUALLY FULL

# Descriptors and threads of kegd and the monitor.
held() {
    local pid
    for pid in "$KEGD_PID" "$(monitor_pid crowd)"; do
        echo "$(ls "/proc/$pid/fd" | wc -l) $(ls "/proc/$pid/task" | wc -l)"
    done | xargs
}

pss() { awk '/^Pss:/ { print $2 }' "/proc/$1/smaps_rollup"; }

monitor_pid() { # CONTAINER
    local cwd
    for cwd in /proc/[0-9]*/cwd; do
        if [ "$(readlink "$cwd")" = "$KEG_ROOT/run/containers/$(keg inspect -f '{{.Id}}' "$1")" ]; then
            cwd=${cwd#/proc/}
            echo "${cwd%/cwd}"
        fi
    done
}

held_no_more() {
    local was now i
    read -ra was <<<"$before"
    read -ra now <<<"$(held)"
    for i in 0 1 2 3; do [ "${now[i]}" -le "${was[i]}" ] || return 1; done
}

@test "crowd: $(many 400 10000) execs and attaches whose clients leave in the middle cost nothing that stays" {
    python3 "$BATS_TEST_DIRNAME/crowd.py" calls crowd "$(many 200 3000)" # fills what is kept: the last execs and events
    local monitor kegd_before monitor_before
    monitor=$(monitor_pid crowd)
    before=$(held) kegd_before=$(pss "$KEGD_PID") monitor_before=$(pss "$monitor")
    python3 "$BATS_TEST_DIRNAME/crowd.py" calls crowd "$(many 400 10000)"
    eventually held_no_more || { echo "before: $before, now: $(held)"; false; }
    echo "# kegd: $kegd_before kB, then $(pss "$KEGD_PID"); monitor: $monitor_before kB, then $(pss "$monitor")" >&3
    [ "$(pss "$KEGD_PID")" -lt $((kegd_before + 4000)) ]
    [ "$(pss "$KEGD_PID")" -lt 20000 ]
    [ "$(pss "$monitor")" -lt $((monitor_before + 150)) ]
}

@test "crowd: $(many 200 1000) followers of events and logs get what comes, and leave nothing" {
    before=$(held)
    run python3 "$BATS_TEST_DIRNAME/crowd.py" followers crowd "$(many 200 1000)"
    echo "kegd with them, in kB: $output"
    [ "$status" = 0 ]
    echo "# kegd with them: $output kB" >&3
    [ "$output" -lt 40000 ]
    eventually held_no_more || { echo "before: $before, now: $(held)"; false; }
}

@test "crowd: $(many 40 100) containers are started at once" {
    local n i
    n=$(many 40 100)
    for ((i = 0; i < n; i++)); do keg create --name "crowd-$i" busybox sleep 1000 >/dev/null; done
    for ((i = 0; i < n; i++)); do echo "crowd-$i"; done | xargs -P "$n" -n 1 keg start >/dev/null
    [ "$(keg ps -q --filter name=crowd- --filter status=running | wc -l)" = "$n" ]
    [ "$(pss "$KEGD_PID")" -lt 20000 ]
    keg ps -q --filter name=crowd- | xargs keg rm -f >/dev/null
    [ -z "$(keg ps -aq --filter name=crowd-)" ]
}
