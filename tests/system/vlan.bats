#!/usr/bin/env bats
# macvlan and ipvlan: containers with links of their own on an interface of the host's.

bats_require_minimum_version 1.5.0

# The interface is one end of a pair whose other one is in a namespace of its own, as a neighbour on the wire.
setup_file() {
    load lib
    require root curl jq nsenter ip busybox
    ip link set lo up
    kegd_start
    image_busybox
    unshare -n sleep 1000 3>&- &
    echo $! >"$KEG_ROOT/outside.pid"
    disown
    ip link add wire type veth peer name wire netns "$(cat "$KEG_ROOT/outside.pid")"
    ip link set wire up
    outside sh -c 'ip link set wire up; ip addr add 10.80.0.254/24 dev wire; ip addr add fd00:80::fe/64 dev wire nodad'
}

teardown_file() {
    setup
    kill "$(cat "$KEG_ROOT/outside.pid")"
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
    keg network prune -f >/dev/null
}

outside() { nsenter -t "$(cat "$KEG_ROOT/outside.pid")" -n "$@"; }

# Whether the kernel has a kind of link.
has() {
    case $1 in
    ipvlan) ip link add kgtry link wire type ipvlan ;;
    macvlan) ip link add kgtry link wire type macvlan ;;
    vlan) ip link add kgtry link wire type vlan id 4000 ;;
    dummy) ip link add kgtry type dummy ;;
    esac 2>/dev/null && ip link del kgtry
}

needs() { has "$1" || skip "needs a kernel with $1 links"; }

up() { # NAME NETWORK [options…]
    keg run -d --name "$1" --network "$2" "${@:3}" busybox sleep 1000 >/dev/null
}

address() { keg inspect "$1" | jq -r ".[0].NetworkSettings.Networks[\"$2\"].IPAddress"; }

reaches() { keg exec "$1" ping -c 1 -W 2 "$2"; }

@test "macvlan: containers reach each other by name, and the wire; ports aren't published; restarts, kegd's end" {
    needs macvlan
    keg network create -d macvlan -o parent=wire --subnet 10.80.0.0/24 --gateway 10.80.0.254 --ipv6 --subnet fd00:80::/64 flat
    up one flat -p 80
    up two flat --ip 10.80.0.77 --ip6 fd00:80::77
    [ "$(address two flat)" = 10.80.0.77 ]
    [ "$(keg inspect one | jq -c '[.[0].NetworkSettings.Ports, .[0].NetworkSettings.Networks.flat.Gateway]')" = '[{},"10.80.0.254"]' ]
    [[ $(keg exec one ip route) == "default via 10.80.0.254 dev eth0"* ]]
    reaches one two
    reaches two 10.80.0.254
    keg exec two ping -6 -c 1 -W 2 fd00:80::fe
    outside busybox ping -c 1 -W 2 10.80.0.77
    run keg network rm flat
    [[ $status = 1 && $output == *"has active endpoints"* ]]
    run up late flat --ip 10.80.0.77
    [[ $output == *"Address already in use"* ]]
    kegd_kill KILL
    outside busybox ping -c 1 -W 2 10.80.0.77
    kegd_start
    up three flat
    [ "$(address three flat)" = 10.80.0.2 ]
    reaches three two
    keg restart -t 0 two
    outside busybox ping -c 1 -W 2 10.80.0.77
    keg run -d --name again --network flat --restart always busybox sh -c '[ -e /x ] && sleep 1000; touch /x; ip addr show eth0 | grep -c "inet 10.80"' >/dev/null
    eventually sh -c '[ "$(keg logs again)" = 1 ] && keg exec again ip addr show eth0 | grep -q "inet 10.80"'
    keg rm -f one two three again
    keg network rm flat
    ip link show wire # stays: it isn't ours
}

@test "macvlan: several subnets, several networks of one parent, modes" {
    needs macvlan
    keg network create -d macvlan -o parent=wire --subnet 10.81.0.0/30 --subnet 10.82.0.0/24 many
    up one many
    up two many
    [ "$(address one many)" = 10.81.0.2 ]
    [ "$(address two many)" = 10.82.0.2 ] # the first one is full
    up three many --ip 10.82.0.9
    keg network create -d macvlan -o parent=wire -o macvlan_mode=private --subnet 10.83.0.0/24 private
    up four private
    up five private
    refute reaches four "$(address five private)"
    run keg network create -d macvlan -o parent=wire -o macvlan_mode=passthru other
    [[ $status = 1 && $output == *"cannot use mode passthru, macvlan network"*"is already using parent interface wire"* ]]
}

@test "macvlan: a running container comes and goes; internal ones have no way out" {
    needs macvlan
    keg network create -d macvlan -o parent=wire --subnet 10.84.0.0/24 flat
    keg network create -d macvlan -o parent=wire --internal --subnet 10.85.0.0/24 inner
    up one inner
    [ "$(keg exec one ip route | grep -c default || :)" = 0 ]
    keg network connect flat one
    [[ $(keg exec one ip route) == "default via 10.84.0.1 dev eth1"* ]]
    keg network disconnect flat one
    [ "$(keg exec one ls /sys/class/net | tr '\n' ' ')" = "eth0 lo " ]
    keg network connect --ip 10.84.0.2 flat one # at once: the address is free again
    keg network create side
    keg run --rm --network side --network flat busybox ip addr show | grep -q 10.84.0.3
}

@test "what can't be had is refused in Docker's words, and leaves nothing" {
    local before kind
    for kind in dummy vlan ipvlan; do has $kind || :; done # a module may bring a link of its own
    before=$(ip -o link | wc -l)
    refused() { # WORDS COMMAND…
        run keg network create "${@:2}" x
        [[ $status = 1 && $output == *"$1"* ]] || { echo "$output"; return 1; }
    }
    refused "requested macvlan mode 'foo' is not valid, 'bridge' mode is the macvlan driver default" -d macvlan -o parent=wire -o macvlan_mode=foo
    refused "requested ipvlan mode 'foo' is not valid, 'l2' mode is the ipvlan driver default" -d ipvlan -o parent=wire -o ipvlan_mode=foo
    refused "requested ipvlan flag 'foo' is not valid, 'bridge' is the ipvlan driver default" -d ipvlan -o parent=wire -o ipvlan_flag=foo
    refused "loopback interface is not a valid macvlan parent link" -d macvlan -o parent=lo
    refused "invalid subinterface vlan name nosuch, example formatting is eth0.10" -d macvlan -o parent=nosuch
    refused "vlan id must be between 1-4094, received: 5000" -d macvlan -o parent=wire.5000
    refused "failed to find master interface nosuch" -d ipvlan -o parent=nosuch.7
    has dummy || refused "dummy link" -d macvlan
    has vlan || refused "failed to create wire.7 vlan link" -d macvlan -o parent=wire.7
    if ! has ipvlan; then
        keg network create -d ipvlan -o parent=wire late
        run keg run --rm --network late busybox true
        [[ $status = 125 && $output == *"cannot connect the container to network late by wire"* ]]
    fi
    [ "$(ip -o link | wc -l)" = "$before" ]
}

@test "ipvlan: l2 with a gateway, l3 by the link itself" {
    needs ipvlan
    keg network create -d ipvlan -o parent=wire --subnet 10.80.0.0/24 --gateway 10.80.0.254 layer2
    up one layer2
    up two layer2
    reaches one two
    reaches one 10.80.0.254
    [ "$(keg inspect one | jq -r '.[0].NetworkSettings.Networks.layer2.MacAddress')" = "" ]
    keg restart -t 0 one
    reaches two one
    keg rm -f one two
    keg network rm layer2
    keg network create -d ipvlan -o parent=wire -o ipvlan_mode=l3 --subnet 10.86.0.0/24 --subnet 10.87.0.0/24 layer3
    up one layer3
    up two layer3 --ip 10.87.0.5
    [[ $(keg exec one ip route) == "default dev eth0"* ]]
    reaches one 10.87.0.5
    reaches one two
}

@test "a VLAN or a dummy is made, and goes with the network" {
    needs vlan
    needs dummy
    keg network create -d macvlan -o parent=wire.7 --subnet 10.88.0.0/24 tagged
    [[ $(ip -d link show wire.7) == *"id 7"* ]]
    up one tagged
    up two tagged
    reaches one two
    keg rm -f one two
    keg network rm tagged
    refute ip link show wire.7
    keg network create -d macvlan --subnet 10.89.0.0/24 alone
    up one alone
    up two alone
    reaches one two
    [ "$(keg exec one ip route | grep -c default || :)" = 0 ]
    kegd_kill KILL
    kegd_start
    reaches one two
    keg rm -f one two
    ip -o link | grep -q ': dm-'
    keg network rm alone
    refute grep -q ': dm-' <<<"$(ip -o link)"
}
