#!/usr/bin/env bats
# keg-runtime: compiled seccomp filters are kept in /run/keg-runtime/.seccomp, whatever --root is.

setup_file() {
    load lib
    require root python3
    DIR=$(mktemp -d /var/tmp/keg-cache.XXXXXX)
    export DIR CACHE=/run/keg-runtime/.seccomp
    # these tests' own, in the mount namespace they run in
    mkdir -p /run/keg-runtime
    mount -t tmpfs -o mode=700 none /run/keg-runtime
    busybox_rootfs "$DIR/rootfs"
    "$KEG_BUILD/keg-runtime" spec --bundle "$DIR"
    python3 - "$DIR/config.json" <<'END'
import json, sys
c = json.load(open(sys.argv[1]))
c["process"]["terminal"] = False
c["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
    {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95}]}
json.dump(c, open(sys.argv[1], "w"))
END
}

teardown_file() {
    umount /run/keg-runtime
    rm -rf --one-file-system "$DIR"
}

setup() { load lib; }

# Runs mkdir under the filter: in force it isn't supported.
run_mkdir() {
    python3 - "$DIR/config.json" <<'END'
import json, sys
c = json.load(open(sys.argv[1]))
c["process"]["args"] = ["sh", "-c", "mkdir /tmp/x 2>&1; grep ^Seccomp: /proc/self/status"]
json.dump(c, open(sys.argv[1], "w"))
END
    output=$("$KEG_BUILD/keg-runtime" --root "$DIR/state" run --bundle "$DIR" "keg-cache-$$" </dev/null)
    [[ $output == *"not supported"*"Seccomp:"*2* ]]
}

@test "a filter is compiled once and kept for root alone" {
    run_mkdir
    [ "$(stat -c '%U %a' "$CACHE")" = 'root 700' ]
    local file
    file=$(echo "$CACHE"/*.bpf)
    [ "$(stat -c '%U %a' "$file")" = 'root 600' ]
    local before
    before=$(stat -c '%i %Y' "$file")
    run_mkdir
    [ "$(echo "$CACHE"/*.bpf)" = "$file" ]
    [ "$(stat -c '%i %Y' "$file")" = "$before" ]
}

@test "one that is damaged, or that others could have written, isn't used" {
    run_mkdir
    local file inode
    file=$(echo "$CACHE"/*.bpf)
    truncate -s 100 "$file"
    run_mkdir
    [ "$(stat -c %s "$file")" -gt 100 ]
    inode=$(stat -c %i "$file")
    chmod 666 "$file"
    run_mkdir
    [ "$(stat -c '%a' "$file")" = 600 ] && [ "$(stat -c %i "$file")" != "$inode" ]
    chmod 777 "$CACHE"
    rm "$file"
    run_mkdir
    [ -z "$(ls "$CACHE")" ]
    chmod 700 "$CACHE"
}

@test "without a place for it filters are compiled each time" {
    mount -o remount,ro /run/keg-runtime
    run_mkdir
    mount -o remount,rw /run/keg-runtime
}
