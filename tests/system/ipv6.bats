#!/usr/bin/env bats
# IPv6 on networks: subnets, addresses, names, ports and walls. And what stays away where a network has none.

bats_require_minimum_version 1.5.0

# A host beyond the machine: an interface with IPv6 whose other end is in a namespace of its own.
setup_file() {
    load lib
    require root curl jq python3 nsenter ip busybox
    ip link set lo up
    kegd_start
    image_busybox
    unshare -n sleep 1000 3>&- &
    echo $! >"$KEG_ROOT/outside.pid"
    disown
    eventually outside true
    ip link add wan type veth peer name wan netns "$(cat "$KEG_ROOT/outside.pid")"
    outside ip link set lo up
    ip addr add 2001:db8::1/64 dev wan nodad
    outside ip addr add 2001:db8::2/64 dev wan nodad
    ip link set wan up
    outside ip link set wan up
    keg network create --ipv6 six >/dev/null
    keg network create --ipv6 --ipv4=false only >/dev/null
    keg network create four >/dev/null
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
    keg network prune -f --filter label=temporary >/dev/null
}

outside() { nsenter -t "$(cat "$KEG_ROOT/outside.pid")" -n "$@"; }

up() { # NAME NETWORK [options…]
    keg run -d --name "$1" --network "$2" "${@:3}" busybox sleep 1000 >/dev/null
}

serving() { # NAME NETWORK [options…]: answers its name on port 80
    keg run -d --name "$1" --network "$2" "${@:3}" busybox \
        sh -c "echo $1 >/tmp/index.html; httpd -f -h /tmp -p [::]:80" >/dev/null
}

page() { # URL [curl options…]
    curl -sg --max-time 3 "$@"
}

address() { # CONTAINER NETWORK [MEMBER]
    keg inspect "$1" | jq -r ".[0].NetworkSettings.Networks[\"$2\"].${3:-GlobalIPv6Address}"
}

ask() { # CONTAINER TYPE NAME
    nsenter -t "$(keg inspect -f '{{.State.Pid}}' "$1")" -n python3 "$BATS_TEST_DIRNAME/dns_tool.py" ask "${@:2}"
}

shape() { keg network inspect "$1" | jq -c '.[0] | [.EnableIPv4, .EnableIPv6, (.IPAM.Config | sort_by(.Subnet))]'; }

create() { keg network create --label temporary "$@"; }

@test "network create: a local subnet is chosen, or those that are asked for are taken" {
    [[ $(shape six) =~ ^\[true,true,\[\{\"Subnet\":\"172\.[0-9.]+/24\",\"Gateway\":\"172[0-9.]+\.1\"\},\{\"Subnet\":\"fd[0-9a-f:]+::/64\",\"Gateway\":\"fd[0-9a-f:]+::1\"\}\]\]$ ]]
    [[ $(shape only) =~ ^\[false,true,\[\{\"Subnet\":\"fd[0-9a-f:]+::/64\",\"Gateway\":\"fd[0-9a-f:]+::1\"\}\]\]$ ]]
    [ "$(shape six | grep -o 'fd[0-9a-f:]*::/64' | cut -c1-14)" = "$(shape only | grep -o 'fd[0-9a-f:]*::/64' | cut -c1-14)" ]
    create --ipv6 --subnet fd00:6::/64 --subnet 10.66.0.0/24 --gateway fd00:6::9 --ip-range fd00:6::8000/113 both
    [ "$(shape both | jq -c '.[2][1]')" = '{"Subnet":"fd00:6::/64","IPRange":"fd00:6::8000/113","Gateway":"fd00:6::9"}' ]
    [ "$(shape both | jq -c '.[2][0]')" = '{"Subnet":"10.66.0.0/24"}' ]
    up web both
    [ "$(address web both)" = fd00:6::8000 ] || [ "$(address web both)" = fd00:6::8001 ]
    [ "$(address web both IPv6Gateway)" = fd00:6::9 ]
    [ "$(address web both GlobalIPv6PrefixLen)" = 64 ]
    [ "$(keg network ls --filter name=both --format '{{.IPv6}}')" = true ]
    # a subnet of a family that isn't enabled is kept, and means nothing
    create --subnet fd00:5::/64 asleep
    [ "$(shape asleep | jq -c '.[0:2]')" = '[true,false]' ]
    keg run --rm --network asleep --ip6 fd00:5::5 busybox sh -c '! ip -6 addr show eth0 | grep inet6'
    create -o com.docker.network.enable_ipv6=true option
    [ "$(shape option | jq .[1])" = true ]
    # older clients can't turn IPv4 off
    api POST /v1.47/networks/create -H 'Content-Type: application/json' \
        -d '{"Name":"old","EnableIPv4":false,"EnableIPv6":true,"Labels":{"temporary":""}}'
    [ "$(shape old | jq .[0])" = true ]
    [ "$(api GET /v1.44/networks/old | jq .EnableIPv4)" = true ]
}

@test "network create: what can't be had is refused in Docker's words" {
    create --ipv6 --subnet fd00:7::/64 seven
    run create --ipv6 --subnet fd00:7::/80 x
    [[ $status = 1 && $output == *"invalid pool request: Pool overlaps with other one on this address space"* ]]
    run create --ipv6 --subnet fd00:8::/64 --subnet fd00:9::/64 x
    [[ $status = 1 && $output == *"bridge driver doesn't support multiple subnets"* ]]
    run create --ipv6 --subnet fd00:8::1/64 x
    [[ $status = 1 && $output == *"invalid subnet fd00:8::1/64: it should be fd00:8::/64"* ]]
    run create --ipv6 --subnet ::ffff:10.0.0.0/112 x
    [ "$status" = 1 ]
    run create --ipv4=false x
    [[ $status = 1 && $output == *"IPv4 or IPv6 must be enabled"* ]]
    run create -o com.docker.network.bridge.gateway_mode_ipv6=foo x
    [[ $status = 1 && $output == *"failed to parse com.docker.network.bridge.gateway_mode_ipv6 value: foo (unknown gateway mode foo)"* ]]
    run keg run --rm --network seven --ip6 fd00:77::1 busybox true
    [[ $output == *$'invalid config for network seven: invalid endpoint settings:\nno configured subnet or ip-range contain the IP address fd00:77::1'* ]]
    run keg run --rm --network seven --ip6 nonsense busybox true
    [[ $output == *$'* invalid IPv6 address: nonsense\n* no configured subnet'* ]]
    run keg run --rm --network six --ip6 fd00:77::1 busybox true
    [[ $output == *"user specified IP address is supported only when connecting to networks with user configured subnets"* ]]
    run keg run --rm --ip6 fd00:77::1 busybox true
    [[ $output == *"* user specified IP address is supported on user defined networks only"* ]]
    up first seven --ip6 fd00:7::78
    run keg run --rm --network seven --ip6 fd00:7:0::78 busybox true
    [[ $output == *"failed to set up container networking: Address already in use"* ]]
    refute keg network inspect x
}

@test "a container's addresses, routes, files and settings; none of it without IPv6" {
    up web six
    local ip
    ip=$(address web six)
    [[ $(keg exec web ip -6 addr show eth0) == *"inet6 $ip/64 scope global"*"scope link"* ]]
    [[ $(keg exec web ip -6 addr show eth0) != *tentative* ]]
    [[ $(keg exec web ip -6 route) == *"default via $(address web six IPv6Gateway) dev eth0"* ]]
    [ "$(keg exec web sh -c 'cd /proc/sys/net/ipv6/conf/eth0; cat disable_ipv6 accept_ra accept_dad' | tr '\n' ' ')" = "0 0 0 " ]
    [ "$(keg exec web tail -n 1 /etc/hosts)" = "$ip"$'\t'"$(keg inspect -f '{{.Config.Hostname}}' web)" ]
    [ "$(keg network inspect six | jq -r '.[0].Containers[].IPv6Address')" = "$ip/64" ]
    up solo only
    [[ $(keg exec solo ip -4 addr show eth0) != *inet* ]]
    [ "$(address solo only IPAddress)" = "" ]
    [ "$(keg exec solo ip route)" = "" ]
    for network in four bridge none; do
        run keg run --rm --network "$network" busybox sh -c 'ip -6 addr; ip -6 route show default; cat /proc/sys/net/ipv6/conf/lo/disable_ipv6'
        [[ $output == *"inet6 ::1/128"*0 && $output != *fe80* && $output != *fd* ]]
    done
    # the default bridge keeps out of it on the host's side as well
    [ "$(cat "/proc/sys/net/ipv6/conf/$(keg network inspect bridge | jq -r '.[0].Options["com.docker.network.bridge.name"]')/disable_ipv6")" = 1 ]
}

@test "names: AAAA, reverse, both families of one name; containers reach each other, other networks don't" {
    serving web six
    up asker six
    serving solo only
    local ip
    ip=$(address web six)
    [ "$(ask asker AAAA web)" = "NOERROR $ip" ]
    [ "$(ask asker A web)" = "NOERROR $(address web six IPAddress)" ]
    [ "$(ask solo A solo)" = NOERROR ]
    [ "$(ask solo AAAA solo.only)" = "NOERROR $(address solo only)" ]
    [ "$(ask asker PTR "$(python3 -c "import ipaddress; print(ipaddress.ip_address('$ip').reverse_pointer)")")" = "NOERROR web.six" ]
    eventually keg exec asker timeout 3 wget -qO- "http://[$ip]/"
    keg exec asker ping -6 -c 1 -W 2 web
    refute keg exec asker timeout 1 wget -qO- "http://[$(address solo only)]/"
    refute keg exec solo ping -6 -c 1 -W 1 "$ip"
    refute outside busybox ping -6 -c 1 -W 1 "$ip"
}

@test "ports: on every address of both families, on one, and what goes out is masqueraded" {
    serving web six -p 8080:80 -p '[2001:db8::1]:8081:80' -p 127.0.0.1::80
    serving solo only -p 8082:80
    [ "$(keg port web 80 | sed -n 1,2p)" = $'0.0.0.0:8080\n[::]:8080' ]
    [[ $(keg ps --filter name=web --format '{{.Ports}}') == *"[::]:8080->80/tcp"* ]]
    [ "$(keg inspect solo | jq -c '.[0].NetworkSettings.Ports')" = '{"80/tcp":[{"HostIp":"::","HostPort":"8082"}]}' ]
    eventually page "http://[2001:db8::1]:8080/"
    [ "$(page "http://[2001:db8::1]:8080/")" = web ]
    [ "$(page "http://localhost:8080/")" = web ] # ::1 is refused at once, 127.0.0.1 is next
    for port in 8080 8081; do [ "$(outside curl -sg --max-time 3 "http://[2001:db8::1]:$port/")" = web ]; done
    [ "$(outside curl -sg --max-time 3 "http://[2001:db8::1]:8082/")" = solo ]
    # by way of the host, from a container of the same network and from another's
    up near six
    for client in near solo; do [ "$(keg exec "$client" timeout 3 wget -qO- "http://[2001:db8::1]:8080/")" = web ]; done
    keg exec web ping -6 -c 1 -W 2 2001:db8::2
    run keg run --rm --network six -p '[::]:8080:80' busybox true
    [[ $output == *"Bind for :::8080 failed: port is already allocated"* ]]
    run keg run --rm -p '[::]:8090:80' busybox true
    [[ $output == *"cannot publish on ::"* ]]
    keg run --rm --network six -p 0.0.0.0:8091:80 -p 8092:80/udp --name one -d busybox sleep 100
    [ "$(keg inspect one | jq -c '.[0].NetworkSettings.Ports["80/tcp"]')" = '[{"HostIp":"0.0.0.0","HostPort":"8091"}]' ]
    keg run -d --name any --network six -P --expose 80 busybox sleep 100
    [ "$(keg inspect any | jq '.[0].NetworkSettings.Ports["80/tcp"] | length, ([.[].HostPort] | unique | length)' | tr '\n' ' ')" = "2 1 " ]
}

@test "an internal network has IPv6 among its own, and no way out" {
    create --ipv6 --internal cell
    up one cell
    up two cell
    [[ $(keg exec one ip -6 route) != *default* ]]
    [ "$(address one cell IPv6Gateway)" = "" ]
    keg exec one ping -6 -c 1 -W 2 two
    refute keg exec one ping -6 -c 1 -W 1 2001:db8::2
}

@test "connect and disconnect: addresses, routes, files and ports come and go; kegd may be away" {
    serving web four -p 8080:80
    [ "$(keg inspect web | jq -c '.[0].NetworkSettings.Ports["80/tcp"]|length')" = 1 ]
    keg network connect six web
    local ip
    ip=$(address web six)
    [ "$(keg inspect web | jq -c '.[0].NetworkSettings.Ports["80/tcp"]|length')" = 2 ]
    [ "$(outside curl -sg --max-time 3 "http://[2001:db8::1]:8080/")" = web ]
    [[ $(keg exec web ip -6 route) == *"default via"* ]]
    keg exec web grep -q "^$ip" /etc/hosts
    kegd_kill KILL
    [ "$(outside curl -sg --max-time 3 "http://[2001:db8::1]:8080/")" = web ]
    kegd_start
    [ "$(outside curl -sg --max-time 3 "http://[2001:db8::1]:8080/")" = web ]
    [ "$(address web six)" = "$ip" ]
    up other six
    [ "$(address other six)" != "$ip" ]
    keg network disconnect six web
    [[ $(keg exec web ip -6 route) != *default* ]]
    refute keg exec web grep -q "^$ip" /etc/hosts
    refute outside curl -sg --max-time 1 "http://[2001:db8::1]:8080/"
    [ "$(page http://127.0.0.1:8080/)" = web ]
}

@test "a container that is brought back by its policy keeps its address" {
    keg run -d --name again --network six --restart always busybox sh -c 'ip -6 addr show eth0 | grep -c global; [ -e /x ] && sleep 1000; touch /x' >/dev/null
    eventually [ "$(keg inspect -f '{{.RestartCount}}' again)" -ge 0 ]
    eventually sh -c '[ "$(keg logs again | wc -l)" = 2 ]'
    [ "$(keg logs again | tr '\n' ' ')" = "1 1 " ]
}

@test "kegd's options: the default bridge has IPv6, pools, no rules" {
    kegd_kill TERM
    kegd_start --ipv6 --fixed-cidr-v6 fd00:77::/64 --default-address-pool base=fd00:99::/48,size=64
    [ "$(shape bridge | jq -c '[.[1], .[2][1].Subnet, .[2][1].Gateway]')" = '[true,"fd00:77::/64","fd00:77::1"]' ]
    keg run --rm busybox ip -6 addr show eth0 | grep -q 'inet6 fd00:77::2/64'
    create --ipv6 pooled
    [[ $(shape pooled) == *'"Subnet":"fd00:99::/64"'* ]]
    keg network rm pooled
    kegd_kill TERM
    kegd_start --ipv6 --bip6 fd00:78::5/64 --ip6tables=false
    [ "$(shape bridge | jq -c '.[2][1]')" = '{"Subnet":"fd00:78::/64","Gateway":"fd00:78::5"}' ]
    refute nft list table ip6 "$(nft list tables ip | awk '{print $3; exit}')"
    kegd_kill TERM
    kegd_start
    [ "$(shape bridge | jq -c '[.[1], (.[2] | length)]')" = '[false,1]' ]
}

@test "nothing is left: interfaces, rules, addresses" {
    local before after
    before=$(leftovers)
    create --ipv6 passing
    up web passing -p 8080:80
    keg rm -f web
    keg network rm passing
    eventually [ "$before" = "$(leftovers)" ]
    after=$(leftovers)
    diff <(echo "$before") <(echo "$after")
}
