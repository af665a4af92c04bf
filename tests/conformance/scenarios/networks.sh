#: network ls
t network ls
t network ls -q
t network ls --no-trunc --format '{{.Name}} {{.Driver}} {{.Scope}} {{.IPv6}} {{.Internal}} {{.Labels}}'
t network ls --filter driver=bridge --format '{{.Name}}'
t network ls --filter name=brid --format '{{.Name}}'
t network ls --filter type=custom --format '{{.Name}}'
t network ls --filter type=builtin --format '{{.Name}}'
t network ls --filter type=nonsense --format '{{.Name}}'
t network ls --filter scope=local --format '{{.Name}}'
t network ls --filter dangling=true --format '{{.Name}}'
t network ls --filter nonsense=1
t network ls --format json

#: network inspect, every field
"$DOCKER" network inspect bridge host none | flat
q network create --label a=1 --subnet 10.99.0.0/24 --gateway 10.99.0.9 --opt com.docker.network.bridge.name=mybr n
"$DOCKER" network inspect n | flat
q run -d --name cc --network n busybox sleep 60
"$DOCKER" network inspect n | flat | grep Containers
"$DOCKER" inspect cc | flat | grep Networks
q run -d --name dd busybox sleep 60
"$DOCKER" network inspect bridge | flat | grep Containers | sed 's/ADDRESS.*//'

#: network create and rm
t network create n
t network create n
t network create host
t network create 'bad name'
t network create -d nonsense m
t network create --subnet nonsense m
t network create --subnet 10.99.0.1/33 m
t network create --subnet 10.98.0.0/24 m
t network create --subnet 10.98.0.0/24 o
t network create --gateway 10.97.0.1 p
t network create --subnet 10.97.0.0/24 --gateway 10.96.0.1 p
t network create --internal --label x=1 i
t network inspect -f '{{.Internal}} {{.Attachable}} {{.Ingress}} {{json .Labels}} {{json .Options}} {{.EnableIPv6}} {{.EnableIPv4}}' i
q run -d --name cc --network n busybox sleep 60
t run --rm --network n busybox ip -o link | grep -c eth0
t run --rm --network i busybox sh -c 'ip route | grep -c default'
t run --rm --network m --ip 10.98.0.77 busybox sh -c 'ip -o -4 addr show eth0 | grep -o "10.98.0.[0-9]*/[0-9]*"'
t run --rm --network m --ip 10.11.12.13 busybox true
t network rm n
t network inspect -f '{{range .Containers}}{{.Name}}{{end}}' n
q rm -f cc
t network rm n
t network rm bridge
t network rm nosuch
t network rm -f nosuch
t network rm m i nosuch
t ps -a --filter network=n

#: names between containers of a network
q network create n
q run -d --name server --network n --network-alias other busybox sh -c 'echo page >/tmp/index.html; httpd -f -h /tmp -p 80'
t run --rm --network n busybox sh -c 'for i in 1 2 3 4 5; do wget -qO- http://server/ && break; sleep 0.2; done'
t run --rm --network n busybox wget -qO- http://other/
t run --rm --network n busybox cat /etc/resolv.conf

#: network connect and disconnect
q network create n
q run -d --name cc busybox sleep 60
t network connect n cc
t exec cc sh -c 'ls /sys/class/net'
t inspect -f '{{range $k, $v := .NetworkSettings.Networks}}{{$k}} {{end}}' cc
t network disconnect n cc
t exec cc sh -c 'ls /sys/class/net'
t network connect nosuch cc
t network connect n nosuch
t network disconnect n cc

#: containers reach each other and the host
q run -d --name server busybox sh -c 'echo page >/tmp/index.html; httpd -f -h /tmp -p 80'
address=$("$DOCKER" inspect -f '{{.NetworkSettings.IPAddress}}' server)
t run --rm busybox sh -c "for i in 1 2 3 4 5; do wget -qO- http://$address/ && break; sleep 0.2; done"
x curl -s --max-time 3 "http://$address/"
gateway=$("$DOCKER" inspect -f '{{.NetworkSettings.Gateway}}' server)
q run -d --name pub -p 18500:80 busybox sh -c 'echo published >/tmp/index.html; httpd -f -h /tmp -p 80'
until_true curl -sf http://127.0.0.1:18500/
x curl -s --max-time 3 http://127.0.0.1:18500/
x curl -s --max-time 3 http://192.0.2.2:18500/
t run --rm busybox wget -qO- http://$gateway:18500/

#: network connect and disconnect, of running containers and others
q network create --subnet 10.99.0.0/24 n
q network create --subnet 10.99.1.0/24 m
q run -d --name cc --network n busybox sleep 60
q create --name st --network n busybox sleep 60
t network connect m cc
t network connect m cc
t network connect --ip 10.99.1.77 --alias al --gw-priority 7 m st
t network connect nope cc
t network connect m nope
t network connect --ip 10.9.9.9 m cc
t network connect --ip bogus m st
t network connect --alias x bridge st
t network connect host cc
t network connect none cc
"$DOCKER" inspect cc | flat | grep 'Networks.*\(Aliases\|Links\|GwPriority\|IPAM\|IPPrefix\|Gateway\)'
"$DOCKER" inspect st | flat | grep 'Networks.*\(Aliases\|Links\|GwPriority\|IPAM\)'
q start st
t exec st sh -c 'cut -d: -f1 /proc/net/dev | grep -o "eth[0-9]" | sort; grep -c ^10.99 /etc/hosts'
t network disconnect m cc
t network disconnect m cc
t network disconnect nope cc
t network disconnect -f n nope
t exec cc sh -c 'cut -d: -f1 /proc/net/dev | grep -o "eth[0-9]" | sort; grep -c ^10.99 /etc/hosts'
t network rm m
t network disconnect m st
t network rm m

#: names on networks of users
q network create --subnet 10.99.0.0/24 n
q network create --internal --subnet 10.99.1.0/24 inside
q run -d --name web --hostname www --network n --network-alias site --ip 10.99.0.20 busybox sleep 60
q run -d --name asker --network n --link web:linked busybox sleep 60
q run -d --name lone --network inside --ip 10.99.1.20 busybox sleep 60
names() { "$DOCKER" exec "$1" nslookup -type="$2" "$3" 127.0.0.11 2>&1 | grep -v '^$\|^Server\|^Address:.*:53\|Non-auth'; }
for name in web www site linked web.n WEB; do names asker a "$name"; done
names asker aaaa web
names asker ptr 20.0.99.10.in-addr.arpa
names lone a lone
names lone a web
t exec asker sh -c 'grep -v "^#" /etc/resolv.conf | grep -v "^$"'
t exec lone sh -c 'grep "^[no]" /etc/resolv.conf'
"$DOCKER" inspect web | flat | grep DNSNames

#: several networks at create, and what is refused
q network create --subnet 10.99.0.0/24 n
q network create m
t create --name c1 --network name=n,alias=one,ip=10.99.0.9 --network name=m,alias=two,gw-priority=3 busybox true
"$DOCKER" inspect c1 | flat | grep 'Networks.*\(Aliases\|GwPriority\|IPAM\)'
t create --network n --ip 10.9.9.9 busybox true
t create --network m --ip 10.9.9.9 busybox true
t network create --subnet 10.213.0.5/24 x
t network create --subnet 10.213.0.0/24 --gateway 10.1.1.1 x
t network create --subnet 10.213.0.0/24 --ip-range 10.1.1.0/25 x
t network create --subnet 10.213.0.0/24 --aux-address a=10.1.1.1 x
t network create --subnet 10.99.0.0/16 x
t network create -o com.docker.network.bridge.enable_icc=maybe x
t network create -o com.docker.network.bridge.gateway_mode_ipv4=bogus x

#: networks with IPv6
t network create --ipv6 --subnet fd00:6::/64 --subnet 10.66.0.0/24 --gateway fd00:6::9 both
t network inspect -f '{{.EnableIPv4}} {{.EnableIPv6}}' both
"$DOCKER" network inspect both | jq -c '.[0].IPAM.Config | sort_by(.Subnet)'
t network create --ipv6 --subnet fd00:6::/80 x
t network create --ipv6 --subnet fd00:8::/64 --subnet fd00:9::/64 x
t network create --ipv6 --subnet fd00:8::1/64 x
t network create --ipv4=false x
t network create --ipv4=false --ipv6 --subnet fd00:7::/64 only
q run -d --name aa --network both --ip6 fd00:6::77 --ip 10.66.0.77 -p 8080:80 busybox sleep 60
q run -d --name bb --network only -p 8081:80 busybox sleep 60
t inspect -f '{{json .NetworkSettings.Ports}}' aa bb
t inspect -f '{{with .NetworkSettings.Networks.both}}{{.IPAddress}}/{{.IPPrefixLen}} {{.Gateway}} {{.GlobalIPv6Address}}/{{.GlobalIPv6PrefixLen}} {{.IPv6Gateway}}{{end}}' aa
t inspect -f '{{with .NetworkSettings.Networks.only}}{{.IPAddress}}/{{.IPPrefixLen}} {{.Gateway}} {{.GlobalIPv6Address}}/{{.GlobalIPv6PrefixLen}} {{.IPv6Gateway}}{{end}}' bb
t exec aa sh -c 'ip -6 -o addr show eth0 | grep -o "inet6 fd[^ ]* scope [a-z]*"; ip -6 route; tail -n 2 /etc/hosts | cut -f1; cat /proc/sys/net/ipv6/conf/eth0/disable_ipv6'
t exec bb sh -c 'ip -4 -o addr show eth0; ip route; cat /proc/sys/net/ipv6/conf/lo/disable_ipv6'
t run --rm --network both --ip6 fd00:77::1 busybox true
t run --rm --network both --ip6 nonsense busybox true
t run --rm --ip6 fd00:77::1 busybox true
t run --rm busybox sh -c 'ip -6 addr; cat /proc/sys/net/ipv6/conf/eth0/disable_ipv6'
t network connect only aa
t exec aa sh -c 'ip -6 -o addr show eth1 | grep -o "inet6 fd[^ ]*"; ip -6 route show default'
t network disconnect both aa
t exec aa ip -6 route show default

#: macvlan and ipvlan networks
t network create -d macvlan -o parent=lo x
t network create -d macvlan -o parent=nosuch x
t network create -d macvlan -o macvlan_mode=foo x
t network create -d ipvlan -o ipvlan_mode=foo x
t network create -d ipvlan -o ipvlan_flag=foo x
x ip link add cmp0 type veth peer name cmp1
x ip link set cmp0 up
q network create -d macvlan -o parent=cmp0 --subnet 10.80.0.0/24 --subnet 10.81.0.0/24 flat
"$DOCKER" network inspect flat | flat
q run -d --name aa --network flat --ip 10.80.0.7 -p 80:80 busybox sleep 60
q run -d --name bb --network flat --ip 10.81.0.7 busybox sleep 60
t inspect -f '{{json .NetworkSettings.Ports}} {{with .NetworkSettings.Networks.flat}}{{.IPAddress}}/{{.IPPrefixLen}} {{.Gateway}}{{end}}' aa bb
t exec aa ip route
t exec aa ping -c 1 -W 1 -q bb
t network rm flat
x ip link del cmp0
