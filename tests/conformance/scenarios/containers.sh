#: exec
q run -d --name cc --hostname hh -e A=1 -w /tmp busybox sleep 60
t exec cc echo hello
t exec cc sh -c 'exit 3'
t exec cc sh -c 'kill -9 $$'
t exec cc nosuchprogram
t exec cc /etc
t exec nosuch true
t exec cc
t exec cc pwd
t exec -w /etc cc pwd
t exec -w relative cc pwd
t exec -w /nosuch cc pwd
t exec -e B=2 cc env
t exec -u web cc id
t exec -u nobodyhere cc id
t exec -u 1000:2000 cc id
t exec cc sh -c 'echo out; echo err >&2'
echo in | t exec -i cc cat
t exec -d cc touch /tmp/detached
until_true "$DOCKER" exec cc test -e /tmp/detached
t exec -t cc sh -c 'tty; stty size'
t exec --privileged cc grep CapEff /proc/self/status
t exec cc grep CapEff /proc/self/status
t exec cc ps -o user,comm
t exec cc sh -c 'ls /proc/self/fd; cat /proc/self/oom_score_adj'
t exec cc grep -E 'Seccomp:|NoNewPrivs|Cpus_allowed_list' /proc/self/status
onterm exec -it cc sh <<'END'
expect # 
send tty\r
expect # 
send exit 5\r
END
onterm exec -it --detach-keys ctrl-x cc sh <<'END'
expect # 
send \x18
END
t stop -t 0 cc
t exec cc true

#: exec in a container that ends
q run -d --name cc busybox sleep 60
"$DOCKER" exec cc sleep 50 >log 2>&1 &
client=$!
until_true "$DOCKER" exec cc sh -c 'ps | grep "[s]leep 50"'
q kill cc
wait $client
echo "status $?"
cat log

#: exec, by the API
q run -d --name cc busybox sleep 60
id=$(curl -s --unix-socket "${DOCKER_HOST#unix://}" -X POST -H 'Content-Type: application/json' -d '{"Cmd":["sh","-c","echo a; exit 3"],"AttachStdout":true}' http://d/containers/cc/exec | sed 's/.*"Id":"\([0-9a-f]*\)".*/\1/')
echo "$id"
api GET /exec/$id/json | sed '1d;/^=/d' | flat
api POST /exec/$id/start '{"Detach":true}'
until_true sh -c "curl -s --unix-socket ${DOCKER_HOST#unix://} http://d/exec/$id/json | grep '\"Running\":false'"
api GET /exec/$id/json | sed '1d;/^=/d' | flat | grep -v Pid
api POST /exec/$id/start '{"Detach":true}'
api GET /exec/nosuch/json
api POST /containers/cc/exec '{"Cmd":[]}'
api POST /containers/cc/exec '{}'
api POST /containers/nosuch/exec '{"Cmd":["x"]}'
t inspect -f '{{.ExecIDs}}' cc

#: logs
q run --name cc busybox sh -c 'for i in 1 2 3 4 5; do echo line $i; done; sleep 0.2; echo err >&2; sleep 0.2; printf unfinished'
t logs cc
t logs --tail 2 cc
t logs -n 0 cc
t logs --tail all cc
t logs --tail nonsense cc
t logs --tail -1 cc
t logs -t cc
t logs -f cc
t logs --since 1h cc
t logs --since 2020-01-01 --until 2020-01-02 cc
t logs --until 0s cc
t logs --since nonsense cc
t logs --details cc
t logs nosuch

#: logs that follow
q run -d --name cc busybox sh -c 'for i in 1 2 3; do echo $i; sleep 0.2; done'
t logs -f cc
q run -d --name dd -t busybox sh -c 'echo terminal; sleep 0.3; echo more'
t logs -f dd
q create --name ee busybox true
t logs ee
t logs -f --tail 1 cc

#: logs of a long line
q run --name cc busybox sh -c 'head -c 40000 /dev/zero | tr "\0" x; echo; echo next'
t logs cc | md5sum
t logs --tail 1 cc
t logs --tail 2 cc | md5sum

#: logs by the API
q run --name cc busybox sh -c 'echo out; sleep 0.05; echo err >&2'
api GET '/containers/cc/logs?stdout=1&stderr=1' | od -c | head -20
api GET '/containers/cc/logs?stdout=1' | tail -n 2 | tr -d '\0\1\6'
api GET '/containers/cc/logs'
api GET '/containers/nosuch/logs?stdout=1'
api GET '/containers/cc/logs?stdout=1&tail=nonsense'
api GET '/containers/cc/logs?stdout=1&since=nonsense'

#: log drivers
t run --name cc --log-driver none busybox echo x
t logs cc
t inspect -f '{{json .HostConfig.LogConfig}} {{.LogPath}}' cc
t run --name dd --log-opt max-size=10k --log-opt max-file=2 busybox echo x
t inspect -f '{{json .HostConfig.LogConfig}}' dd
t run --name ee busybox echo x
t inspect -f '{{json .HostConfig.LogConfig}}' ee

#: ps
q run -d --name up --label a=1 -p 127.0.0.1:18200:80 busybox sleep 60
q run --name done0 busybox true
q run --name done3 --label a=2 busybox sh -c 'exit 3'
q create --name made -v vol:/v app:1
t ps
t ps -a
t ps -aq
t ps -q --no-trunc
t ps -l --format '{{.Names}}'
t ps -n 2 --format '{{.Names}}'
t ps -s --format '{{.Names}} {{.Size}}'
t ps -a --filter status=exited --format '{{.Names}}'
t ps -a --filter status=created --format '{{.Names}}'
t ps --filter status=running --format '{{.Names}}'
t ps -a --filter status=nonsense
t ps -a --filter exited=3 --format '{{.Names}}'
t ps -a --filter exited=nonsense
t ps -a --filter name=done --format '{{.Names}}'
t ps -a --filter 'name=^/done0$' --format '{{.Names}}'
t ps -a --filter 'name=^up' --format '{{.Names}}'
t ps -a --filter 'name=(' --format '{{.Names}}'
t ps -a --filter ancestor=busybox --format '{{.Names}}'
t ps -a --filter ancestor=app:1 --format '{{.Names}}'
t ps -a --filter ancestor=nosuch --format '{{.Names}}'
t ps -a --filter before=done3 --format '{{.Names}}'
t ps -a --filter since=done0 --format '{{.Names}}'
t ps -a --filter since=nosuch --format '{{.Names}}'
t ps -a --filter label=a --format '{{.Names}}'
t ps -a --filter label=a=2 --format '{{.Names}}'
t ps -a --filter volume=vol --format '{{.Names}}'
t ps -a --filter network=bridge --format '{{.Names}}'
t ps -a --filter network=none --format '{{.Names}}'
t ps -a --filter publish=18200 --format '{{.Names}}'
t ps -a --filter publish=80/tcp --format '{{.Names}}'
t ps -a --filter expose=8080 --format '{{.Names}}'
t ps -a --filter health=none --format '{{.Names}}'
t ps -a --filter is-task=false --format '{{.Names}}'
t ps -a --filter id="$("$DOCKER" inspect -f '{{slice .Id 0 12}}' up)" --format '{{.Names}}'
t ps -a --filter nonsense=1
t ps -a --format 'table {{.Names}}\t{{.Image}}\t{{.Command}}\t{{.State}}\t{{.Networks}}\t{{.Mounts}}'
t ps -a --no-trunc --format '{{.Command}}'
t ps -a --format json

#: ps, by the API
q run -d --name cc --label a=1 -p 127.0.0.1:18200:80 -v vol:/v busybox sleep 60
q create --name dd -v /tmp:/t:ro busybox
api GET '/containers/json?all=1' | sed '1d;/^=/d' | flat | sed 's/Created = .*/Created/'
api GET '/containers/json?all=1&size=1&limit=1' | sed '1d;/^=/d' | flat | grep Size
api GET '/containers/json?filters=nonsense'
api GET '/containers/json?filters=%7B%22status%22%3A%5B%22nonsense%22%5D%7D'
api GET '/containers/json?limit=nonsense'

#: inspect of a container, every field
q run -d --name cc --hostname hh busybox sleep 60
"$DOCKER" inspect cc | flat
q run --name dd --hostname hh -p 127.0.0.1:18300:80 -e A=1 -v vol:/v -w /tmp -u web -m 64m app:1 true
"$DOCKER" inspect dd | flat
q create --name ee busybox
"$DOCKER" inspect -s ee | flat

#: inspect
q run -d --name cc busybox sleep 60
t inspect -f '{{.State.Status}} {{.State.Running}} {{.State.Paused}} {{.State.Restarting}} {{.State.Dead}} {{.State.OOMKilled}}' cc
t inspect -f '{{range .Config.Env}}{{println .}}{{end}}' cc
t inspect -f '{{.NetworkSettings.IPAddress}} {{.NetworkSettings.Gateway}} {{.NetworkSettings.IPPrefixLen}} {{.NetworkSettings.MacAddress}}' cc
t inspect -f '{{range $k, $v := .NetworkSettings.Networks}}{{$k}} {{$v.NetworkID}} {{$v.IPAddress}}{{end}}' cc
t inspect -f '{{.Driver}} {{.Platform}} {{.MountLabel}} {{.AppArmorProfile}} {{.ResolvConfPath}}' cc
t inspect -f '{{json .GraphDriver.Name}}' cc
t inspect nosuch
t inspect cc nosuch -f '{{.Name}}'
t inspect --type image cc
t inspect --type container busybox
t inspect --type nonsense cc
t inspect -f '{{.Nonsense}}' cc
t inspect busybox -f '{{.Os}}'
t container inspect nosuch
t image inspect nosuch
t network inspect nosuch
t volume inspect nosuch
api GET /containers/nosuch/json
api GET '/containers/cc/json?size=1' | sed '1d;/^=/d' | flat | grep Size

#: references of containers
q create --name cc busybox
id=$("$DOCKER" inspect -f '{{.Id}}' cc)
t inspect -f '{{.Name}}' "$id"
t inspect -f '{{.Name}}' "${id:0:12}"
x test "$("$DOCKER" inspect -f '{{.Id}}' "${id:0:4}")" = "$id"
t inspect -f '{{.Name}}' /cc
t inspect -f '{{.Name}}' CC
t rm ""
t rm "${id:0:12}"

#: stop
q run -d --name cc busybox sh -c 'trap "exit 5" TERM; echo ready; while :; do sleep 0.1; done'
until_true sh -c '"$DOCKER" logs cc | grep ready'
t stop cc
t ps -a --format '{{.Names}} {{.Status}}'
t stop cc
q run -d --name dd busybox sleep 60
t stop -t 0 dd
t inspect -f '{{.State.ExitCode}} {{.State.Status}} {{.State.Pid}} {{.State.Error}}' dd
q run -d --name ee --stop-signal KILL busybox sleep 60
t stop ee
t inspect -f '{{.State.ExitCode}} {{.Config.StopSignal}}' ee
q run -d --name ff busybox sleep 60
t stop -s KILL ff
t stop -s NONSENSE ff
t stop nosuch
t stop ff nosuch ee
q create --name gg busybox
t stop gg
t inspect -f '{{.State.Status}} {{.State.ExitCode}}' gg
q create --name hh --stop-timeout 1 busybox sleep 60
t inspect -f '{{.Config.StopTimeout}}' hh
t start hh
t stop hh
t inspect -f '{{.State.ExitCode}}' hh

#: kill
q run -d --name cc busybox sh -c 'trap "echo usr1" USR1; echo ready; while :; do sleep 0.1; done'
until_true sh -c '"$DOCKER" logs cc | grep ready'
t kill -s USR1 cc
until_true sh -c '"$DOCKER" logs cc | grep usr1'
t kill -s SIGUSR1 cc
t kill -s 10 cc
t kill -s NONSENSE cc
t kill -s 99 cc
t kill -s 0 cc
t kill cc
until_true running cc false
t inspect -f '{{.State.ExitCode}}' cc
t kill cc
t kill nosuch
q create --name dd busybox
t kill dd

#: restart
q run -d --name cc busybox sh -c 'echo started; sleep 60'
t restart -t 0 cc
t ps -a --format '{{.Names}} {{.Status}}'
until_true sh -c '"$DOCKER" logs cc | grep -c started | grep 2'
t logs cc
t stop -t 0 cc
t restart cc
t inspect -f '{{.State.Running}} {{.RestartCount}}' cc
t restart nosuch
t restart -t 0 -s KILL cc

#: rm
q run -d --name cc busybox sleep 60
t rm cc
t rm -f cc
t rm nosuch
t rm -f nosuch
q create --name aa busybox
q create --name bb busybox
t rm aa nosuch bb
api DELETE /containers/nosuch
q run --rm -d --name auto busybox sleep 0.2
until_true sh -c '! "$DOCKER" inspect auto'
t ps -aq

#: wait
q run -d --name cc busybox sh -c 'sleep 0.5; exit 4'
t wait cc
t wait cc
t wait nosuch
q run -d --name dd busybox sleep 60
"$DOCKER" wait dd >log 2>&1 &
waiter=$!
sleep 0.3
q kill dd
wait $waiter
cat log
api POST '/containers/cc/wait?condition=not-running'
api POST '/containers/cc/wait?condition=nonsense'
q create --name ee busybox
api POST '/containers/ee/wait'
q run -d --rm --name ff busybox sh -c 'sleep 0.5; exit 6'
api POST '/containers/ff/wait?condition=removed'

#: top
q run -d --name cc busybox sh -c 'sleep 1000'
t top cc -o comm
t top cc -o pid,nonsense
t top cc | head -n 2 | sed 's/  */ /g;s/[0-9][0-9:]*/N/g'
t top cc aux | head -n 2 | sed 's/  */ /g;s/[0-9][0-9:.]*/N/g'
t top nosuch
q stop -t 0 cc
t top cc

#: attach
q run -d --name cc busybox sh -c 'sleep 0.5; echo out; echo err >&2; exit 3'
t attach cc
t attach cc
t attach nosuch
q run -d -i --name dd busybox cat
echo hello | for_a_moment "$DOCKER" attach dd
t ps -a --format '{{.Names}} {{.Status}}' --filter name=dd
for_a_moment "$DOCKER" attach --no-stdin dd
t logs dd

#: attach, signals go through
q run -d --name cc busybox sh -c 'trap "echo term; exit 8" TERM; while :; do sleep 0.1; done'
"$DOCKER" attach cc >log 2>&1 &
client=$!
sleep 0.5
kill -TERM $client
wait $client
echo "status $?"
cat log

#: two clients at once
q run -d -i --name cc busybox cat
"$DOCKER" attach --no-stdin cc >log 2>&1 &
client=$!
sleep 0.5
echo shared | for_a_moment "$DOCKER" attach cc
disown $client
kill -KILL $client
cat log

#: pause
q run -d --name cc busybox sleep 60
t pause cc
t ps --format '{{.Names}} {{.Status}}'
t inspect -f '{{.State.Status}} {{.State.Paused}} {{.State.Running}}' cc
t exec cc true
t pause cc
t unpause cc
t unpause cc
t pause nosuch

#: port, diff, stats, cp, commit, export, update
q run -d --name cc busybox sh -c 'echo x >/new; rm /etc/group; sleep 60'
until_true "$DOCKER" exec cc test -e /new
t port cc
t diff cc
t stats --no-stream --format '{{.Name}} {{.PIDs}}' cc
t cp cc:/new got
x cat got
echo given >gift
t cp gift cc:/root/gift
t exec cc cat /root/gift
t commit cc made:1
t run --rm made:1 cat /new
q export -o out.tar cc
x sh -c 'tar tf out.tar | grep -c "^new$"'
t update -m 64m --memory-swap 64m cc
t inspect -f '{{.HostConfig.Memory}}' cc

#: prune
q create --name cc --label a=1 busybox
q create --name dd busybox
t container prune -f --filter label=a=1
t container prune -f
t volume prune -f
t network prune -f
t image prune -f

#: many containers named in one command
q run -d --name aa busybox sleep 60
q run -d --name bb busybox sleep 60
t stop -t 0 aa bb
t start aa bb
t kill aa bb
t rm -f aa bb
