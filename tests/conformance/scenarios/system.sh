#: version
t version --format '{{.Server.APIVersion}} {{.Server.MinAPIVersion}} {{.Server.Os}} {{.Server.Arch}}'
"$DOCKER" version --format json | flat --types
api GET /version | sed '1d;/^=/d' | flat --types
api GET /v1.24/version | tail -n 1
api GET /v1.51/_ping
api GET /v1.23/_ping
api GET /v1.99/_ping
api GET /v1.99/info
api GET /nosuch
api PUT /version
api HEAD /_ping
x curl -sI --unix-socket "${DOCKER_HOST#unix://}" http://d/_ping

#: info
"$DOCKER" info --format '{{json .}}' | flat --types
t info --format '{{.Driver}} {{.CgroupDriver}} {{.CgroupVersion}} {{.OSType}} {{.Architecture}} {{.NCPU}} {{.MemTotal}} {{.LoggingDriver}} {{.DefaultRuntime}} {{.SecurityOptions}}'
t info --format '{{.MemoryLimit}} {{.SwapLimit}} {{.CPUCfsPeriod}} {{.CPUCfsQuota}} {{.CPUShares}} {{.CPUSet}} {{.PidsLimit}} {{.IPv4Forwarding}} {{.OomKillDisable}} {{.Debug}} {{.KernelVersion}} {{.IndexServerAddress}}'
t info --format '{{json .Plugins}} {{json .RegistryConfig}} {{json .Runtimes}} {{json .Swarm}} {{json .Warnings}} {{json .DriverStatus}}'
t info | sed 's/^ *//' | cut -d: -f1

#: df
"$DOCKER" system df --format '{{.Type}} {{.TotalCount}} {{.Active}}'
api GET /system/df | sed '1d;/^=/d' | flat --types

#: events
since=$(date +%s.%N)
q run --name cc --label a=1 busybox true
q rm cc
q volume create v1
q volume rm v1
q network create n
q network rm n
q tag busybox x:1
q rmi x:1
until=$(date +%s.%N)
t events --since $since --until $until --format '{{.Type}} {{.Action}} {{.Actor.ID}} {{index .Actor.Attributes "name"}}'
t events --since $since --until $until --filter type=container --format '{{.Action}}'
t events --since $since --until $until --filter event=die --format '{{json .Actor.Attributes}}'
t events --since $since --until $until --filter container=cc --filter event=start --filter event=die --format '{{.Action}}'
t events --since $since --until $until --filter label=a=1 --format '{{.Action}}'
t events --since $since --until $until --filter image=busybox --format '{{.Type}} {{.Action}}'
t events --since $since --until $until --filter type=nonsense
t events --since $since --until $until --filter nonsense=1
t events --since $since --until $until --filter event=create | sed 's/^[^ ]* //'
t events --since $since --until $until --filter type=image --format json | sed 's/"time[A-Za-z]*":[0-9]*/T/g'
t events --since $since --until $until --filter type=network --format '{{json .}}' | sed 's/"time[A-Za-z]*":[0-9]*/T/g'
t events --since $since --until $until --filter type=volume --format '{{json .}}' | sed 's/"time[A-Za-z]*":[0-9]*/T/g'
t events --since $since --until $until --filter type=container --format '{{json .}}' | sed 's/"time[A-Za-z]*":[0-9]*/T/g;s/"execDuration":"[0-9]*"/D/'
t events --since nonsense

#: events of a life
since=$(date +%s.%N)
q run -d --name cc busybox sleep 60
q exec cc true
q rename cc dd
q stop -t 0 dd
q start dd
q kill -s USR1 dd
q restart -t 0 dd
q kill dd
q rm -f dd
q run --rm busybox true
q run --rm -m 16m --memory-swap 16m busybox true
t run --name ee busybox nosuchprogram
q create --name ff -v vol:/v busybox
q rm ff
q export -o /dev/null ee
sleep 0.3
until=$(date +%s.%N)
t events --since $since --until $until --filter type=container --format '{{.Action}} {{.Actor.Attributes.name}} {{index .Actor.Attributes "exitCode"}} {{index .Actor.Attributes "signal"}} {{index .Actor.Attributes "oldName"}}' | sed 's/ [a-z]*_[a-z]* / RANDOM /'
t events --since $since --until $until --filter type=network --format '{{.Action}} {{.Actor.Attributes.name}} {{.Actor.Attributes.type}}'
t events --since $since --until $until --filter type=volume --format '{{.Action}} {{json .Actor.Attributes}}'

#: events as they come
"$DOCKER" events --format '{{.Type}} {{.Action}}' >log 2>&1 &
watcher=$!
sleep 0.5
q run --rm busybox true
sleep 0.5
kill $watcher
cat log

#: commands without arguments and with too many
t nosuchcommand
t inspect
t stop
t ps extra
t version extra
t login -u x -p y 127.0.0.1:1 2>&1 | head -c 0

#: bad requests
api POST /containers/create
api POST /containers/create 'not json'
api POST /containers/create '{}'
api POST /containers/create '{"Image":""}'
api POST /containers/create '{"Image":"nosuch"}'
api POST '/containers/create?name=aa' '{"Image":"busybox","HostConfig":{"NetworkMode":"nosuch"}}'
api POST '/containers/aa/start'
api POST '/containers/create?name=bb' '{"Image":"busybox","Cmd":"sh"}'
api POST '/containers/create?name=bb' '{"Image":"busybox","Cmd":5}'
api POST '/containers/create?name=bb' '{"Image":"busybox","HostConfig":{"Memory":1000}}'
api POST '/containers/create?name=bb' '{"Image":"busybox","HostConfig":{"Memory":"1000"}}'
api POST '/containers/create?name=bb' '{"Image":"busybox","Unknown":true}'
api POST '/containers/bb/start' '{}'
api POST '/containers/bb/start'
api POST '/containers/bb/stop?t=0'
api POST '/containers/bb/stop?t=0'
api POST '/containers/bb/stop?t=nonsense'
api POST '/containers/bb/kill?signal=nonsense'
api POST '/containers/bb/resize?h=10&w=10'
api POST '/containers/bb/resize?h=nonsense'
api POST '/containers/bb/rename'
api POST '/containers/bb/rename?name='
api GET '/containers/bb/top'
api DELETE '/containers/bb?force=nonsense'
api GET '/events?since=nonsense'
api GET '/images/json?filters=%7B'
api POST '/volumes/create' '{"Name":"../x"}'
api POST '/networks/create' '{}'
api GET '/containers/..%2f..%2fetc/json'

#: answers of create, by the API
api POST '/containers/create?name=cc' '{"Image":"busybox"}'
"$DOCKER" inspect cc | flat
api POST '/v1.40/containers/create?name=dd' '{"Image":"busybox","HostConfig":{"Memory":67108864,"KernelMemory":1}}'
api POST '/containers/create?name=ee' '{"Image":"busybox","Hostname":"x","Env":["A=1"],"HostConfig":{"PortBindings":{"80/tcp":[{"HostPort":"18400"}]},"NetworkMode":"default"},"NetworkingConfig":{"EndpointsConfig":{"bridge":{}}}}'
"$DOCKER" inspect ee | flat | grep -E 'Network|Port'
