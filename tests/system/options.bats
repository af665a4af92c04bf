#!/usr/bin/env bats
# What keg says of command lines that are wrong, before it asks a daemon: docker's words and exit codes. (tests/conformance/lines
# compares far more of them with docker itself.)

setup() {
    load lib
    cd "$BATS_TEST_TMPDIR"
}

# Each line: the exit code, the arguments, the first line that stderr has to have.
check() {
    local code words text wrong=0 said status
    while IFS='|' read -r code words text; do
        [ -n "$code" ] || continue
        status=0
        eval "said=\$(keg $words 2>&1 >/dev/null </dev/null)" || status=$?
        if [ "$status" != "$code" ] || [ "${said%%$'\n'*}" != "$text" ]; then
            printf 'keg %s\n  wanted %s: %s\n  got %s: %s\n' "$words" "$code" "$text" "$status" "${said%%$'\n'*}"
            wrong=1
        fi
    done
    return $wrong
}

@test "values that their option can't have are named with it" {
    check <<'END'
125|run -m x i|invalid argument "x" for "-m, --memory" flag: invalid size: 'x'
125|run -m 1z i|invalid argument "1z" for "-m, --memory" flag: invalid suffix: 'z'
125|run -m 1.5.5m i|invalid argument "1.5.5m" for "-m, --memory" flag: strconv.ParseFloat: parsing "1.5.5": invalid syntax
125|run --cpus x i|invalid argument "x" for "--cpus" flag: failed to parse x as a rational number
125|run --cpus 0.0000000001 i|invalid argument "0.0000000001" for "--cpus" flag: value is too precise
125|update --cpus 1/0 c|invalid argument "1/0" for "--cpus" flag: failed to parse 1/0 as a rational number
125|run -c x i|invalid argument "x" for "-c, --cpu-shares" flag: strconv.ParseInt: parsing "x": invalid syntax
125|run --pids-limit 99999999999999999999 i|invalid argument "99999999999999999999" for "--pids-limit" flag: strconv.ParseInt: parsing "99999999999999999999": value out of range
125|run --blkio-weight 70000 i|invalid argument "70000" for "--blkio-weight" flag: strconv.ParseUint: parsing "70000": value out of range
125|run --blkio-weight-device /dev/null:5 i|invalid argument "/dev/null:5" for "--blkio-weight-device" flag: invalid weight for device: /dev/null:5
125|run --device-read-bps null:5 i|invalid argument "null:5" for "--device-read-bps" flag: bad format for device path: null:5
125|run --device-read-iops /dev/null:1k i|invalid argument "/dev/null:1k" for "--device-read-iops" flag: invalid rate for device: /dev/null:1k. The correct format is <device-path>:<number>. Number must be a positive integer
125|run --health-interval 1 i|invalid argument "1" for "--health-interval" flag: time: missing unit in duration "1"
125|run --health-timeout 5x i|invalid argument "5x" for "--health-timeout" flag: time: unknown unit "x" in duration "5x"
125|run --health-timeout x i|invalid argument "x" for "--health-timeout" flag: time: invalid duration "x"
125|run --stop-timeout x i|invalid argument "x" for "--stop-timeout" flag: strconv.ParseInt: parsing "x": invalid syntax
125|run --rm=maybe i|invalid argument "maybe" for "--rm" flag: strconv.ParseBool: parsing "maybe": invalid syntax
125|run --add-host foo i|invalid argument "foo" for "--add-host" flag: bad format for add-host: "foo"
125|run --add-host foo=1.2.3 i|invalid argument "foo=1.2.3" for "--add-host" flag: invalid IP address in add-host: "1.2.3"
125|run --sysctl kernel.foo=1 i|invalid argument "kernel.foo=1" for "--sysctl" flag: sysctl 'kernel.foo=1' is not allowed
125|run -e =x i|invalid argument "=x" for "-e, --env" flag: invalid environment variable: =x
125|exec -e =x c true|invalid argument "=x" for "-e, --env" flag: invalid environment variable: =x
125|run -l =x i|invalid argument "=x" for "-l, --label" flag: invalid label '=x': empty name
125|network create --label =x n|invalid argument "=x" for "--label" flag: invalid label '=x': empty name
125|run --dns 1.2.3 i|invalid argument "1.2.3" for "--dns" flag: IP address is not correctly formatted: 1.2.3
125|run --dns-search a_b i|invalid argument "a_b" for "--dns-search" flag: a_b is not a valid domain
125|run --device-cgroup-rule 'c 1:3' i|invalid argument "c 1:3" for "--device-cgroup-rule" flag: invalid device cgroup format 'c 1:3'
125|run -a foo i|invalid argument "foo" for "-a, --attach" flag: valid streams are STDIN, STDOUT and STDERR
125|run --link a:b:c i|invalid argument "a:b:c" for "--link" flag: bad format for links: a:b:c
125|run --ulimit nofile=5:3 i|invalid argument "nofile=5:3" for "--ulimit" flag: ulimit soft limit must be less than or equal to hard limit: 5 > 3
125|run --ulimit foo=1 i|invalid argument "foo=1" for "--ulimit" flag: invalid ulimit type: foo
125|run --gpus device=0,device=1 i|invalid argument "device=0,device=1" for "--gpus" flag: gpu request key 'device' can be specified only once
125|run --mount type=bind,src=/a i|invalid argument "type=bind,src=/a" for "--mount" flag: target is required
125|run --mount type=bind,src=/a,target=/x,foo=bar i|invalid argument "type=bind,src=/a,target=/x,foo=bar" for "--mount" flag: unexpected key 'foo' in 'foo=bar'
125|run --mount type=bind,src=/a,target=/x,rw i|invalid argument "type=bind,src=/a,target=/x,rw" for "--mount" flag: invalid field 'rw' must be a key=value pair
125|run --mount 'type=bind,"src=/a' i|invalid argument "type=bind,\"src=/a" for "--mount" flag: parse error on line 1, column 18: extraneous or missing " in quoted-field
125|run --mount type=bind,src=/a,target=/x,bind-recursive=readonly i|invalid argument "type=bind,src=/a,target=/x,bind-recursive=readonly" for "--mount" flag: option 'bind-recursive=readonly' requires 'readonly' to be specified in conjunction
125|run --network name=n,foo=1 i|invalid argument "name=n,foo=1" for "--network" flag: invalid field key foo
125|ps --last x|invalid argument "x" for "-n, --last" flag: strconv.ParseInt: parsing "x": invalid syntax
125|ps -f x|invalid argument "x" for "-f, --filter" flag: bad format of filter (expected name=value)
END
}

@test "what run and create refuse before they ask" {
    check <<'END'
125|run -p nonsense i|keg: Invalid containerPort: nonsense
125|run -p 1.2.3:80:80 i|keg: Invalid ip address: 1.2.3
125|run -p 80/foo i|keg: Invalid proto: foo
125|run -p 1-2:1-3 i|keg: Invalid ranges specified for container and host Ports: 1-3 and 1-2
125|run -p target=80,published=x i|keg: Invalid hostPort: x
125|run --expose x i|keg: invalid range format for --expose: x, error: strconv.ParseUint: parsing "x": invalid syntax
125|run --device /dev/null:/x:foo i|keg: bad mode specified: foo
125|run -v /x: i|keg: invalid spec: /x:: empty section between colons
125|run --restart on-failure:x i|keg: invalid restart policy format: maximum retry count must be an integer
125|run --rm --restart always i|keg: conflicting options: cannot specify both --restart and --rm
125|run --uts x i|keg: --uts: invalid UTS mode
125|run --pid container: i|keg: --pid: invalid PID mode
125|run --network n --network host i|keg: conflicting options: cannot attach both user-defined and non-user-defined network-modes
125|run --network name=n,ip=10.0.0.1 --ip 10.0.0.2 i|keg: conflicting options: cannot specify both --ip and per-network IPv4 address
125|run --mac-address 02:42 i|keg: 02:42 is not a valid mac address
125|run --storage-opt foo i|keg: invalid storage option
125|run --log-driver none --log-opt a=b i|keg: invalid logging opts for driver none
125|run --memory-swappiness 101 i|keg: invalid value: 101. Valid memory swappiness range is 0-100
125|run --pull x i|keg: invalid pull option: 'x': must be one of "always", "missing" or "never"
125|run --platform x i|keg: error parsing specified platform: "x": unknown operating system or architecture: invalid argument
125|run Image|keg: invalid reference format: repository name (library/Image) must be lowercase
1|create a:b:c|invalid reference format
1|run -d -a stdout i|conflicting options: cannot specify both --attach and --detach
1|run -it i|the input device is not a TTY
127|run --cidfile no/x i|keg: failed to create the container ID file: open no/x: no such file or directory
125|run --env-file no i|keg: open no: no such file or directory
125|run --security-opt x i|keg: Invalid --security-opt: "x"
END
}

@test "unknown options, missing and superfluous arguments" {
    check <<'END'
125|run --foo i|unknown flag: --foo
125|run -itX i|unknown shorthand flag: 'X' in -X
125|ps --foo=1|unknown flag: --foo
125|run --name|flag needs an argument: --name
125|run -ip|flag needs an argument: 'p' in -p
125|volume --foo|unknown flag: --foo
1|run|keg: 'keg run' requires at least 1 argument
1|tag a|keg: 'keg tag' requires 2 arguments
1|port|keg: 'keg port' requires at least 1 and at most 2 arguments
1|ps extra|keg: 'keg ps' accepts no arguments
1|foo|keg: unknown command: keg foo
1|network foo|keg: unknown command: keg network foo
1|-l foo ps|Unable to parse logging level: foo
END
    [ "$(keg cp 2>&1)" = "keg: 'keg cp' requires 2 arguments

Usage:  keg cp [OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-
	keg cp [OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH

Run 'keg cp --help' for more information" ]
}
