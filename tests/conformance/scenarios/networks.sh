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
