#!/usr/bin/env bats
# Networks of users: names, several networks a container, connect and disconnect, and what a container must not see.
# vm: long

bats_require_minimum_version 1.5.0

# A server for other names on the host's loopback, which the host's resolv.conf names.
setup_file() {
    load lib
    require root curl jq python3 nsenter ip
    ip link set lo up
    KEG_ROOT=$(mktemp -d /var/tmp/keg-test.XXXXXX)
    export KEG_ROOT
    echo "nameserver 127.0.0.1" >"$KEG_ROOT/resolv.conf"
    mount --bind "$KEG_ROOT/resolv.conf" /etc/resolv.conf
    : >"$KEG_ROOT/upstream.log"
    python3 "$BATS_TEST_DIRNAME/dns_tool.py" serve 127.0.0.1 "$KEG_ROOT/upstream.log" >"$KEG_ROOT/upstream.out" 3>&- &
    echo $! >"$KEG_ROOT/upstream.pid"
    disown
    kegd_start --log-level debug
    image_busybox
    eventually grep -q ready "$KEG_ROOT/upstream.out"
    keg network create one >/dev/null
    keg network create two >/dev/null
    keg network create --internal inside >/dev/null
    keg network create --subnet 10.99.0.0/24 --ip-range 10.99.0.128/25 --gateway 10.99.0.254 \
        --aux-address printer=10.99.0.128 fixed >/dev/null
}

teardown_file() {
    setup
    kill "$(cat "$KEG_ROOT/upstream.pid")"
    umount /etc/resolv.conf
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

up() { # NAME NETWORK [options…]
    keg run -d --name "$1" --network "$2" "${@:3}" busybox sleep 1000 >/dev/null
}

pid() { keg inspect -f '{{.State.Pid}}' "$1"; }

ask() { # CONTAINER [--tcp] [--edns N] TYPE NAME
    nsenter -t "$(pid "$1")" -n python3 "$BATS_TEST_DIRNAME/dns_tool.py" ask "${@:2}"
}

address() { # CONTAINER NETWORK
    keg inspect "$1" | jq -r ".[0].NetworkSettings.Networks[\"$2\"].IPAddress"
}

gateway_of() { # NETWORK
    keg network inspect "$1" | jq -r '.[0].IPAM.Config[0].Gateway'
}

gateway() { # CONTAINER: the line of its default route
    keg exec "$1" ip route | grep ^default || :
}

post() { # PATH JSON
    api POST "$1" -H 'Content-Type: application/json' -d "$2" -w '%{http_code}'
}

# ---- names ----

@test "names: container, short id, alias, hostname, name.network; in any case; A, AAAA, PTR" {
    up web one --network-alias site --hostname www
    up asker one
    local ip id
    ip=$(address web one) id=$(keg inspect -f '{{.Id}}' web)
    for name in web "${id:0:12}" site www web.one site.one WEB Web.One; do
        [ "$(ask asker A "$name")" = "NOERROR $ip" ]
    done
    [ "$(ask asker AAAA web)" = NOERROR ]
    [ "$(ask asker MX web)" = NOERROR ]
    [ "$(ask asker --tcp A web)" = "NOERROR $ip" ]
    [ "$(ask asker PTR "$(echo "$ip" | awk -F. '{print $4 "." $3 "." $2 "." $1}').in-addr.arpa")" = "NOERROR web.one" ]
    [ "$(ask web A web)" = "NOERROR $ip" ]
    keg exec asker ping -c 1 -W 2 site
    [ "$(keg exec asker cat /etc/resolv.conf)" = $'nameserver 127.0.0.11\noptions ndots:0' ]
    [ "$(keg inspect web | jq -c '.[0].NetworkSettings.Networks.one.DNSNames')" = "[\"web\",\"site\",\"${id:0:12}\",\"www\"]" ]
}

@test "names: a shared alias has every address, in changing order, and loses those who leave" {
    local i all first=
    for i in 1 2 3; do up "member$i" one --network-alias pool; done
    all=$(ask member1 A pool)
    for i in 1 2 3; do [[ $all == *"$(address "member$i" one)"* ]]; done
    [ "$(wc -w <<<"$all")" = 4 ]
    for i in $(seq 40); do first+=$(ask member1 A pool | cut -d' ' -f2)$'\n'; done
    [ "$(sort -u <<<"$first" | grep -c .)" = 3 ]
    keg stop -t 0 member2
    keg rm -f member3
    [ "$(ask member1 A pool)" = "NOERROR $(address member1 one)" ]
    keg start member2
    [ "$(ask member1 A pool | wc -w)" = 3 ]
    keg rename member2 renamed
    [ "$(ask member1 A renamed)" = "NOERROR $(address renamed one)" ]
    [ "$(ask member1 A member2)" = NXDOMAIN ]
}

@test "names: those of other networks aren't seen, nor are links of others" {
    up here one
    up there two --network-alias secret
    [ "$(ask here A there)" = NXDOMAIN ]
    [ "$(ask here A secret)" = NXDOMAIN ]
    [ "$(ask here A there.two)" = NXDOMAIN ]
    [ "$(ask here PTR "$(address there two | awk -F. '{print $4 "." $3 "." $2 "." $1}').in-addr.arpa")" = NXDOMAIN ]
    keg network connect --link there:other two here
    [ "$(ask here A there)" = "NOERROR $(address there two)" ]
    [ "$(ask here A other)" = "NOERROR $(address there two)" ]
    [ "$(ask there A other)" = NXDOMAIN ]
    keg network disconnect two here
    [ "$(ask here A there)" = NXDOMAIN ]
    [ "$(ask here A other)" = NXDOMAIN ]
    keg run -d --name plain busybox sleep 1000
    refute keg exec plain grep -q 127.0.0.11 /etc/resolv.conf
    refute keg exec plain ping -c 1 -W 1 "$(address here one)"
}

@test "others' names: by the host's resolvers, UDP and TCP, large answers, refusals, servers that are slow" {
    up asker one
    [ "$(ask asker A abcd.up.test)" = "NOERROR 192.0.2.4" ]
    [ "$(ask asker --tcp A abc.up.test)" = "NOERROR 192.0.2.3" ]
    grep -q "tcp abc.up.test" "$KEG_ROOT/upstream.log"
    [ "$(ask asker --half A abc.up.test)" = "NOERROR 192.0.2.3" ]
    [ "$(ask asker --half A asker)" = "NOERROR $(address asker one)" ]
    [ "$(ask asker --half A big.test | wc -w)" = 101 ]
    [ "$(ask asker A big.test)" = "NOERROR tc" ]
    [ "$(ask asker --edns 4096 A big.test | wc -w)" = 101 ]
    [ "$(ask asker --tcp A big.test | wc -w)" = 101 ]
    [ "$(ask asker A nowhere.test)" = NXDOMAIN ]
    [ "$(ask asker A refused.test)" = REFUSED ]
    # the host's file is read when it is needed; the first server is silent, the second one answers
    printf 'nameserver 127.9.9.9\nnameserver 127.0.0.1\n' >"$KEG_ROOT/resolv.conf"
    [ "$(ask asker A abcde.up.test)" = "NOERROR 192.0.2.5" ]
    : >"$KEG_ROOT/resolv.conf"
    [ "$(ask asker A abcde.up.test)" = NXDOMAIN ]
    echo "nameserver 127.0.0.1" >"$KEG_ROOT/resolv.conf"
    [ "$(ask asker A abcdef.up.test)" = "NOERROR 192.0.2.6" ]
}

@test "others' names: --dns is asked from the container, --dns-search and --dns-option are in resolv.conf" {
    up server one
    up asker one --dns "$(address server one)" --dns-search lan --dns-option ndots:2 --dns-option timeout:1
    [ "$(keg exec asker cat /etc/resolv.conf)" = $'nameserver 127.0.0.11\nsearch lan\noptions ndots:2 timeout:1' ]
    nsenter -t "$(pid server)" -n python3 "$BATS_TEST_DIRNAME/dns_tool.py" serve 0.0.0.0 "$KEG_ROOT/inner.log" \
        >"$KEG_ROOT/inner.out" 3>&- &
    local inner=$!
    eventually grep -q ready "$KEG_ROOT/inner.out" # port 53 of all addresses can be had beside the container's own server
    [ "$(ask asker A ab.up.test)" = "NOERROR 192.0.2.2" ]
    grep -q "udp ab.up.test" "$KEG_ROOT/inner.log"
    [ "$(ask asker A single)" = NXDOMAIN ] # with ndots set, short names aren't asked for elsewhere
    refute grep -q single "$KEG_ROOT/inner.log"
    [ "$(ask server A asker)" = "NOERROR $(address asker one)" ]
    kill "$inner"
}

@test "names on an internal network: known ones are answered, all others don't exist, at once" {
    up asker inside
    up peer inside
    [ "$(ask asker A peer)" = "NOERROR $(address peer inside)" ]
    : >"$KEG_ROOT/upstream.log"
    [ "$(ask asker A abcd.up.test)" = NXDOMAIN ]
    [ ! -s "$KEG_ROOT/upstream.log" ]
    [ -z "$(gateway asker)" ]
}

@test "names: what is no query gets what it deserves" {
    up asker one
    tool() { nsenter -t "$(pid asker)" -n python3 "$BATS_TEST_DIRNAME/dns_tool.py" send "$1"; }
    [ "$(tool 00)" = none ]
    [ "$(tool 123481800001000000000000)" = none ]                       # a response
    [ "$(tool 123401000001000000000000c00c00010001)" = FORMERR ]       # a pointer for a question
    [ "$(tool 123401000000000000000000)" = FORMERR ]                   # no question
    [ "$(tool 12340100000100000000000103776562000001000100)" = FORMERR ] # a record that isn't there
    [ "$(tool 123428000001000000000000037765620000010001)" = NOTIMP ]  # an update
    [ "$(ask asker A asker)" = "NOERROR $(address asker one)" ]
}

@test "names go on while kegd is away, and after it" {
    up web one --network-alias site
    up asker one
    local where container
    where=$(address web one) container=$(pid asker)
    kegd_kill KILL
    [ "$(nsenter -t "$container" -n python3 "$BATS_TEST_DIRNAME/dns_tool.py" ask A site)" = "NOERROR $where" ]
    [ "$(nsenter -t "$container" -n python3 "$BATS_TEST_DIRNAME/dns_tool.py" ask A ab.up.test)" = "NOERROR 192.0.2.2" ]
    kegd_start --log-level debug
    [ "$(ask asker A site)" = "NOERROR $where" ]
    keg rm -f web
    [ "$(ask asker A site)" = NXDOMAIN ]
}

@test "names: a container that shares another's network shares them" {
    up web one
    keg run -d --name guest --network container:web busybox sleep 1000
    [ "$(keg exec guest cat /etc/resolv.conf)" = "$(keg exec web cat /etc/resolv.conf)" ]
    [ "$(ask guest A web)" = "NOERROR $(address web one)" ]
    keg exec guest ping -c 1 -W 2 web
}

# ---- connect, disconnect ----

@test "connect and disconnect: interfaces, routes, files, events, inspect" {
    local since
    since=$(date +%s.%N)
    keg run -d --name plain busybox sleep 1000
    [[ $(gateway plain) == *eth0* ]]
    keg network connect --alias first --gw-priority 5 one plain
    [[ $(gateway plain) == *eth1* ]]
    [[ $(keg exec plain cat /etc/resolv.conf) == *127.0.0.11* ]]
    keg exec plain grep -q "^$(address plain one)" /etc/hosts
    [ "$(ask plain A first)" = "NOERROR $(address plain one)" ]
    [ "$(keg inspect plain | jq -c '.[0].NetworkSettings.Networks.one | [.Aliases,.GwPriority]')" = '[["first"],5]' ]
    [ "$(keg network inspect one | jq -r '.[0].Containers[].Name')" = plain ]
    keg network connect two plain
    [ "$(keg exec plain ls /sys/class/net | grep -c eth)" = 3 ]
    local gone
    gone=$(address plain one)
    keg network disconnect one plain
    [[ $(gateway plain) == *eth0* ]]
    refute keg exec plain grep -q "^$gone" /etc/hosts
    [ "$(keg exec plain ls /sys/class/net | tr '\n' ' ')" = "eth0 eth2 lo " ]
    keg network connect one plain
    [ "$(keg exec plain ls /sys/class/net | tr '\n' ' ')" = "eth0 eth1 eth2 lo " ]
    keg network disconnect two plain
    keg network disconnect one plain
    keg network disconnect bridge plain
    [ -z "$(keg exec plain ip route)" ]
    [ "$(keg inspect plain | jq -c '.[0].NetworkSettings.Networks')" = '{}' ]
    keg rm -f plain
    [ "$(keg events --since "$since" --until 0s --filter type=network --format '{{.Action}} {{.Actor.Attributes.name}}' |
        tr '\n' ',')" = "connect bridge,connect one,connect two,disconnect one,connect one,disconnect two,disconnect one,disconnect bridge," ]
}

@test "events: those of a container are its own, those of a network the network's" {
    local since id
    since=$(date +%s.%N)
    id=$(keg run -d --name web --network one busybox sleep 1000)
    keg rm -f web
    told() { keg events --since "$since" --until "$(date +%s.%N)" --format '{{.Type}} {{.Action}}' "$@" | sort -u | tr '\n' ','; }
    for name in "$id" "${id:0:12}" web; do
        [ "$(told --filter "container=$name")" = "container create,container destroy,container die,container kill,container start," ]
        [ "$(told --filter "container=$name" --filter type=network)" = "" ]
    done
    [ "$(told --filter network=one)" = "network connect,network disconnect," ]
}

@test "addresses: a stopped container's is free, and who comes too late can't start" {
    keg create --name first --network fixed --ip 10.99.0.200 busybox sleep 1000
    up second fixed --ip 10.99.0.200
    run keg start first
    [[ $status = 1 && $output == *"failed to set up container networking: Address already in use"* ]]
    [ "$(keg inspect -f '{{.State.ExitCode}} {{.State.Status}}' first)" = "128 created" ]
    keg inspect first | jq -e '.[0].NetworkSettings.Networks.fixed | .IPAddress == "" and .DNSNames[0] == "first"'
    keg stop -t 0 second
    keg start first
    [ "$(address first fixed)" = 10.99.0.200 ]
    [ "$(address second fixed)" = "" ]
    run keg start second
    [[ $status = 1 && $output == *"Address already in use"* ]]
    # names are known from connect or a start on
    keg create --name idle --network one busybox true
    [ "$(keg inspect idle | jq -c '.[0].NetworkSettings.Networks.one.DNSNames')" = null ]
    keg network connect --alias more two idle
    [ "$(keg inspect idle | jq -c '.[0].NetworkSettings.Networks.two.DNSNames[0:2]')" = '["idle","more"]' ]
}

@test "ports: SCTP, where the kernel has it" {
    if grep -qw SCTP /proc/net/protocols 2>/dev/null || modprobe -q sctp 2>/dev/null; then
        up web one -p 7777:7/sctp
        nft list ruleset | grep -q 'sctp \. 7777 : [0-9.]* \. 7'
        [ "$(keg port web)" = "7/sctp -> 0.0.0.0:7777" ]
        sctp() { python3 -c "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 132); $1"; }
        nsenter -t "$(pid web)" -n python3 -c 'import socket
s = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 132)
s.bind(("", 7))
s.listen()
s.accept()[0].send(b"hello")' 3>&- &
        local server=$!
        eventually grep -qw 7 "/proc/$server/net/sctp/eps"
        [ "$(sctp 's.connect(("'"$(gateway_of one)"'", 7777)); print(s.recv(9).decode())')" = hello ]
    else
        run up web one -p 7777:7/sctp
        [[ $output == *"failed to bind host port for 0.0.0.0:7777/sctp: protocol not supported: this kernel has no sctp"* ]]
    fi
}

@test "connect: stopped containers, several networks from create on, fixed addresses, after a restart" {
    keg create --name st --network one busybox sleep 1000
    keg network connect --ip 10.99.0.77 --alias kept fixed st
    [ "$(keg inspect st | jq -c '.[0].NetworkSettings.Networks | keys')" = '["fixed","one"]' ]
    keg start st
    [ "$(address st fixed)" = 10.99.0.77 ]
    [[ $(gateway st) == *10.99.0.254* ]] # of equals the first by name
    [ "$(ask st A kept)" = "NOERROR 10.99.0.77" ]
    kegd_kill KILL
    kegd_start --log-level debug
    keg network disconnect one st
    keg restart -t 0 st
    [ "$(address st fixed)" = 10.99.0.77 ]
    [ "$(keg exec st ls /sys/class/net | tr '\n' ' ')" = "eth0 lo " ]
    [ "$(post "/containers/create?name=many" '{"Image":"busybox","Cmd":["sleep","1000"],"HostConfig":{"NetworkMode":"one"},
        "NetworkingConfig":{"EndpointsConfig":{"one":{"Aliases":["x"]},"two":{"GwPriority":1},"fixed":{"DriverOpts":
        {"com.docker.network.endpoint.ifname":"lan7"}}}}}' | tail -c 3)" = 201 ]
    keg start many
    [ "$(keg exec many ls /sys/class/net | tr '\n' ' ')" = "eth0 eth1 lan7 lo " ] ||
        [ "$(keg exec many ls /sys/class/net | tr '\n' ' ')" = "eth0 eth2 lan7 lo " ]
    [[ $(gateway many) == *"$(keg network inspect two | jq -r '.[0].IPAM.Config[0].Gateway')"* ]]
    [ "$(address many fixed)" = 10.99.0.129 ] # of the range, past what is reserved
}

@test "connect and disconnect: published ports keep working" {
    up web one -p 127.0.0.1:18080:80
    keg exec -d web sh -c 'while :; do echo here | nc -l -p 80; done'
    fetch() { [ "$(timeout 2 bash -c 'read -r line </dev/tcp/127.0.0.1/18080 && echo "$line"')" = here ]; }
    eventually fetch
    keg network connect two web
    eventually fetch
    keg network disconnect one web
    eventually fetch
    [ "$(keg port web 80)" = 127.0.0.1:18080 ]
}

@test "connect and disconnect: refusals in Docker's words" {
    up web one
    keg run -d --name onhost --network host busybox sleep 1000
    keg create --name alone --network none busybox true
    keg create --name shares --network container:web busybox true
    [ "$(post /networks/nope/connect '{"Container":"web"}')" = $'{"message":"network nope not found"}\n404' ]
    [ "$(post /networks/one/connect '{"Container":"nope"}')" = $'{"message":"No such container: nope"}\n404' ]
    [[ $(post /networks/one/connect '{"Container":"web"}') == *"endpoint with name web already exists in network one"*403 ]]
    [[ $(post /networks/two/connect '{"Container":"onhost"}') == *"container sharing network namespace with another container or host cannot be connected to any other network"*400 ]]
    [[ $(post /networks/two/connect '{"Container":"shares"}') == *"container sharing network namespace"*400 ]]
    [[ $(post /networks/two/connect '{"Container":"alone"}') == *"container cannot be connected to multiple networks with one of the networks in private (none) mode"*400 ]]
    [[ $(post /networks/host/connect '{"Container":"web"}') == *"cannot connect container to host network - container must be created in host network mode"*400 ]]
    [[ $(post /networks/two/connect '{}') == *'invalid name or ID supplied: \"\"'*400 ]]
    [[ $(post /networks/two/connect '{"Container":"web","EndpointConfig":{"IPAMConfig":{"IPv4Address":"10.9.9.9"}}}') == *"user specified IP address is supported only when connecting to networks with user configured subnets"*400 ]]
    [[ $(post /networks/fixed/connect '{"Container":"web","EndpointConfig":{"IPAMConfig":{"IPv4Address":"10.9.9.9"}}}') == *"no configured subnet or ip-range contain the IP address 10.9.9.9"*400 ]]
    [[ $(post /networks/bridge/connect '{"Container":"web","EndpointConfig":{"Aliases":["x"]}}') == *"network-scoped alias is supported only for containers in user defined networks"*400 ]]
    [[ $(post /networks/two/disconnect '{"Container":"web"}') == *"is not connected to network two"*500 ]]
    [[ $(post /networks/host/disconnect '{"Container":"onhost"}') == *"cannot disconnect container from host network"*400 ]]
    [[ $(post /networks/one/disconnect '{"Container":"gone","Force":true}') == *"endpoint gone not found"*404 ]]
    [ "$(keg inspect web | jq -c '.[0].NetworkSettings.Networks | keys')" = '["one"]' ]
}

@test "create: networks by id are shown by name, settings that can't be had are refused" {
    run keg run --rm --network fixed --ip 10.99.0.254 busybox true
    [[ $output == *"Address already in use: 10.99.0.254 is the gateway on network fixed"* ]]
    local id
    id=$(keg network inspect -f '{{.Id}}' two)
    create() { post /containers/create "{\"Image\":\"busybox\",\"Cmd\":[\"sleep\",\"1000\"],$1}"; }
    [[ $(post "/containers/create?name=byid" "{\"Image\":\"busybox\",\"Cmd\":[\"sleep\",\"1000\"],\"HostConfig\":{\"NetworkMode\":\"$id\"},
        \"NetworkingConfig\":{\"EndpointsConfig\":{\"two\":{\"Aliases\":[\"zz\"]}}}}") == *201 ]]
    keg start byid
    [ "$(keg inspect byid | jq -c '.[0].NetworkSettings.Networks | map_values(.Aliases)')" = '{"two":["zz"]}' ]
    [[ $(create '"HostConfig":{"NetworkMode":"fixed"},"NetworkingConfig":{"EndpointsConfig":{"fixed":{"IPAMConfig":{"IPv4Address":"10.9.9.9"}}}}') == *'invalid config for network fixed: invalid endpoint settings:\nno configured subnet or ip-range contain the IP address 10.9.9.9'*400 ]]
    [[ $(create '"HostConfig":{"NetworkMode":"two"},"NetworkingConfig":{"EndpointsConfig":{"two":{"IPAMConfig":{"IPv4Address":"10.9.9.9"}}}}') == *'invalid config for network two: invalid endpoint settings:\nuser specified IP address is supported only'*400 ]]
    [[ $(create '"NetworkingConfig":{"EndpointsConfig":{"bridge":{"Aliases":["x"]}}}') == *'invalid config for network bridge: invalid endpoint settings:\nnetwork-scoped alias is supported only'*400 ]]
    keg run -d --name alone --network none busybox sleep 1000
    [ "$(keg inspect alone | jq -r '.[0].NetworkSettings.Networks.none.NetworkID')" = "$(keg network inspect -f '{{.Id}}' none)" ]
    [ "$(keg network inspect none | jq -r '.[0].Containers[].Name')" = alone ]
    keg network disconnect none alone
    [ "$(keg network inspect none | jq -c '.[0].Containers')" = '{}' ]
}

@test "network create: options are honoured, what can't be is refused in Docker's words" {
    make() { post /networks/create "{\"Name\":\"bad\",$1}"; }
    ipam() { make "\"IPAM\":{\"Config\":[$1]}"; }
    [[ $(make '"EnableIPv4":false') == *"IPv4 or IPv6 must be enabled"*400 ]]
    [[ $(ipam '{"Subnet":"10.213.0.0/24","Gateway":"10.99.0.1"}') == *"invalid gateway 10.99.0.1: parent subnet 10.213.0.0/24 doesn't contain this address"*400 ]]
    [[ $(ipam '{"Subnet":"10.213.0.5/24"}') == *"invalid subnet 10.213.0.5/24: it should be 10.213.0.0/24"*400 ]]
    [[ $(ipam '{"Subnet":"10.213.0.0/24","IPRange":"10.99.0.0/25"}') == *"invalid ip-range 10.99.0.0/25: parent subnet 10.213.0.0/24 doesn't contain ip-range"*400 ]]
    [[ $(ipam '{"Subnet":"10.213.0.0/24","AuxiliaryAddresses":{"a":"10.1.1.1"}}') == *"invalid auxiliary address a: parent subnet 10.213.0.0/24 doesn't contain this address"*400 ]]
    [[ $(ipam '{"Gateway":"10.213.0.1"}') == *"invalid subnet : invalid CIDR block notation"*400 ]]
    [[ $(ipam '{"Subnet":"10.99.0.0/16"}') == *"Pool overlaps with other one on this address space"*403 ]]
    [[ $(make '"Options":{"com.docker.network.bridge.enable_icc":"maybe"}') == *"failed to parse com.docker.network.bridge.enable_icc value: maybe"*400 ]]
    [[ $(make '"Options":{"com.docker.network.driver.mtu":"x"}') == *"failed to parse com.docker.network.driver.mtu value: x"*400 ]]
    [[ $(make '"Options":{"com.docker.network.bridge.gateway_mode_ipv4":"routed"}') == *"not implemented"*501 ]]
    keg network create -o com.docker.network.container_iface_prefix=lan -o com.docker.network.driver.mtu=1400 \
        -o com.docker.network.bridge.host_binding_ipv4=127.0.0.1 --label keep=no opted
    [[ $(make "\"Options\":{\"com.docker.network.bridge.name\":\"br-$(keg network inspect -f '{{.Id}}' opted | cut -c1-12)\"}") == *"networks have same bridge name"*403 ]]
    up web opted -p 80
    [ "$(keg exec web cat /sys/class/net/lan0/mtu)" = 1400 ]
    [[ $(keg port web 80) == 127.0.0.1:* ]]
    keg network prune -f --filter label=keep=no
    keg network inspect opted >/dev/null
    keg rm -f web
    [[ $(keg network prune -f --filter label=keep=no) == *opted* ]]
}

@test "nothing is left: interfaces, zones, addresses" {
    local before after
    calm() { refute grep -q veth <<<"$(ip -o link)" && [ -z "$(ls "$KEG_ROOT/run/containers")" ]; }
    eventually calm
    before=$(leftovers; find "$KEG_ROOT/run/zones" -type f -size +0 | wc -l)
    up web one
    keg network connect two web
    keg network connect fixed web
    keg network disconnect two web
    keg rm -f web
    left() { after=$(leftovers; find "$KEG_ROOT/run/zones" -type f -size +0 | wc -l) && [ "$before" = "$after" ]; }
    eventually left
    keg network create short >/dev/null
    up web short
    keg rm -f web
    keg network rm short
    [ "$(find "$KEG_ROOT/run/zones" -type f | wc -l)" -le 4 ]
}
