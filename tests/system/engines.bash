# Other container engines, found on PATH or in a tree that runtime_engines.prepare makes: for files that load lib, and set
#   KEG_ROOT, DOCKER_HOST, CONTAINERD_ADDRESS, CONTAINERD_NAMESPACE, PARENT (a cgroup), RUNTIME (an OCI runtime)
# and call tree_enter in setup_file. KEG_ENGINES names another such tree.

# A process whose root is that tree, in a mount namespace of its own: TREE_PID.
tree_enter() {
    export TREE_PID=
    [ -e "$1/made" ] || [ -n "${KEG_ENGINES:-}" ] || return 0
    # shellcheck disable=SC2016
    unshare --mount --propagation private bash -euc '
        tree=$1 build=$2 root=$3
        mkdir "$root/tree"
        mount -t tmpfs none "$root/tree" && mkdir "$root/tree/upper" "$root/tree/work" "$root/tree/root"
        mount -t overlay -o "lowerdir=$tree,upperdir=$root/tree/upper,workdir=$root/tree/work" none "$root/tree/root"
        cd "$root/tree/root"
        mkdir -p ".$build" ".$root" old
        mount -t proc proc proc && mount --rbind /sys sys && mount --rbind /dev dev
        mount -t tmpfs none run && mount -t tmpfs none tmp && mkdir run/lock
        # podman makes directories for controllers that have no hierarchy here: not on the host
        if [ -d sys/fs/cgroup/memory ]; then
            mkdir tmp/cgroup && mount -t tmpfs -o mode=755 none tmp/cgroup
            for hierarchy in sys/fs/cgroup/*; do
                mountpoint -q "$hierarchy" || continue
                mkdir "tmp/cgroup/${hierarchy##*/}"
                mount --bind "$hierarchy" "tmp/cgroup/${hierarchy##*/}"
            done
            umount -l sys/fs/cgroup && mount --move tmp/cgroup sys/fs/cgroup
        fi
        mount --bind "$build" ".$build" && mount --bind "$root" ".$root"
        pivot_root . old && umount -l /old && cd /
        echo $$ >"$root/tree.pid"
        exec sleep infinity' tree "$1" "$KEG_BUILD" "$KEG_ROOT" >"$KEG_ROOT/tree.log" 2>&1 3>&- </dev/null &
    disown
    eventually test -s "$KEG_ROOT/tree.pid" || { cat "$KEG_ROOT/tree.log" >&2; return 1; }
    TREE_PID=$(cat "$KEG_ROOT/tree.pid")
}

# Runs a program where the engines are.
engine() {
    engine_env
    "${ENGINE[@]}" "$@"
}

# The words before such a program: ENGINE; and podman with its places: PODMAN.
engine_env() {
    ENGINE=()
    [ -z "${TREE_PID:-}" ] || ENGINE=(nsenter -t "$TREE_PID" -m -r -w)
    ENGINE+=(env -i HOME="$KEG_ROOT" TERM=dumb PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
        DOCKER_HOST="$DOCKER_HOST" CONTAINERD_ADDRESS="$CONTAINERD_ADDRESS" CONTAINERD_NAMESPACE="$CONTAINERD_NAMESPACE"
        PODMAN_IGNORE_CGROUPSV1_WARNING=1)
    PODMAN=(podman --root "$KEG_ROOT/podman" --runroot "$KEG_ROOT/podman-run" --tmpdir "$KEG_ROOT/podman-tmp"
        --runtime "$RUNTIME" --cgroup-manager cgroupfs --events-backend file)
}

has() { engine sh -c "command -v $1" >/dev/null; }

# Runs one in the background, holding nothing of bats': what a shim it starts keeps open, bats would wait for.
daemon() { # log, command
    (
        for fd in $(ls /proc/$BASHPID/fd); do [ "$fd" -le 2 ] || eval "exec $fd>&-"; done
        engine "${@:2}"
    ) >>"$1" 2>&1 </dev/null &
    disown
}

# In a test: skips it where a program is missing.
needs() {
    local program
    for program; do
        has "$program" || skip "needs the program $program, on PATH or in $KEG_BUILD/cache/engines (tests/system/runtime_engines.prepare)"
    done
}

docker_start() {
    mkdir -p "$KEG_ROOT/docker"
    daemon "$KEG_ROOT/dockerd.log" dockerd -H "$DOCKER_HOST" --data-root "$KEG_ROOT/docker" --exec-root "$KEG_ROOT/docker-run" \
        --pidfile "$KEG_ROOT/docker.pid" --cgroup-parent "/$PARENT" --exec-opt native.cgroupdriver=cgroupfs \
        --iptables=false --ip6tables=false "$@"
    eventually docker version || { tail -n 20 "$KEG_ROOT/dockerd.log" >&2; return 1; }
}

stop() { # docker|containerd
    local pid
    pid=$(cat "$KEG_ROOT/$1.pid")
    kill "$pid" 2>/dev/null || :
    eventually not_running "$pid" || kill -9 "$pid"
}

not_running() { ! kill -0 "$1" 2>/dev/null; }

docker() { engine timeout 60 docker "$@"; }
podman() {
    engine_env
    engine timeout 60 "${PODMAN[@]}" "$@"
}
