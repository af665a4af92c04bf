# keg-runtime: `process` of the configuration, and what of `linux` concerns the process: limits, priorities, capabilities,
# seccomp, devices of the network, namespaces. Every test has a bundle of its own; all share one root filesystem.

setup_file() {
    load lib
    load bundle
    require root python3
    bundles_begin process
}

teardown_file() {
    load bundle
    bundles_end
}

setup() {
    load lib
    load bundle
    bundle_begin
}

teardown() {
    bundle_end
}

in_background() { config "p['args'] = ['/bin/sleep', '100']" && rt run -d --bundle "$BUNDLE" "$ID" >"$BUNDLE/out" 2>&1; }

must_be() { must_fail "$@"; } # status text; the status may be 0

deny_all_but() { # python list of names
    config "linux['seccomp'] = {'defaultAction': 'SCMP_ACT_ERRNO', 'defaultErrnoRet': 1, 'syscalls': [{'names': $1, 'action': 'SCMP_ACT_ALLOW'}]}"
}

@test "a seccomp profile that lets nothing through but execve doesn't stop the start" {
    deny_all_but "['execve']"
    for nnp in True False; do
        config "p['noNewPrivileges'] = $nnp; p['args'] = ['/bin/true']"
        run rt run --bundle "$BUNDLE" "$ID"
        [ "$status" -ge 126 ] # the program itself gets nowhere: a signal, or what its C library makes of it
        [[ $output != *level=error* ]]
    done
}

@test "behind a seccomp profile an exec that fails still says why" {
    printf '#!/no/such/interpreter\n' >"$DIR/rootfs/bin/broken"
    chmod +x "$DIR/rootfs/bin/broken"
    deny_all_but "['execve', 'write', 'exit_group']"
    config "p['args'] = ['/bin/broken']"
    run rt run --bundle "$BUNDLE" "$ID"
    [ "$status" != 0 ]
    must_be "$status" "exec /bin/broken: no such file or directory"
}

@test "with a filter and without no_new_privs the capabilities are still what was asked for" {
    config "p['noNewPrivileges'] = False; linux['seccomp'] = {'defaultAction': 'SCMP_ACT_ALLOW'}
for s in 'bounding', 'permitted', 'effective': p['capabilities'][s] = ['CAP_KILL']"
    in_container 'grep ^Cap /proc/self/status'
    [ "$status" = 0 ]
    [[ $output == *CapPrm:*0000000000000020*CapEff:*0000000000000020*CapBnd:*0000000000000020* ]]
    config "p['user']['uid'] = 7"
    in_container 'grep ^Cap /proc/self/status'
    [[ $output == *CapPrm:*0000000000000000*CapEff:*0000000000000000*CapBnd:*0000000000000020* ]]
}

@test "startContainer hooks are as confined as the program" {
    config "p['args'] = ['/bin/true']
linux['seccomp'] = {'defaultAction': 'SCMP_ACT_ALLOW', 'syscalls': [{'names': ['mkdir', 'mkdirat'], 'action': 'SCMP_ACT_ERRNO'}]}
c['hooks'] = {'startContainer': [{'path': '/bin/sh', 'args': ['sh', '-c', 'mkdir /tmp/hook']}]}"
    run rt run --bundle "$BUNDLE" "$ID"
    [ "$status" != 0 ]
    [[ $output == *startContainer* ]]
    [ ! -e "$DIR/rootfs/tmp/hook" ]
}

@test "a limit of three descriptors, of no memory for the runtime: the start doesn't need what the program may not have" {
    config "p['rlimits'] = [{'type': 'RLIMIT_NOFILE', 'soft': 3, 'hard': 4}, {'type': 'RLIMIT_FSIZE', 'soft': 0, 'hard': 0},
        {'type': 'RLIMIT_AS', 'soft': 30 << 20, 'hard': 30 << 20}]"
    in_container 'ulimit -n; ulimit -Hn; ulimit -f'
    [ "$status" = 0 ]
    [ "$output" = $'3\n4\n0' ]
    config "p['args'] = ['/bin/sleep', '100']"
    rt run -d --bundle "$BUNDLE" "$ID" >"$BUNDLE/out" 2>&1
    run rt exec "$ID" sh -c 'ulimit -n'
    must_be 0 3
}

@test "a soft limit above the hard one is refused, one that can't be raised is named" {
    config "p['rlimits'] = [{'type': 'RLIMIT_NOFILE', 'soft': 5, 'hard': 4}]"
    in_container true
    must_be 1 "RLIMIT_NOFILE: soft 5 is above hard 4"
    config "p['rlimits'] = [{'type': 'RLIMIT_NOFILE', 'soft': 1 << 40, 'hard': 1 << 40}]" # above fs.nr_open
    in_container true
    must_be 1 "set rlimit RLIMIT_NOFILE to"
}

@test "scheduler and I/O priority, in run and in exec" {
    config "p['scheduler'] = {'policy': 'SCHED_BATCH', 'nice': 7}; p['ioPriority'] = {'class': 'IOPRIO_CLASS_BE', 'priority': 6}"
    in_background
    run rt exec "$ID" sh -c 'cut -d" " -f19,41 /proc/self/stat; ionice'
    [ "$status" = 0 ]
    [[ $output == $'7 3\nbest-effort: prio 6'* ]]
    run rt exec "$ID" cut -d' ' -f19,41 /proc/1/stat
    must_be 0 '7 3'
}

@test "SCHED_DEADLINE's numbers are checked, and a refusal says what it takes" {
    check() { config "p['scheduler'] = dict(policy='SCHED_DEADLINE', **$1)" && in_container true && must_be 1 "$2"; }
    check "{'deadline': 20000000}" 'requires `runtime`'
    check "{'runtime': 20000000}" 'requires `deadline`'
    check "{'runtime': 0, 'deadline': 20000000}" 'must be greater than 0'
    check "{'runtime': 10, 'deadline': 20000000}" 'must be between'
    check "{'runtime': 30000000, 'deadline': 20000000}" 'must be <= deadline'
    check "{'runtime': 10000000, 'deadline': 30000000, 'period': 20000000}" 'must be <= period'
    config "p['scheduler'] = {'policy': 'SCHED_BEST'}"
    in_container true
    must_be 1 'unknown policy "SCHED_BEST"'
}

@test "a CPU to which the runtime is bound is not the container's affair" {
    [ "$(nproc)" -gt 1 ] && command -v taskset >/dev/null || skip "one CPU, or no taskset"
    sh_args 'grep Cpus_allowed_list /proc/self/status'
    run taskset -c 0 "$KEG_BUILD/keg-runtime" --root "$ROOT" run --bundle "$BUNDLE" "$ID"
    [ "$status" = 0 ]
    [[ $output != *$'\t0' ]]
}

@test "execCPUAffinity is exec's" {
    [ "$(nproc)" -gt 1 ] || skip "one CPU"
    config "p['execCPUAffinity'] = {'initial': '0-1', 'final': '1'}"
    in_background
    run rt exec "$ID" grep Cpus_allowed_list /proc/self/status
    must_be 0 $'\t1'
    run rt exec "$ID" grep Cpus_allowed_list /proc/1/status
    [[ $output != *$'\t1' ]]
}

@test "the personality holds in exec as well" {
    [ "$(uname -m)" = x86_64 ] || skip "not x86_64"
    config "linux['personality'] = {'domain': 'LINUX32'}"
    in_background
    run rt exec "$ID" uname -m
    must_be 0 i686
}

@test "capabilities that are unknown or can't be had are warnings, ambient ones that can't be raised too" {
    config "p['capabilities'] = {s: ['CAP_KILL', 'CAP_NONSENSE'] for s in ('bounding', 'permitted', 'effective', 'inheritable')}
p['capabilities']['ambient'] = ['CAP_KILL', 'CAP_CHOWN']"
    in_container 'grep CapAmb /proc/self/status'
    [ "$status" = 0 ]
    [[ $output == *"ignoring unknown or unavailable capabilities: [CAP_NONSENSE]"* ]]
    [[ $output == *"can't raise ambient capability CAP_CHOWN: "* ]]
    [[ $output == *CapAmb:*0000000000000020* ]]
}

@test "a new network namespace has its loopback device up" {
    in_container 'cat /sys/class/net/lo/flags'
    must_be 0 0x9
}

# Runs the rest in a network namespace of its own, which plays the host's.
in_other_host() { unshare -n sh -ec "$1"; }

@test "netDevices: moved, renamed, with addresses, up" {
    command -v ip >/dev/null || skip "no ip"
    config "linux['netDevices'] = {'kegtest0': {'name': 'eth7'}, 'kegtest1': {}, 'kegtest2': {'name': 'many%d'}}
p['args'] = ['/bin/sh', '-c', 'ip addr show; ls /sys/class/net']; p['capabilities']['effective'] = []"
    export RT="$KEG_BUILD/keg-runtime --root $ROOT run --bundle $BUNDLE $ID"
    run in_other_host 'for i in 0 1 2; do ip link add kegtest$i type veth peer name peer$i; ip link set peer$i up; done
        ip addr add 192.0.2.7/24 dev kegtest0; ip -6 addr add 2001:db8::7/64 dev kegtest0; ip link set kegtest0 mtu 1300
        $RT; ip link show | grep kegtest || echo gone'
    [ "$status" = 0 ]
    [[ $output == *"eth7"*",UP,LOWER_UP"*"mtu 1300"* ]]
    [[ $output == *"inet 192.0.2.7/24"* && $output == *"inet6 2001:db8::7/64"* ]]
    [[ $output == *kegtest1* && $output == *many0* && $output == *gone ]]
}

@test "netDevices: what is missing, taken or without a namespace is an error, and stays where it is" {
    command -v ip >/dev/null || skip "no ip"
    config "linux['netDevices'] = {'kegtest0': {'name': 'lo'}}; p['args'] = ['/bin/true']"
    export RT="$KEG_BUILD/keg-runtime --root $ROOT run --bundle $BUNDLE $ID"
    run in_other_host 'ip link add kegtest0 type veth peer name peer0; $RT || ip link show kegtest0'
    must_be 0 "has a lo already"
    [[ $output == *kegtest0* ]]
    config "linux['netDevices'] = {'kegtest9': {}}"
    run in_other_host '$RT'
    must_be 1 "there is no network device kegtest9"
    config "linux['namespaces'] = [n for n in linux['namespaces'] if n['type'] != 'network']"
    run in_other_host '$RT'
    must_be 1 'without a "network" namespace'
}

@test "intelRdt: an error that names what is missing; nonsense is refused" {
    config "linux['intelRdt'] = {'closID': '../x'}"
    in_container true
    must_be 1 '"../x" is no name of a group'
    config "linux['intelRdt'] = {'memBwSchema': 'L3:0=f'}"
    in_container true
    must_be 1 'begins with MB:'
    [ ! -d /sys/fs/resctrl/info ] || skip "resctrl is mounted"
    config "linux['intelRdt'] = {}"
    in_container true
    must_be 1 'no resctrl filesystem is mounted'
}

@test "labels on kernels without their security module: a warning for AppArmor, an error for SELinux" {
    config "p['apparmorProfile'] = 'keg-test'"
    in_container true
    if grep -qs Y /sys/module/apparmor/parameters/enabled; then
        must_be 1 AppArmor # the kernel has it, and no such profile
    else
        must_be 0 'this kernel has no AppArmor'
    fi
    [ ! -d /sys/fs/selinux ] || skip "SELinux is there"
    config "p['apparmorProfile'] = ''; p['selinuxLabel'] = 'system_u:system_r:svirt_t:s0'"
    in_container true
    must_be 1 SELinux
}

@test "memoryPolicy: set where the kernel has it, refused when it is none" {
    config "linux['memoryPolicy'] = {'mode': 'MPOL_SOMETHING'}"
    in_container true
    must_be 1 'unknown mode "MPOL_SOMETHING"'
    config "linux['memoryPolicy'] = {'mode': 'MPOL_BIND', 'nodes': 'zero'}"
    in_container true
    must_be 1 '"zero" is no list of nodes'
    [ -e /proc/self/numa_maps ] || skip "no NUMA"
    config "linux['memoryPolicy'] = {'mode': 'MPOL_BIND', 'nodes': '0', 'flags': ['MPOL_F_STATIC_NODES']}"
    in_background
    run rt exec "$ID" head -n 1 /proc/self/numa_maps
    must_be 0 "bind=static:0"
}

# agent SOCKET ANSWER: takes the listener of one container, prints what came with it, and answers every mkdir with ANSWER, all else by letting it go on.
agent() { exec python3 - "$1" "$2" 3>&- <<'EOF'
import fcntl, json, select, socket, struct, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
s.bind(sys.argv[1])
s.listen(1)
c, _ = s.accept()
message, control, _, _ = c.recvmsg(65536, socket.CMSG_SPACE(16))
fd = struct.unpack('i', control[0][2][:4])[0]
m = json.loads(message)
print(m['fds'], m['metadata'], m['state']['status'], m['state']['id'], m['pid'] > 0, flush=True)
poll = select.poll()
poll.register(fd, select.POLLIN)
while not poll.poll(20000)[0][1] & select.POLLHUP: # struct seccomp_notif (80 bytes), seccomp_notif_resp (24)
    n = bytearray(80)
    try:
        fcntl.ioctl(fd, 0xc0502100, n)
        number, = struct.unpack_from('Q', n)
        answer = (-int(sys.argv[2]), 0) if struct.unpack_from('i', n, 16)[0] in (83, 258) else (0, 1) # or: go on
        fcntl.ioctl(fd, 0xc0182101, struct.pack('QqiI', number, 0, *answer))
    except OSError: # it was interrupted
        pass
EOF
}

@test "seccomp's listener goes to the agent, even when the calls that take it there notify as well" {
    [ "$(uname -m)" = x86_64 ] || skip "the agent's numbers are those of x86_64"
    config "linux['seccomp'] = {'defaultAction': 'SCMP_ACT_ALLOW', 'listenerPath': '$BUNDLE/agent', 'listenerMetadata': 'note',
        'syscalls': [{'names': ['mkdir', 'mkdirat', 'sendmsg', 'recvmsg', 'close', 'futex'], 'action': 'SCMP_ACT_NOTIFY'}]}"
    agent "$BUNDLE/agent" 93 >"$BUNDLE/agent.out" 2>&1 &
    for _ in $(seq 50); do [ -S "$BUNDLE/agent" ] && break; sleep 0.1; done
    for nnp in False True; do
        config "p['noNewPrivileges'] = $nnp"
        in_container 'mkdir /tmp/x; ls /proc/self/fd | wc -l; ls /proc/self/task | wc -l'
        cat "$BUNDLE/agent.out"
        [[ $output == *"mkdir"*"Protocol not supported"*4$'\n'1 ]]
        wait
        [ "$(cat "$BUNDLE/agent.out")" = "['seccompFd'] note creating $ID True" ]
        rm "$BUNDLE/agent"
        agent "$BUNDLE/agent" 93 >"$BUNDLE/agent.out" 2>&1 &
        for _ in $(seq 50); do [ -S "$BUNDLE/agent" ] && break; sleep 0.1; done
    done
    kill $!
    rm "$BUNDLE/agent"
    in_container true
    must_be 1 "failed to connect with seccomp agent"
}

@test "numbers that only fit 64 bits without a sign are taken as they are" {
    config "p['rlimits'] = [{'type': 'RLIMIT_CPU', 'soft': 2**64 - 1, 'hard': 2**64 - 1}]
linux['seccomp'] = {'defaultAction': 'SCMP_ACT_ALLOW', 'syscalls': [{'names': ['personality'], 'action': 'SCMP_ACT_ERRNO',
    'args': [{'index': 0, 'value': 2**64 - 2, 'op': 'SCMP_CMP_EQ'}]}]}"
    in_container 'ulimit -t'
    must_be 0 unlimited
    config "p['rlimits'][0]['hard'] = 2**64"
    in_container 'ulimit -t'
    must_be 1 'too big'
}

@test "a name and a sysctl for the same must agree" {
    config "c['domainname'] = 'one'; linux['sysctl'] = {'kernel.domainname': 'two'}"
    in_container true
    must_be 1 'in conflict'
    config "linux['sysctl'] = {'kernel.domainname': 'one'}"
    in_container 'cat /proc/sys/kernel/domainname'
    must_be 0 one
}

@test "the caller's groups stay when an annotation asks for it" {
    config "c['annotations'] = {'run.oci.keep_original_groups': '1'}"
    sh_args 'id -G'
    run python3 -c 'import os, sys
os.setgroups([4, 5])
os.execv(sys.argv[1], sys.argv[1:])' "$KEG_BUILD/keg-runtime" --root "$ROOT" run --bundle "$BUNDLE" "$ID"
    must_be 0 '4 5'
}

@test "supportedFlags of features are accepted, others refused" {
    flags=$(rt features | python3 -c 'import json, sys; print(json.load(sys.stdin)["linux"]["seccomp"]["supportedFlags"])')
    config "linux['seccomp'] = {'defaultAction': 'SCMP_ACT_ALLOW', 'flags': [f for f in $flags if 'KILLABLE' not in f]}"
    in_container true
    [ "$status" = 0 ]
    config "linux['seccomp']['flags'] = ['SECCOMP_FILTER_FLAG_NEW']"
    in_container true
    must_be 1 'unknown flag'
}

@test "system calls of unknown names are passed over, or refused when an annotation asks for it" {
    config "linux['seccomp'] = {'defaultAction': 'SCMP_ACT_ALLOW', 'syscalls': [{'names': ['no_such_call'], 'action': 'SCMP_ACT_ERRNO'}]}"
    in_container true
    [ "$status" = 0 ]
    config "c['annotations'] = {'run.oci.seccomp_fail_unknown_syscall': '1'}"
    in_container true
    must_be 1 'unknown system call no_such_call'
}

@test "exec --cap: ambient as well where the configuration has inheritable ones" {
    config "for s in 'bounding', 'inheritable': p['capabilities'][s] = ['CAP_KILL', 'CAP_SYSLOG']
p['user']['uid'] = 7"
    in_background
    run rt exec --cap CAP_SYSLOG "$ID" grep CapAmb /proc/self/status
    must_be 0 0000000400000000
}

@test "an AppArmor profile that can't be had: an error where the kernel has AppArmor, a warning where it hasn't" {
    config "p['apparmorProfile'] = 'keg-no-such-profile'"
    in_container 'echo ran'
    if cat /proc/self/attr/apparmor/current >/dev/null 2>&1 || cat /proc/self/attr/current >/dev/null 2>&1; then
        must_be 1 'set the AppArmor profile keg-no-such-profile'
    else
        must_be 0 'this kernel has no AppArmor'
        [[ $output == *ran* ]]
    fi
}
