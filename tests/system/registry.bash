# Debian's docker-registry, for the tests that pull and push: `load registry`, beside lib.

# registry_start NAME ADDRESS:PORT [TLS [more configuration]]: what it keeps is in $KEG_ROOT/NAME; TLS is YAML. Returns when it listens.
registry_start() {
    local file=$KEG_ROOT/$1-${2##*:}
    cat >"$file.yml" <<END
version: 0.1
log: {level: error}
storage: {filesystem: {rootdirectory: $KEG_ROOT/$1}, delete: {enabled: true}}
http: {addr: '$2'${3:+, tls: $3}}
${4:-}
END
    server_start "$file" docker-registry serve "$file.yml"
    eventually bash -c "</dev/tcp/127.0.0.1/${2##*:}"
}

# server_start NAME COMMAND…: in the background, until servers_stop; its output goes to NAME.log
server_start() {
    local name=$1
    shift
    "$@" >"$name.log" 2>&1 3>&- </dev/null &
    echo $! >>"$KEG_ROOT/servers"
    disown
}

servers_stop() {
    # shellcheck disable=SC2046
    [ ! -s "$KEG_ROOT/servers" ] || kill $(cat "$KEG_ROOT/servers") || :
    rm -f "$KEG_ROOT/servers"
}
