# keg-runtime with a bundle for each test; all tests of a file share one root filesystem.
#
#   setup_file() { load lib; load bundle; require root python3; bundles_begin NAME; }    makes $DIR, with rootfs in it
#   teardown_file() { load bundle; bundles_end; }
#   setup() { load lib; load bundle; bundle_begin; }                                     $ID, $BUNDLE, $ROOT
#   teardown() { bundle_end; }
#
# A file may set CALLS (what starts the runtime), GLOBAL (options before the command) and CONFIG_MORE (Python for config).

bundles_begin() {
    BUNDLES=$1
    DIR=$(mktemp -d "/var/tmp/keg-$BUNDLES.XXXXXX")
    export DIR BUNDLES
    busybox_rootfs "$DIR/rootfs"
    printf 'root:x:0:0::/root:/bin/sh\nweb:x:33:33::/var/www:/bin/sh\n' >"$DIR/rootfs/etc/passwd"
    mkfifo "$DIR/config.ask" "$DIR/config.answer"
    python3 "$BATS_TEST_DIRNAME/bundle_config.py" "$DIR" 3>&- </dev/null >/dev/null 2>&1 &
    export CONFIG_PID=$!
    disown
    "$KEG_BUILD/keg-runtime" spec --bundle "$DIR"
    BUNDLE=$DIR config 'p["terminal"] = False; c["root"]["readonly"] = False'
}

bundles_end() {
    kill "$CONFIG_PID"
    rm -rf --one-file-system "$DIR"
}

bundle_begin() {
    ID=keg-$BUNDLES-$$-$BATS_TEST_NUMBER
    BUNDLE=$DIR/$ID
    ROOT=$DIR/state
    mkdir -p "$BUNDLE"
    ln -s ../rootfs "$BUNDLE/rootfs"
    cp "$DIR/config.json" "$BUNDLE/config.json"
}

# Removes it, and nothing may be left.
bundle_end() {
    rt delete --force "$ID"
    rm -rf --one-file-system "$BUNDLE"
    no_leftovers
}

# No cgroup, state or mount of the container's.
no_leftovers() {
    local left
    left=$(find /sys/fs/cgroup -maxdepth 3 -name "*$ID*" 2>/dev/null; ls "$ROOT" 2>/dev/null; grep -F "$BUNDLE/" /proc/self/mountinfo || :)
    [ -z "$left" ] || { echo "left behind: $left" >&2; return 1; }
}

# shellcheck disable=SC2086 # words
rt() { ${CALLS:-} "$KEG_BUILD/keg-runtime" ${GLOBAL:-} --root "$ROOT" "$@" </dev/null; }

# Changes config.json by lines of Python over c, and what of it is wanted most: p, linux, mounts, resources (bundle_config.py).
config() {
    kill -0 "$CONFIG_PID" && printf '%s\0%s\0%s' "$BUNDLE" "$1" "${CONFIG_MORE:-}" >"$DIR/config.ask" || return 1
    local wrong
    wrong=$(<"$DIR/config.answer")
    [ -z "$wrong" ] || { echo "$wrong" >&2; return 1; }
}

sh_args() { config "p['args'] = ['/bin/sh', '-c', '''$1''']"; }
in_container() { sh_args "$1" && run rt run --bundle "$BUNDLE" "$ID"; }
status() { rt state "${1:-$ID}" | sed -n 's/.*"status": "\(.*\)".*/\1/p'; }
pid() { rt state "${1:-$ID}" | sed -n 's/.*"pid": \([0-9]*\).*/\1/p'; }
must_fail() { # status text
    [ "$status" = "$1" ] || { echo "status $status, not $1: $output" >&2; return 1; }
    [[ ${output//\\\"/\"} == *"$2"* ]] || { echo "no \"$2\" in: $output" >&2; return 1; }
}
