#!/usr/bin/env bats
# What a container's definition says, seen from inside the container; and what is refused, in Docker's words.

bats_require_minimum_version 1.5.0

setup_file() {
    load lib
    require root curl jq
    # kegd has mounts of its own, which those made later only reach where they are shared
    KEG_ROOT=$(mktemp -d /var/tmp/keg-test.XXXXXX)
    mkdir "$KEG_ROOT/tree"
    mount -t tmpfs none "$KEG_ROOT/tree"
    mount --make-shared "$KEG_ROOT/tree"
    mkdir "$KEG_ROOT/cdi"
    kegd_start --cdi-spec-dir "$KEG_ROOT/cdi"
    image_busybox
}

teardown_file() {
    setup
    umount -R "$KEG_ROOT/tree"
    kegd_stop
}

setup() {
    load lib
    KEGD_PID=$(cat "$KEG_ROOT/kegd.pid")
}

teardown() {
    local ids
    ids=$(keg ps -aq)
    # shellcheck disable=SC2086
    [ -z "$ids" ] || keg rm -fv $ids >/dev/null
}

# Status and message (or warnings) of a creation: tried HOSTCONFIG [CONFIG-MEMBERS]
tried() {
    local answer
    answer=$(api POST /containers/create -H 'Content-Type: application/json' -w '\n%{http_code}' \
        -d "{\"Image\":\"busybox\"${2:+,$2},\"HostConfig\":$1}")
    echo "${answer##*$'\n'} $(jq -r '.message // (.Warnings | join("|"))' <<<"${answer%$'\n'*}")"
}

# must_be EXPECTED HOSTCONFIG [CONFIG-MEMBERS]
must_be() {
    local got
    got=$(tried "$2" "${3:-}")
    [ "$got" = "$1" ] || { printf 'expected: %s\ngot:      %s\n' "$1" "$got" >&2; return 1; }
}

# What a command prints in a container made by a request: inside HOSTCONFIG SCRIPT [CONFIG-MEMBERS]
inside() {
    local id
    id=$(api POST /containers/create -H 'Content-Type: application/json' \
        -d "{\"Image\":\"busybox\",\"Cmd\":[\"sh\",\"-c\",$(jq -Rs . <<<"$2")]${3:+,$3},\"HostConfig\":$1}" | jq -r '.Id // .message')
    keg start -a "$id" 2>&1 || :
    keg rm -v "$id" >/dev/null
}

# ---- checks ----

@test "definitions: refused in Docker's words" {
    must_be '400 bad format for add-host: "foo"' '{"ExtraHosts":["foo"]}'
    must_be '400 invalid IP address in add-host: "bar"' '{"ExtraHosts":["foo:bar"]}'
    must_be '400 bad format for add-host: ":1.2.3.4"' '{"ExtraHosts":[":1.2.3.4"]}'
    must_be '400 invalid Annotations: the empty string is not permitted as an annotation key' '{"Annotations":{"":"b"}}'
    must_be '400 cpu real-time runtime cannot be higher than cpu real-time period' \
        '{"CpuRealtimePeriod":1000,"CpuRealtimeRuntime":2000}'
    must_be '400 invalid option: QoS maximum IOPs configuration is not supported on linux' '{"IOMaximumIOps":1}'
    must_be '400 invalid option: QoS maximum bandwidth configuration is not supported on linux' '{"IOMaximumBandwidth":1}'
    must_be '400 invalid config for network bridge: invalid MAC address foo' '{}' '"MacAddress":"foo"'
    must_be '400 invalid config for network bridge: invalid MAC address foo' '{}' \
        '"NetworkingConfig":{"EndpointsConfig":{"bridge":{"MacAddress":"foo"}}}'
    must_be '400 the container-wide MAC address must match the endpoint-specific MAC address for the main network, or be left empty' \
        '{}' '"MacAddress":"02:00:00:00:00:01","NetworkingConfig":{"EndpointsConfig":{"bridge":{"MacAddress":"02:00:00:00:00:02"}}}'
    must_be '400 No such container: nosuch' '{"PidMode":"container:nosuch"}'
    must_be '400 No such container: nosuch' '{"IpcMode":"container:nosuch"}'
    must_be '400 conflicting options: port exposing and the container type network mode' \
        '{"NetworkMode":"container:x"}' '"ExposedPorts":{"80/tcp":{}}'
    must_be '400 invalid --security-opt 2: "foo=bar"' '{"SecurityOpt":["foo=bar"]}'
    must_be '400 invalid --security-opt 1: "foo"' '{"SecurityOpt":["foo"]}'
    must_be '400 invalid --security-opt 2: "no-new-privileges:foo"' '{"SecurityOpt":["no-new-privileges:foo"]}'
    must_be '400 invalid ulimit type: foo' '{"Ulimits":[{"Name":"foo","Soft":1,"Hard":1}]}'
    must_be '400 ulimit soft limit must be less than or equal to hard limit: 3 > 2' \
        '{"Ulimits":[{"Name":"nofile","Soft":3,"Hard":2}]}'
    must_be '400 invalid tmpfs option "nonsense"' '{"Tmpfs":{"/t":"size=1m,nonsense=1"}}'
    must_be '400 Unknown option foo' '{"StorageOpt":{"foo":"1"}}'
    must_be '404 create vol: error looking up volume plugin foo: plugin "foo" not found' '{"VolumeDriver":"foo","Binds":["vol:/x"]}'
    [[ $(tried '{"Dns":["foo"]}') == '400 bad nameserver address foo: '* ]]
}

@test "definitions: what says nothing on Linux is accepted, with Docker's warnings" {
    must_be '201 ' '{"Cgroup":"x","CpuCount":1,"KernelMemory":100000000}'
    must_be '201 linux does not support CPU percent. Percent discarded.' '{"CpuPercent":1}'
    must_be '201 OOM killer is disabled for the container, but no memory limit is set, this can result in the system running out of resources.' \
        '{"OomKillDisable":true}'
    must_be '201 The container-wide MacAddress field is now deprecated. It should be specified in EndpointsConfig instead.' \
        '{}' '"MacAddress":"02:00:00:00:00:01"'
}

# ---- security options ----

@test "security options: none is said as it was said" {
    id=$(api POST /containers/create -H 'Content-Type: application/json' -d '{"Image":"busybox","HostConfig":{"SecurityOpt":[]}}' | jq -r .Id)
    [ "$(keg inspect -f '{{json .HostConfig.SecurityOpt}}' "$id")" = "[]" ]
    [ "$(keg inspect -f '{{json .HostConfig.SecurityOpt}}' "$(keg create busybox)")" = null ]
}

@test "security options: writable-cgroups, no-new-privileges, apparmor, label" {
    # shellcheck disable=SC2016
    local script='d=/sys/fs/cgroup; [ -d $d/memory ] && d=$d/memory; mkdir $d/sub && echo made'
    [[ $(inside '{"SecurityOpt":["writable-cgroups=true"]}' "$script") == made ]]
    [[ $(inside '{"SecurityOpt":["writable-cgroups=false"]}' "$script") == *"Read-only file system"* ]]
    [[ $(inside '{}' "$script") == *"Read-only file system"* ]]
    [ "$(inside '{"SecurityOpt":["no-new-privileges"]}' 'grep NoNewPrivs /proc/self/status')" = $'NoNewPrivs:\t1' ]
    [ "$(inside '{"SecurityOpt":["no-new-privileges:false"]}' 'grep NoNewPrivs /proc/self/status')" = $'NoNewPrivs:\t0' ]
    [ -e /sys/fs/selinux/enforce ] || [ "$(inside '{"SecurityOpt":["label=type:svirt_t"]}' 'echo ran')" = ran ]
    [ "$(cat /sys/module/apparmor/parameters/enabled 2>&1)" = Y ] || [ "$(inside '{"SecurityOpt":["apparmor=docker-default"]}' 'echo ran')" = ran ]
}

# ---- links ----

@test "links: variables and hosts of the default bridge, followed when the other starts anew" {
    keg run -d --name db -h dbhost --expose 5432 --expose 80-82/udp -e FOO=bar -e HOME=/x busybox sleep 600 >/dev/null
    ip=$(keg inspect -f '{{.NetworkSettings.IPAddress}}' db)
    keg run -d --name web --link db:my-db busybox sleep 600 >/dev/null
    run -0 keg exec web env
    for line in "MY_DB_NAME=/web/my-db" "MY_DB_PORT=tcp://$ip:5432" "MY_DB_PORT_5432_TCP_ADDR=$ip" MY_DB_ENV_FOO=bar \
        "MY_DB_PORT_80_UDP_START=udp://$ip:80" "MY_DB_PORT_80_UDP_END=udp://$ip:82" MY_DB_PORT_80_UDP_PORT_END=82 \
        "MY_DB_PORT_81_UDP=udp://$ip:81" MY_DB_PORT_82_UDP_PORT=82; do
        grep -Fxq "$line" <<<"$output" || { echo "$line isn't among: $output"; return 1; }
    done
    [[ $output != *MY_DB_ENV_HOME* ]]
    [ "$(keg exec web sh -c 'tr "\0" "\n" </proc/1/environ' | grep -c ^MY_DB)" = "$(grep -c ^MY_DB <<<"$output")" ]
    keg exec web grep -Fxq "$ip	my-db dbhost db" /etc/hosts
    keg exec web ping -c1 -w2 my-db
    [ "$(keg inspect -f '{{.HostConfig.Links}}' web)" = "[/db:/web/my-db]" ]
    [ "$(keg ps --no-trunc --filter name=db --format '{{.Names}}')" = "db,web/my-db" ]
    # another address, after something else took the old one
    keg stop -t 0 db >/dev/null
    keg run -d busybox sleep 600 >/dev/null
    keg start db >/dev/null
    ip=$(keg inspect -f '{{.NetworkSettings.IPAddress}}' db)
    keg exec web grep -Fxq "$ip	my-db dbhost db" /etc/hosts
    # names follow
    keg rename db data
    [ "$(keg inspect -f '{{.HostConfig.Links}}' web)" = "[/data:/web/my-db]" ]
    keg rm --link /web/my-db
    [ "$(keg inspect -f '{{.HostConfig.Links}}' web)" = "[]" ]
    [ "$(keg ps --no-trunc --filter name=data --format '{{.Names}}')" = "data" ]
}

@test "links: what can't be linked" {
    keg create --name stopped busybox true >/dev/null
    must_be '400 could not get container for nosuch: No such container: nosuch' '{"Links":["nosuch:db"]}'
    must_be '400 bad format for links: a:b:c' '{"Links":["a:b:c"]}'
    must_be '400 empty string specified for links' '{"Links":[""]}'
    must_be "400 conflicting options: host type networking can't be used with links. This would result in undefined behavior" \
        '{"Links":["stopped:db"],"NetworkMode":"host"}'
    must_be "400 conflicting options: container type network can't be used with links. This would result in undefined behavior" \
        '{"Links":["stopped:db"],"NetworkMode":"container:stopped"}'
    run keg run --name web --link stopped:db busybox true
    [ "$status" -ne 0 ]
    [[ $output == *"Cannot link to a non running container: /stopped AS /web/db"* ]]
    # a container that goes takes its links with it
    keg rm stopped >/dev/null
    keg start web
    [ "$(keg inspect -f '{{.HostConfig.Links}}' web)" = "[]" ]
    run keg rm --link web
    [[ $output == *"Conflict, cannot remove the default link name of the container"* ]]
}

# ---- mounts ----

@test "mounts: options of another type, conflicts, and what a mode may say" {
    local m='"Mounts":[{"Target":"/m"'
    must_be '400 VolumeOptions must not be specified on mount type "bind"' "{$m,\"Type\":\"bind\",\"Source\":\"/tmp\",\"VolumeOptions\":{}}]}"
    must_be '400 BindOptions must not be specified on mount type "volume"' "{$m,\"Type\":\"volume\",\"BindOptions\":{}}]}"
    must_be '400 BindOptions must not be specified on mount type "image"' \
        "{$m,\"Type\":\"image\",\"Source\":\"busybox\",\"BindOptions\":{}}]}"
    must_be '400 invalid mount config for type "bind": field ImageOptions must not be specified' \
        "{$m,\"Type\":\"bind\",\"Source\":\"/tmp\",\"ImageOptions\":{}}]}"
    must_be '400 mount options conflict: !ReadOnly && BindOptions.ReadOnlyForceRecursive' \
        "{$m,\"Type\":\"bind\",\"Source\":\"/tmp\",\"BindOptions\":{\"ReadOnlyForceRecursive\":true}}]}"
    must_be '400 mount options conflict: ReadOnlyNonRecursive && BindOptions.ReadOnlyForceRecursive' \
        "{$m,\"Type\":\"bind\",\"Source\":\"/tmp\",\"ReadOnly\":true,\"BindOptions\":{\"ReadOnlyForceRecursive\":true,\"ReadOnlyNonRecursive\":true}}]}"
    must_be '400 invalid mount config for type "bind": invalid propagation mode: foo' \
        "{$m,\"Type\":\"bind\",\"Source\":\"/tmp\",\"BindOptions\":{\"Propagation\":\"foo\"}}]}"
    must_be '400 invalid mount config for type "volume": must not set Subpath when using anonymous volumes' \
        "{$m,\"Type\":\"volume\",\"VolumeOptions\":{\"Subpath\":\"x\"}}]}"
    must_be '400 invalid mount config for type "volume": subpath must be a relative path within the volume' \
        "{$m,\"Type\":\"volume\",\"Source\":\"vol\",\"VolumeOptions\":{\"Subpath\":\"a/../../x\"}}]}"
    must_be '400 invalid mount config for type "image": subpath must be a relative path within the volume' \
        "{$m,\"Type\":\"image\",\"Source\":\"busybox\",\"ImageOptions\":{\"Subpath\":\"/etc\"}}]}"
    must_be '404 No such image: nosuch:latest' "{$m,\"Type\":\"image\",\"Source\":\"nosuch\"}]}"
    must_be '400 invalid mount config for type "npipe": mount type unknown' "{$m,\"Type\":\"npipe\",\"Source\":\"a\"}]}"
    must_be '400 invalid mount config for type "tmpfs": invalid option: uid' \
        "{$m,\"Type\":\"tmpfs\",\"TmpfsOptions\":{\"Options\":[[\"uid\",\"7\"]]}}]}"
    must_be '400 invalid mode: rw,ro' '{"Binds":["/tmp:/m:rw,ro"]}'
}

@test "mounts: a part of a volume, also by symlinks inside it, never outside" {
    keg run --rm -v vol:/m busybox sh -c 'mkdir -p /m/a/b; echo hi >/m/a/b/f; ln -s a /m/l; ln -s ../../../../etc /m/up; ln -s /etc /m/out'
    [ "$(keg run --rm --mount type=volume,src=vol,dst=/m,volume-subpath=a/b busybox sh -c 'ls /m; cat /m/f; echo new >/m/g')" = $'f\nhi' ]
    [ "$(keg run --rm --mount type=volume,src=vol,dst=/m,volume-subpath=l/b busybox ls /m)" = $'f\ng' ]
    [ "$(keg run --rm --mount type=volume,src=vol,dst=/etc/f,volume-subpath=a/b/f busybox sh -c 'cat /etc/f; echo more >>/etc/f')" = hi ]
    [ "$(keg run --rm -v vol:/m busybox cat /m/a/b/f)" = $'hi\nmore' ]
    run keg run --rm --mount type=volume,src=vol,dst=/m,volume-subpath=a,readonly busybox touch /m/x
    [[ $output == *"Read-only file system"* ]]
    for path in up out nosuch; do
        run -127 keg run --rm --mount "type=volume,src=vol,dst=/m,volume-subpath=$path" busybox ls /m
        [[ $output == *"cannot access path "*"/volumes/vol/_data/$path: "* ]]
    done
    # a start that fails after it was mounted leaves the volume as it is
    run -127 keg run --rm --mount type=volume,src=vol,dst=/m,volume-subpath=a/b busybox nosuchprogram
    run -127 keg run --name failed --mount type=volume,src=vol,dst=/m,volume-subpath=a --mount type=image,src=busybox,dst=/i busybox nosuchprogram
    keg rm failed >/dev/null
    [ "$(keg run --rm -v vol:/m busybox sh -c 'cat /m/a/b/f; ls /m')" = $'hi\nmore\na\nl\nout\nup' ]
    refute nsenter -t "$KEGD_PID" -m grep -q "$KEG_ROOT/run/containers/.*/source-" /proc/self/mountinfo
    keg volume rm vol >/dev/null
}

@test "mounts: an image, whole and in part, and what it is kept by" {
    keg tag busybox other:1
    [ "$(keg run --rm --mount type=image,src=other:1,dst=/m busybox sh -c '/m/bin/busybox echo ran; touch /m/x 2>&1')" = \
        $'ran\ntouch: /m/x: Read-only file system' ]
    [ "$(keg run --rm --mount type=image,src=other:1,dst=/m,image-subpath=etc busybox ls /m)" = $'group\npasswd' ]
    run -127 keg run --rm --mount type=image,src=other:1,dst=/m,image-subpath=nosuch busybox ls /m
    [[ $output == *"cannot access path "*"/nosuch: no such file or directory"* ]]
    keg rmi other:1 >/dev/null
    # an image of its own: the container that mounts it keeps it, also over a restart
    tar -C "$KEG_ROOT/busybox" -c etc | keg import - data:1 >/dev/null
    keg run -d --name holder --mount type=image,src=data:1,dst=/m busybox sleep 600 2>/dev/null >/dev/null
    run -1 keg rmi data:1
    [[ $output == *"container "*" is using its referenced image"* ]]
    keg restart -t 0 holder >/dev/null
    keg exec holder cat /m/etc/group | grep -q extra
    [ "$(keg inspect -f '{{(index .Mounts 0).Type}} {{(index .Mounts 0).Name}} {{(index .Mounts 0).RW}}' holder)" = "image data:1 false" ]
    keg rm -f holder >/dev/null
    keg rmi data:1 >/dev/null
    refute nsenter -t "$KEGD_PID" -m grep -q "$KEG_ROOT/run/containers/.*/source-" /proc/self/mountinfo
}

@test "mounts: propagation, recursion, and read-only trees" {
    mkdir "$KEG_ROOT/tree/sub"
    mount -t tmpfs none "$KEG_ROOT/tree/sub"
    touch "$KEG_ROOT/tree/sub/inner"
    local m="type=bind,src=$KEG_ROOT/tree,dst=/m"
    [ "$(keg run --rm --mount "$m" busybox ls /m/sub)" = inner ]
    [ -z "$(keg run --rm --mount "$m,bind-recursive=disabled" busybox ls /m/sub)" ]
    run keg run --rm --mount "$m,readonly" busybox touch /m/sub/x
    [[ $output == *"Read-only file system"* ]]
    keg run --rm --mount "$m,readonly,bind-recursive=writable" busybox touch /m/sub/x
    [ -e "$KEG_ROOT/tree/sub/x" ]
    run keg run --rm --mount "$m,readonly,bind-recursive=readonly,bind-propagation=rprivate" busybox touch /m/sub/x
    [[ $output == *"Read-only file system"* ]]
    keg run -d --name slave --mount "$m,bind-propagation=rslave" busybox sleep 600 >/dev/null
    keg run -d --name private --mount "$m" busybox sleep 600 >/dev/null
    mkdir "$KEG_ROOT/tree/late"
    mount -t tmpfs none "$KEG_ROOT/tree/late"
    keg exec slave grep -q ' /m/late ' /proc/mounts
    refute keg exec private grep -q ' /m/late ' /proc/mounts
    keg run -d --privileged --name shared --mount "$m,bind-propagation=rshared" busybox sleep 600 >/dev/null
    keg exec shared sh -c 'mkdir /m/inside; mount -t tmpfs none /m/inside; touch /m/inside/f'
    grep -q " $KEG_ROOT/tree/inside " /proc/self/mountinfo
    keg exec slave ls /m/inside/f
    keg rm -f slave private shared >/dev/null
    umount "$KEG_ROOT/tree/inside"
    must_start="type=bind,src=$KEG_ROOT/busybox,dst=/m"
    run keg run --rm --mount "$must_start,bind-propagation=rshared" busybox true
    [[ $output == *"path $KEG_ROOT/busybox is mounted on "*" but it is not a shared mount"* ]]
    run keg run --rm --mount "$must_start,bind-propagation=slave" busybox true
    [[ $output == *"path $KEG_ROOT/busybox is mounted on "*" but it is not a shared or slave mount"* ]]
    # a missing directory is made where that is asked for
    run keg run --rm --mount "type=bind,src=$KEG_ROOT/tree/none,dst=/m" busybox true
    [[ $output == *"bind source path does not exist: $KEG_ROOT/tree/none"* ]]
    keg run --rm --mount "type=bind,src=$KEG_ROOT/tree/made,dst=/m,bind-create-src" busybox touch /m/f
    [ -e "$KEG_ROOT/tree/made/f" ]
}

# ---- devices ----

@test "devices: what a vendor's CDI description says" {
    echo "from the host" >"$KEG_ROOT/library"
    cat >"$KEG_ROOT/cdi/vendor.json" <<EOF
{"cdiVersion":"0.6.0","kind":"vendor.com/class",
 "containerEdits":{"env":["VENDOR=yes","PATH=/opt/vendor:/bin"]},
 "devices":[
  {"name":"one","containerEdits":{"env":["DEVICE=one"],"additionalGids":[4321],
   "deviceNodes":[{"path":"/dev/vendor0","hostPath":"/dev/zero","permissions":"rw"}],
   "mounts":[{"hostPath":"$KEG_ROOT/library","containerPath":"/lib/vendor.so","options":["ro","nosuid","nodev","bind"]}],
   "hooks":[{"hookName":"createRuntime","path":"/bin/sh","args":["sh","-c","touch $KEG_ROOT/hooked"]}]}},
  {"name":"two","containerEdits":{"env":["DEVICE=two"],"deviceNodes":[{"path":"/dev/null2","type":"c","major":1,"minor":3,"fileMode":438}]}}]}
EOF
    echo 'kind: vendor.com/other' >"$KEG_ROOT/cdi/other.yaml"
    echo '{"kind":' >"$KEG_ROOT/cdi/broken.json"
    run -0 keg run --rm --device vendor.com/class=one busybox \
        sh -c 'echo $VENDOR $DEVICE $PATH; cat /lib/vendor.so; echo x 2>&1 >/lib/vendor.so; head -c 4 /dev/vendor0 | wc -c; stat -c %t:%T /dev/vendor0; id -G'
    [[ $output == $'yes one /opt/vendor:/bin\nfrom the host\n'*"Read-only file system"$'\n4\n1:5\n0 10 4321' || $output == $'yes one /opt/vendor:/bin\nfrom the host\n'*"Read-only file system"$'\n4\n1:5\n0 4321' ]]
    [ -e "$KEG_ROOT/hooked" ]
    [ "$(keg run --rm --device vendor.com/class=one --device vendor.com/class=two busybox sh -c 'echo $DEVICE; stat -c %a /dev/null2')" = $'two\n666' ]
    [ "$(inside '{"DeviceRequests":[{"Driver":"cdi","DeviceIDs":["vendor.com/class=two"]}]}' 'echo $VENDOR; echo x >/dev/null2')" = yes ]
    keg info --format '{{json .CDISpecDirs}}' | grep -Fq "$KEG_ROOT/cdi"
}

@test "devices: requests that nobody can fulfil, and GPUs by their description" {
    run keg run --rm --device vendor.com/class=nosuch busybox true
    [[ $output == *"CDI device injection failed: unresolvable CDI devices vendor.com/class=nosuch"* ]]
    run keg run --rm --gpus all busybox true
    [[ $output == *'could not select device driver "" with capabilities: [[gpu]]'* ]]
    [[ $(inside '{"DeviceRequests":[{"Driver":"cdi","Count":1}]}' true) == *"unexpected count in CDI device request"* ]]
    [[ $(inside '{"DeviceRequests":[{}]}' true) == *'could not select device driver "" with capabilities: []'* ]]
    cat >"$KEG_ROOT/cdi/gpu.json" <<EOF
{"cdiVersion":"0.6.0","kind":"nvidia.com/gpu","devices":[
 {"name":"0","containerEdits":{"env":["GPU0=yes"]}}, {"name":"1","containerEdits":{"env":["GPU1=yes"]}}]}
EOF
    [ "$(keg run --rm --gpus all busybox sh -c 'echo $GPU0 $GPU1')" = "yes yes" ]
    [ "$(keg run --rm --gpus 1 busybox sh -c 'echo $GPU0 $GPU1')" = "yes" ]
    [ "$(keg run --rm --gpus device=1 busybox sh -c 'echo $GPU0 $GPU1')" = "yes" ]
    run keg run --rm --gpus 3 busybox true
    [[ $output == *"unresolvable CDI devices nvidia.com/gpu=2"* ]]
}

# ---- volumes with options ----

@test "volumes: what the local driver mounts is there while containers run, and goes before the volume does" {
    mkdir -p "$KEG_ROOT/shared"
    echo kept >"$KEG_ROOT/shared/file"
    keg volume create -o type=none -o o=bind -o device="$KEG_ROOT/shared" bound
    keg volume create -d local -o type=tmpfs -o device=tmpfs -o o=size=1m,mode=750,noexec mem
    [ "$(keg run --rm -v bound:/b busybox sh -c 'cat /b/file; echo new >/b/other')" = kept ]
    [ "$(cat "$KEG_ROOT/shared/other")" = new ]
    keg run -d --name one -v mem:/m busybox sleep 600 >/dev/null
    run -0 keg exec one sh -c 'echo shared >/m/f; grep " /m " /proc/mounts'; echo "$output"
    [[ $output == *tmpfs*noexec*size=1024k,mode=750* ]]
    [ "$(keg run --rm -v mem:/m:ro busybox cat /m/f)" = shared ]
    [ "$(nsenter -t "$KEGD_PID" -m grep -c "$KEG_ROOT/data/volumes/.*/_data" /proc/self/mountinfo)" = 1 ]
    keg rm -f one >/dev/null
    eventually refute nsenter -t "$KEGD_PID" -m grep -q "$KEG_ROOT/data/volumes/.*/_data" /proc/self/mountinfo
    # the image's content goes where the volume leads
    mkdir "$KEG_ROOT/filled"
    keg run --rm --mount "type=volume,src=fill,dst=/etc,volume-opt=type=none,volume-opt=o=bind,volume-opt=device=$KEG_ROOT/filled" busybox true
    [ -e "$KEG_ROOT/filled/passwd" ]
    [ "$(keg volume inspect -f '{{.Options.o}}' bound)" = bind ]
    keg volume rm bound mem fill >/dev/null
    [ -e "$KEG_ROOT/shared/file" ]
    [ -e "$KEG_ROOT/filled/passwd" ]
    run keg volume create -o type=none bad
    [[ $output == *'missing required option: "device"'* ]]
    run keg volume create -o foo=none bad
    [[ $output == *'invalid option: "foo"'* ]]
    keg volume create -o type=none -o o=bind -o device=/nosuch lost
    run -127 keg run --rm -v lost:/m busybox true
    [[ $output == *"error while mounting volume '"*"/volumes/lost/_data': failed to mount local volume: mount /nosuch:"*"no such file or directory"* ]]
    keg volume rm lost >/dev/null
}

# ---- resources ----

# A cgroup file of container $1, by its name in v1 or v2: limit CONTAINER V1-CONTROLLER/FILE V2-FILE
limit() {
    local id pid path
    id=$(keg inspect -f '{{.Id}}' "$1")
    pid=$(keg inspect -f '{{.State.Pid}}' "$1")
    if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
        path=/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$pid/cgroup")
        cat "$path/$3"
    else
        path=$(sed -n "s/^[0-9]*:\(.*,\)\?${2%%/*}\(,.*\)\?://p" "/proc/$pid/cgroup")
        cat "/sys/fs/cgroup/${2%%/*}$path/${2#*/}"
    fi
}

cgroup1() { [ ! -e /sys/fs/cgroup/cgroup.controllers ]; }

@test "resources: every limit is the cgroup's, at create and when a running container is updated" {
    cgroup1 || skip "the files are those of cgroup v1"
    device=$(lsblk -dnro NAME,MAJ:MIN | awk '$1 !~ /^(ram|zram|sr|fd)/ {print; exit}')
    [ -n "$device" ] || skip "needs a block device"
    name=/dev/${device% *} number=${device#* }
    keg run -d --name limited -m 64m --memory-swap 96m --memory-reservation 32m --cpu-shares 512 --cpu-period 50000 --cpu-quota 25000 \
        --cpuset-cpus 0 --cpuset-mems 0 --pids-limit 50 --oom-score-adj 321 \
        --device-read-bps "$name:1mb" --device-write-bps "$name:2mb" --device-read-iops "$name:100" --device-write-iops "$name:200" \
        busybox sleep 600 2>/dev/null
    [ "$(limit limited memory/memory.limit_in_bytes)" = $((64 << 20)) ]
    [ ! -e /sys/fs/cgroup/memory/memory.memsw.limit_in_bytes ] || [ "$(limit limited memory/memory.memsw.limit_in_bytes)" = $((96 << 20)) ]
    [ "$(limit limited memory/memory.soft_limit_in_bytes)" = $((32 << 20)) ]
    [ "$(limit limited cpu/cpu.shares)" = 512 ]
    [ "$(limit limited cpu/cpu.cfs_period_us) $(limit limited cpu/cpu.cfs_quota_us)" = "50000 25000" ]
    [ "$(limit limited cpuset/cpuset.cpus) $(limit limited cpuset/cpuset.mems)" = "0 0" ]
    [ "$(limit limited pids/pids.max)" = 50 ]
    [ "$(keg exec limited cat /proc/1/oom_score_adj)" = 321 ]
    [ "$(limit limited blkio/blkio.throttle.read_bps_device)" = "$number 1048576" ]
    [ "$(limit limited blkio/blkio.throttle.write_bps_device)" = "$number 2097152" ]
    [ "$(limit limited blkio/blkio.throttle.read_iops_device)" = "$number 100" ]
    [ "$(limit limited blkio/blkio.throttle.write_iops_device)" = "$number 200" ]
    # live
    [ "$(keg update -m 128m --memory-swap 256m --memory-reservation 48m --cpu-shares 256 --cpu-period 100000 --cpu-quota 30000 --pids-limit 60 \
        --cpuset-cpus 0-"$(($(nproc) - 1))" --restart on-failure:3 limited 2>/dev/null)" = limited ]
    [ "$(limit limited memory/memory.limit_in_bytes)" = $((128 << 20)) ]
    [ "$(limit limited memory/memory.soft_limit_in_bytes)" = $((48 << 20)) ]
    [ "$(limit limited cpu/cpu.shares)" = 256 ]
    [ "$(limit limited cpu/cpu.cfs_period_us) $(limit limited cpu/cpu.cfs_quota_us)" = "100000 30000" ]
    [ "$(limit limited pids/pids.max)" = 60 ]
    [ "$(limit limited cpuset/cpuset.cpus)" = "$(cat /sys/fs/cgroup/cpuset/cpuset.cpus)" ]
    [ "$(keg inspect -f '{{.HostConfig.RestartPolicy.Name}}:{{.HostConfig.RestartPolicy.MaximumRetryCount}}' limited)" = on-failure:3 ]
    api POST /containers/limited/update -H 'Content-Type: application/json' \
        -d "{\"BlkioDeviceReadBps\":[{\"Path\":\"$name\",\"Rate\":3145728}],\"PidsLimit\":-1}" >/dev/null
    [ "$(limit limited blkio/blkio.throttle.read_bps_device)" = "$number 3145728" ]
    [ "$(limit limited pids/pids.max)" = max ]
    # what was updated is what the next start gets
    keg restart -t 0 limited >/dev/null
    [ "$(limit limited memory/memory.limit_in_bytes) $(limit limited cpu/cpu.shares) $(limit limited pids/pids.max)" = "$((128 << 20)) 256 max" ]
    keg run -d --name halves --cpus 1.5 busybox sleep 600 >/dev/null
    [ "$(limit halves cpu/cpu.cfs_quota_us)" = 150000 ]
    [ "$(keg update --cpus 0.5 halves)" = halves ]
    [ "$(limit halves cpu/cpu.cfs_quota_us)" = 50000 ]
}

@test "resources: updates that are refused change nothing" {
    keg run -d --name small -m 64m --memory-swap 96m --cpus 1 busybox sleep 600 >/dev/null 2>&1
    run -1 keg update -m 128m small
    [ ! -e /sys/fs/cgroup/memory/memory.memsw.limit_in_bytes ] || [[ $output == *"Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time"* ]]
    run -1 keg update --cpu-quota 20000 small
    [[ $output == *"Conflicting options: CPU Quota cannot be updated as NanoCPUs has already been set"* ]]
    run -1 keg update --cpu-period 20000 small
    [[ $output == *"Conflicting options: CPU Period cannot be updated as NanoCPUs has already been set"* ]]
    keg run -d --name quota --cpu-quota 20000 busybox sleep 600 >/dev/null
    run -1 keg update --cpus 1 quota
    [[ $output == *"Conflicting options: Nano CPUs cannot be updated as CPU Quota has already been set"* ]]
    run -1 keg update --restart sometimes small
    [[ $output == *"invalid restart policy"* ]]
    keg run -d --rm --name gone busybox sleep 600 >/dev/null
    run -1 keg update --restart always gone
    [[ $output == *"Restart policy cannot be updated because AutoRemove is enabled for the container"* ]]
    [ "$(keg inspect -f '{{.HostConfig.NanoCpus}} {{.HostConfig.CpuQuota}} {{.HostConfig.RestartPolicy.Name}}' small)" = "1000000000 0 no" ]
}

# ---- who, where, with what ----

@test "settings: seen by the program" {
    [ "$(inside '{"GroupAdd":["extra","4321"]}' id '"User":"web"')" = "uid=1000(web) gid=1000(web) groups=1000(web),2000(extra),4321" ]
    [ "$(inside '{}' id '"User":"4242:17"')" = "uid=4242 gid=17 groups=17" ]
    [ "$(inside '{"Ulimits":[{"Name":"nofile","Soft":33,"Hard":44}]}' 'ulimit -n; ulimit -Hn')" = $'33\n44' ]
    [ "$(inside '{"Sysctls":{"net.core.somaxconn":"77","kernel.msgmax":"9000"}}' 'cat /proc/sys/net/core/somaxconn /proc/sys/kernel/msgmax')" = $'77\n9000' ]
    [ "$(inside '{"ShmSize":1048576}' 'df -k /dev/shm | tail -1' | awk '{print $2}')" = 1024 ]
    [[ $(inside '{"Tmpfs":{"/x":"size=1m,mode=1770,exec,uid=5"}}' 'grep " /x " /proc/mounts; stat -c "%a %u" /x') == *"size=1024k"*$'\n1770 5' ]]
    [ "$(inside '{"ReadonlyRootfs":true,"Tmpfs":{"/run":""}}' 'touch /x 2>&1; touch /run/x && echo run')" = $'touch: /x: Read-only file system\nrun' ]
    [ "$(inside '{"MaskedPaths":["/etc/passwd"],"ReadonlyPaths":["/etc"]}' 'cat /etc/passwd; touch /etc/x 2>&1')" = "touch: /etc/x: Read-only file system" ]
    [ "$(inside '{"Devices":[{"PathOnHost":"/dev/null","PathInContainer":"/dev/x","CgroupPermissions":"rw"}]}' 'stat -c "%n %t %T" /dev/x')" = "/dev/x 1 3" ]
    [[ $(inside '{"DeviceCgroupRules":["c 10:237 r"]}' 'mknod /tmp/l c 10 237; cat /tmp/l 2>&1 | head -c 60') != *"Operation not permitted"* ]]
    [ "$(inside '{"Dns":["1.2.3.4"],"DnsSearch":["a.b"],"DnsOptions":["ndots:3"]}' 'grep -v ^# /etc/resolv.conf | grep .')" = $'nameserver 1.2.3.4\nsearch a.b\noptions ndots:3' ]
    [ "$(inside '{"ExtraHosts":["x:1.2.3.4","y=::5"]}' 'grep -E "\s[xy]$" /etc/hosts')" = $'1.2.3.4\tx\n::5\ty' ]
    gateway=$(keg network inspect -f '{{(index .IPAM.Config 0).Gateway}}' bridge)
    [ "$(inside '{"ExtraHosts":["gw:host-gateway"]}' 'grep gw /etc/hosts')" = "$gateway	gw" ]
    [ "$(inside '{}' 'hostname; cat /proc/sys/kernel/domainname; tail -1 /etc/hosts | cut -f2' '"Hostname":"h","Domainname":"d.e"')" = $'h\nd.e\nh.d.e h' ]
    [ "$(inside '{}' 'cat /sys/class/net/eth0/address' '"MacAddress":"92:d0:c6:0a:29:33"' )" = 92:d0:c6:0a:29:33 ]
    [ "$(inside '{}' 'cat /sys/class/net/eth0/address' '"NetworkingConfig":{"EndpointsConfig":{"bridge":{"MacAddress":"92-D0-c6-0a-29-34"}}}')" = 92:d0:c6:0a:29:34 ]
    [ "$(inside '{}' 'ls /sys/class/net' '"NetworkDisabled":true')" = lo ]
    [ "$(inside '{"CapDrop":["ALL"],"CapAdd":["NET_RAW"]}' 'grep CapEff /proc/self/status')" = $'CapEff:\t0000000000002000' ]
    [ "$(inside '{"CgroupParent":"/own-parent"}' 'cat /proc/self/cgroup | head -1' | grep -c own-parent)" = 0 ]
    [ "$(inside '{"CgroupParent":"/own-parent","CgroupnsMode":"host"}' 'grep -c /own-parent/ /proc/self/cgroup' | tail -1)" -gt 0 ]
    [ "$(inside '{"Init":true}' 'cat /proc/1/comm')" = docker-init ]
    [ "$(inside '{"Annotations":{"a":"b"}}' 'echo ran')" = ran ]
    find /sys/fs/cgroup -type d -name own-parent -exec rmdir {} + 2>/dev/null || :
}

@test "namespaces: pid, ipc, uts and cgroup of the host and of others" {
    keg run -d --name base --ipc shareable -h basehost busybox sh -c 'echo hi >/dev/shm/f; exec sleep 600' >/dev/null
    [ "$(keg run --rm --pid container:base busybox cat /proc/1/comm)" = sleep ]
    [ "$(keg run --rm --ipc container:base busybox cat /dev/shm/f)" = hi ]
    [ "$(keg run --rm --network container:base busybox hostname)" = basehost ]
    [ "$(keg run --rm --network container:base busybox readlink /proc/self/ns/net)" = "$(keg exec base readlink /proc/self/ns/net)" ]
    for pair in pid:pid ipc:ipc uts:uts cgroupns:cgroup network:net; do
        [ "$(keg run --rm "--${pair%:*}" host busybox readlink "/proc/self/ns/${pair#*:}")" = "$(nsenter -t "$KEGD_PID" -a readlink "/proc/self/ns/${pair#*:}")" ]
    done
    [ "$(keg run --rm --ipc none busybox sh -c 'grep -c /dev/shm /proc/mounts')" = 0 ] || [ "$(keg run --rm --ipc none busybox sh -c 'grep -c /dev/shm /proc/mounts || :')" = 0 ]
    keg run -d --name lone busybox sleep 600 >/dev/null
    run keg run --rm --ipc container:lone busybox true
    [[ $output == *"non-shareable IPC (hint: use IpcMode:shareable for the donor container)"* ]]
    keg stop -t 0 lone >/dev/null
    run keg run --rm --pid container:lone busybox true
    [ "$status" -ne 0 ]
}
