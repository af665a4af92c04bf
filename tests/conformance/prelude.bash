# What scenarios have: t and its friends, and a clean daemon after each. Sourced by compare.

# A docker command in the transcript: the command, its output, its errors after "! ", its exit status unless 0.
t() {
    echo "\$ docker $*"
    timeout -k 2 20 "$DOCKER" "$@" >.out 2>.err
    local status=$?
    cat .out
    sed 's/^/! /' .err
    [ $status = 0 ] || echo "= $status"
    return $status
}

# A docker command that only prepares: seen when it fails.
q() {
    timeout -k 2 20 "$DOCKER" "$@" >.out 2>.err || { echo "\$ docker $*"; cat .out; sed 's/^/! /' .err; echo "= failed"; }
}

# A docker command on a terminal, with a script for it on stdin (terminal.py's language).
onterm() {
    echo "\$ docker $* # on a terminal"
    "$TERMINAL" "$DOCKER" "$@"
    echo "= $?"
}

# Any other command with its output and status.
x() {
    echo "\$ $*"
    timeout -k 2 20 "$@" 2>&1
    local status=$?
    [ $status = 0 ] || echo "= $status"
}

# JSON from stdin as sorted lines "path = value".
flat() { python3 "$HERE/flat.py" "$@"; }

# Straight to the API: api METHOD PATH [BODY]; status and body.
api() {
    echo "\$ $1 $2 ${3:-}"
    curl -s --max-time 20 --unix-socket "${DOCKER_HOST#unix://}" -X "$1" ${3:+-H 'Content-Type: application/json' -d "$3"} \
        -w '\n= %{http_code} %{content_type}\n' "http://docker$2"
}

until_true() {
    local i
    for i in $(seq 100); do "$@" >/dev/null 2>&1 && return; sleep 0.05; done
    echo "<<never: $*>>"
}

# A command that would go on for ever.
for_a_moment() { { timeout -s KILL 1 "$@"; } 2>/dev/null; }

running() { [ "$("$DOCKER" inspect -f '{{.State.Running}}' "$1" 2>/dev/null)" = "${2:-true}" ]; }

# Everything a scenario made goes, what it removed comes back.
reset() {
    local list
    list=$("$DOCKER" ps -aq) && [ -n "$list" ] && "$DOCKER" rm -fv $list
    list=$("$DOCKER" volume ls -q) && [ -n "$list" ] && "$DOCKER" volume rm -f $list
    list=$("$DOCKER" network ls -q --filter type=custom) && [ -n "$list" ] && "$DOCKER" network rm $list
    list=$("$DOCKER" images -a --no-trunc --format '{{.Repository}}:{{.Tag}} {{.ID}}' |
        sed -e '/^busybox:latest /d;/^app:1 /d' -e 's/^<none>:<none> //;s/^\([^ ]*\):<none> /\1@/;s/ .*//')
    [ -z "$list" ] || "$DOCKER" rmi -f $list
    "$DOCKER" image inspect busybox app:1 || "$DOCKER" load -q -i "$IMAGES"
} >/dev/null 2>&1

wipe() {
    reset
    local list
    list=$("$DOCKER" images -aq) && [ -n "$list" ] && "$DOCKER" rmi -f $list
    "$DOCKER" load -q -i "$IMAGES"
}
