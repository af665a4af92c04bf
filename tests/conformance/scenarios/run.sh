#: exit statuses
t run --rm busybox true
t run --rm busybox false
t run --rm busybox sh -c 'exit 42'
t run --rm busybox sh -c 'kill -9 $$'
t run --rm busybox nosuchprogram
t run --rm busybox /etc
t run --rm busybox /etc/passwd
t run --rm app:1 /srv/broken
t run --rm --entrypoint /srv/broken app:1
t run --rm nosuchimage:latest

#: what fails at start leaves its container
t run --name broken busybox nosuchprogram
t ps -a --format '{{.Names}} {{.Status}}'
t inspect -f '{{.State.Status}} {{.State.ExitCode}} {{.State.Error}} {{.State.Pid}} {{.State.StartedAt}} {{.State.FinishedAt}}' broken
t start broken

#: output and error apart
t run --rm busybox sh -c 'echo out; echo err >&2'
t run --rm -t busybox sh -c 'echo out; tty; stty size'
echo "hello in" | t run --rm -i busybox cat
echo "not read" | t run --rm busybox cat
echo abc | t run --rm -i busybox sh -c 'read a; echo got $a; exit 3'
head -c 300000 /dev/zero | t run --rm -i busybox wc -c
t run --rm busybox sh -c 'head -c 300000 /dev/zero | tr "\0" a' | md5sum
t run --rm -a stderr busybox sh -c 'echo out; echo err >&2'

#: on a terminal
onterm run --rm -it --hostname hh busybox sh <<'END'
expect / #
send tty; stty size\r
expect / #
send ps -o comm\r
expect / #
send exit 5\r
END

#: on a terminal that changes its size
onterm run --rm -it --hostname hh busybox sh <<'END'
expect / #
wait 0.5
size 101 33
wait 0.5
send stty size\r
expect 33 101
expect / #
send exit\r
END

#: on a terminal, interrupted
onterm run --rm -it busybox sh -c 'trap "echo caught; exit 9" INT; echo ready; while :; do sleep 0.1; done' <<'END'
expect ready
send \x03
END

#: detach keys, attach again
onterm run -it --name cc --hostname hh busybox sh <<'END'
expect / #
send A=kept\r
expect / #
send \x10\x11
END
t inspect -f '{{.State.Running}} {{.Config.Tty}} {{.Config.OpenStdin}} {{.Config.StdinOnce}} {{.Config.AttachStdin}}' cc
onterm attach cc <<'END'
wait 0.3
send echo $A\r
expect kept
expect / #
send exit 4\r
END
t ps -a --format '{{.Names}} {{.Status}}'

#: detach keys of one's own
onterm run -it --name cc --hostname hh --detach-keys ctrl-a,x busybox sh <<'END'
expect / #
send \x01x
END
t run -it --rm --detach-keys nonsense busybox true
onterm attach --detach-keys q cc <<'END'
wait 0.3
send q
END
t inspect -f '{{.State.Running}}' cc

#: detached, published
q run -d --name web -p 127.0.0.1:18080:80 -p 18081:81/tcp -p 18053:53/udp busybox sh -c 'mkdir /w; echo page >/w/index.html; httpd -f -h /w -p 80'
t port web
t port web 80
t port web 53/udp
t port web 99
t ps --format '{{.Ports}}'
until_true curl -sf http://127.0.0.1:18080/
x curl -s http://127.0.0.1:18080/
t inspect -f '{{json .NetworkSettings.Ports}} {{json .HostConfig.PortBindings}} {{json .Config.ExposedPorts}}' web
t stop -t 1 web
t inspect -f '{{json .NetworkSettings.Ports}}' web
t port web

#: publishing all exposed ports
q run -d --name cc -P app:1 sleep 60
t port cc | sed 's/:[0-9]*$/:PORT/'
t inspect -f '{{json .HostConfig.PortBindings}} {{.HostConfig.PublishAllPorts}}' cc

#: port ranges and conflicts
q run -d --name one -p 18100-18102:80 busybox sleep 60
t port one
q run -d --name two -p 127.0.0.1:18110-18111:90-91 busybox sleep 60
t port two
t run -d --name three -p 127.0.0.1:18110:80 busybox sleep 60
t ps -a --format '{{.Names}} {{.Status}}' --filter name=three
t inspect -f '{{.State.Status}} {{.State.ExitCode}} {{.State.Error}}' three

#: port that a host's program has
python3 -m http.server 18120 --bind 127.0.0.1 >/dev/null 2>&1 &
server=$!
until_true curl -s http://127.0.0.1:18120/
t run -d --name cc -p 127.0.0.1:18120:80 busybox sleep 60
kill $server

#: environment
t run --rm busybox env
t run --rm -e A=1 -e B=two\ words -e C= busybox env
t run --rm -e HOME=/x busybox env
HOSTVAR=fromhost t run --rm -e HOSTVAR -e NOTSET busybox env
printf 'X=1\n# comment\nY=2\nHOSTVAR\n' >envs
t run --rm --env-file envs busybox env
t run --rm app:1 env
t run --rm -t -e A=1 busybox env
t run --rm --hostname box busybox env
t run --rm -e 'bad key=1' busybox env
t run --rm -u web busybox sh -c 'echo $HOME'

#: user, groups
t run --rm -u web busybox id
t run --rm -u 1000 busybox id
t run --rm -u 1000:2000 busybox id
t run --rm -u web:extra busybox id
t run --rm -u :2000 busybox id
t run --rm -u 4242 busybox id
t run --rm -u nobodyhere busybox id
t run --rm -u root:nogrouphere busybox id
t run --rm -u 0 --group-add extra --group-add 77 busybox id
t run --rm -u 99999999999 busybox id
t run --rm busybox grep -E '^(Uid|Gid|Groups)' /proc/self/status

#: working directory
t run --rm -w /tmp busybox pwd
t run --rm -w /made/by/run busybox sh -c 'pwd; stat -c "%a %u:%g" /made/by/run'
t run --rm -w relative busybox pwd
t run --rm app:1 sh -c 'pwd; stat -c "%a %u:%g" .'
t run --rm -w /etc/passwd busybox pwd
t create --name cc -w /x/../y/ busybox
t inspect -f '{{.Config.WorkingDir}}' cc

#: entrypoint and command
t run --rm app:1
t run --rm app:1 echo hi
t run --rm --entrypoint echo app:1
t run --rm --entrypoint echo app:1 a b
t run --rm --entrypoint "" app:1 echo plain
t run --rm --entrypoint "" app:1
t create --name cc --entrypoint echo app:1 x
t inspect -f '{{json .Config.Entrypoint}} {{json .Config.Cmd}} {{.Path}} {{json .Args}}' cc
t create --name dd app:1
t inspect -f '{{json .Config.Entrypoint}} {{json .Config.Cmd}} {{.Path}} {{json .Args}}' dd

#: hostname, hosts, resolver
t run --rm --hostname box busybox sh -c 'hostname; cat /etc/hostname; cat /etc/hosts'
t run --rm --hostname box.example.org busybox sh -c 'hostname; cat /etc/hosts'
t run --rm --hostname box --domainname example.org busybox sh -c 'hostname; cat /proc/sys/kernel/domainname; cat /etc/hosts'
t run --rm --add-host a:10.1.2.3 --add-host b=10.1.2.4 --hostname box busybox cat /etc/hosts
t run --rm --add-host nonsense busybox true
t run --rm --add-host a:1.2.3 busybox true
t run --rm --add-host g:host-gateway --hostname box busybox cat /etc/hosts
t run --rm --dns 192.0.2.53 --dns-search example.org --dns-option ndots:3 busybox cat /etc/resolv.conf
t run --rm --dns nonsense busybox true
t run --rm --hostname -bad- busybox hostname
t run --rm --hostname "$(printf 'a%.0s' $(seq 70))" busybox hostname
t run --rm --network none --hostname box busybox cat /etc/hosts
q run -d --name cc busybox sleep 60
x test "$("$DOCKER" exec cc hostname)" = "$("$DOCKER" inspect -f '{{slice .Id 0 12}}' cc)"

#: labels
printf 'x=1\ny\n' >labels
t run -d --name cc -l a=1 -l b --label c.d=e=f --label-file labels busybox true
t inspect -f '{{json .Config.Labels}}' cc
t create --name dd --label tier=mine app:1
t inspect -f '{{json .Config.Labels}}' dd
t ps -a --filter label=a --format '{{.Names}}'
t ps -a --filter label=a=1 --filter label=b --format '{{.Names}} {{.Label "a"}} {{.Labels}}'
t ps -a --filter label=a=2

#: read-only, tmpfs, shm
t run --rm --read-only busybox touch /x
t run --rm --read-only --tmpfs /tmp busybox sh -c 'touch /tmp/x && grep " /tmp " /proc/mounts'
t run --rm --tmpfs /run:size=1m,mode=700,noexec busybox sh -c 'grep " /run " /proc/mounts; stat -c %a /run'
t run --rm --tmpfs relative busybox true
t run --rm --tmpfs /t:nonsense=1 busybox true
t run --rm --shm-size 16m busybox sh -c 'grep " /dev/shm " /proc/mounts'
t run --rm --shm-size nonsense busybox true
t run --rm busybox sh -c 'grep " /dev/shm " /proc/mounts'
t run --rm --mount type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=1770 busybox sh -c 'grep " /t " /proc/mounts; stat -c %a /t'

#: mount table, devices, proc
t run --rm busybox sh -c 'cut -d" " -f2-4 /proc/mounts | grep -v "/sys/fs/cgroup\|^/ \|^/etc\|^/dev/pts" | sed "s/size=[0-9]*k,//"'
t run --rm busybox sh -c 'grep /dev/pts /proc/mounts; grep "/sys/fs/cgroup" /proc/mounts | cut -d" " -f2-4 | sort'
t run --rm busybox ls -l /dev
t run --rm -t busybox ls -l /dev/console
t run --rm busybox ls -ld /proc/kcore /proc/keys /proc/scsi /proc/acpi /sys/firmware /proc/timer_list
t run --rm busybox sh -c 'ls -ld / /etc /etc/hosts /etc/hostname /etc/resolv.conf /proc /sys /dev/shm /dev/mqueue | cut -c1-10'
t run --rm busybox ls -la /
t run --rm busybox sh -c 'echo 1 >/proc/sys/kernel/panic; mount -t tmpfs x /mnt; mknod /x b 8 0; cat /proc/self/cgroup | wc -l'
t run --rm busybox sh -c 'ls /proc/self/fd; cat /proc/self/oom_score_adj; umask; cat /proc/self/attr/current 2>/dev/null'

#: ulimits
t run --rm --ulimit nofile=100:200 --ulimit core=0 --ulimit nproc=64 busybox sh -c 'ulimit -n; ulimit -Hn; ulimit -c; grep -E "open files|processes|core" /proc/self/limits'
t run --rm --ulimit nofile=300:200 busybox true
t run --rm --ulimit nonsense=1 busybox true
t run --rm --ulimit nofile busybox true
t create --name cc --ulimit nofile=100 busybox
t inspect -f '{{json .HostConfig.Ulimits}}' cc

#: capabilities
for option in '' '--cap-add NET_ADMIN' '--cap-add CAP_SYS_TIME' '--cap-drop ALL' '--cap-drop all --cap-add chown' '--cap-add ALL' '--privileged' '-u web' '--cap-drop MKNOD -u web'; do
    t run --rm $option busybox grep -E 'Cap(Inh|Prm|Eff|Bnd|Amb)|NoNewPrivs|Seccomp:' /proc/self/status
done
t run --rm --cap-add NONSENSE busybox true
t create --name cc --cap-add net_admin --cap-drop CAP_CHOWN busybox
t inspect -f '{{json .HostConfig.CapAdd}} {{json .HostConfig.CapDrop}}' cc

#: security options
t run --rm --security-opt no-new-privileges busybox grep NoNewPrivs /proc/self/status
t run --rm --security-opt no-new-privileges:false busybox grep NoNewPrivs /proc/self/status
t run --rm --security-opt seccomp=unconfined busybox grep Seccomp: /proc/self/status
printf '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO"}]}' >profile
t run --rm --security-opt seccomp=profile busybox sh -c 'mkdir /x; grep Seccomp: /proc/self/status'
t run --rm --security-opt seccomp=missing busybox true
t run --rm --security-opt nonsense busybox true
t run --rm --security-opt nonsense=1 busybox true
t run --rm --security-opt label=disable busybox true
t run --rm --security-opt systempaths=unconfined busybox sh -c 'grep -c "/proc/" /proc/mounts'
t create --name cc --security-opt no-new-privileges --security-opt seccomp=unconfined busybox
t inspect -f '{{json .HostConfig.SecurityOpt}}' cc
t create --name dd --security-opt systempaths=unconfined busybox
t inspect -f '{{json .HostConfig.SecurityOpt}} {{json .HostConfig.MaskedPaths}} {{json .HostConfig.ReadonlyPaths}}' dd

#: privileged
t run --rm --privileged busybox sh -c 'mount -t tmpfs x /mnt && echo mounted; echo 0 >/proc/sys/kernel/printk_devkmsg 2>&1; ls /dev | wc -l | grep -q "^..$" && echo many; grep -E "Seccomp:|CapEff" /proc/self/status; grep " /sys " /proc/mounts; grep "/proc/" /proc/mounts'
t create --privileged --name cc busybox
t inspect -f '{{.HostConfig.Privileged}} {{json .HostConfig.SecurityOpt}} {{json .HostConfig.MaskedPaths}} {{json .HostConfig.ReadonlyPaths}} {{json .HostConfig.CapAdd}}' cc

#: sysctls
t run --rm --sysctl net.ipv4.ip_forward=0 --sysctl kernel.shmmax=1000000 busybox sysctl -n net.ipv4.ip_forward kernel.shmmax
t run --rm --sysctl kernel.panic=1 busybox true
t run --rm --sysctl nonsense busybox true
t run --rm --sysctl net.ipv4.nosuchthing=1 busybox true
t run --rm --network host --sysctl net.ipv4.ip_forward=1 busybox true

#: devices
t run --rm --device /dev/null:/dev/mine busybox ls -l /dev/mine
t run --rm --device /dev/zero:/dev/mine:r busybox sh -c 'head -c 3 /dev/mine | wc -c; echo x >/dev/mine'
t run --rm --device /dev/nosuch busybox true
t run --rm --device /dev/null:/dev/x:nonsense busybox true
t create --name cc --device /dev/null:/dev/mine busybox
t inspect -f '{{json .HostConfig.Devices}}' cc
t run --rm --device-cgroup-rule 'c 1:3 rwm' busybox true
t run --rm --device-cgroup-rule 'nonsense' busybox true

#: bind mounts
mkdir dir; echo data >dir/file
t run --rm -v "$PWD/dir:/d" busybox cat /d/file
t run --rm -v "$PWD/dir:/d:ro" busybox touch /d/x
t run --rm -v "$PWD/missing:/d" busybox ls -a /d
x stat -c '%F %a' missing
t run --rm --mount type=bind,src="$PWD/nothere",dst=/d busybox true
t run --rm --mount type=bind,src="$PWD/dir",dst=/d,readonly busybox touch /d/x
t run --rm -v "$PWD/dir/file:/f" busybox cat /ff
t run --rm -v ./dir:/d busybox ls /d
t run --rm -v relative/dir:/d busybox true
t run --rm -v "$PWD/dir:relative" busybox true
t run --rm -v "$PWD/dir:/d:nonsense" busybox true
t run --rm -v "$PWD/dir:/" busybox true
t run --rm -v "$PWD/dir:/d" -v "$PWD:/d" busybox true
t create --name cc -v "$PWD/dir:/d:ro" -v "$PWD/dir:/e:rslave" busybox
t inspect -f '{{json .Mounts}} {{json .HostConfig.Binds}} {{json .HostConfig.Mounts}} {{json .Config.Volumes}}' cc
t create --name dd --mount type=bind,src="$PWD/dir",dst=/d,bind-propagation=rshared busybox
t inspect -f '{{json .Mounts}} {{json .HostConfig.Binds}} {{json .HostConfig.Mounts}}' dd

#: volumes in containers
t run --rm -v vol:/d busybox sh -c 'echo kept >/d/x'
t run --rm -v vol:/d:ro busybox cat /d/x
t run --rm -v vol:/d:ro busybox touch /d/y
t run --name cc -v /anon busybox touch /anon/x
t inspect -f '{{range .Mounts}}{{.Type}} {{.Driver}} {{.Destination}} {{.RW}} {{.Mode}} {{.Propagation}} {{len .Name}}{{end}} {{json .Config.Volumes}} {{json .HostConfig.Binds}}' cc
t volume ls -q
t rm -v cc
t volume ls -q
t run --rm -v seeded:/srv/data app:1 ls -l /srv/data
t run --rm -v bare:/srv/data:nocopy app:1 ls -l /srv/data
t run --rm --mount type=volume,src=vol,dst=/d,volume-nocopy busybox ls /d
t run --rm --mount type=volume,dst=/d busybox ls /d
t run --rm --mount type=nonsense,dst=/d busybox true
t run --rm --mount src=vol busybox true
t run --rm -v 'bad name:/d' busybox true
t run --rm -v a:/d busybox true
q run -d --name holder -v vol:/d busybox sleep 60
t run --rm --volumes-from holder busybox cat /d/x
t run --rm --volumes-from holder:ro busybox touch /d/x
t run --rm --volumes-from nosuch busybox true
t volume rm vol
t ps --filter volume=vol --format '{{.Names}} {{.Mounts}} {{.LocalVolumes}}'
t ps --filter volume=/d --format '{{.Names}}'

#: init
t run --rm --init busybox ps -o comm,args
t run --rm --init busybox sh -c 'exit 7'
t create --name cc --init busybox
t inspect -f '{{.HostConfig.Init}}' cc
t create --name dd busybox
t inspect -f '{{.HostConfig.Init}}' dd

#: pids limit, cpus
t run --rm --pids-limit 20 busybox sh -c 'for i in $(seq 30); do sleep 1 & done 2>&1 | sort -u | head -n 1'
t create --name cc --pids-limit 20 --cpus 0.5 --cpu-shares 512 --cpuset-cpus 0 -m 64m --memory-reservation 32m busybox
t inspect -f '{{.HostConfig.PidsLimit}} {{.HostConfig.NanoCpus}} {{.HostConfig.CpuShares}} {{.HostConfig.CpusetCpus}} {{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} {{.HostConfig.MemoryReservation}}' cc
t run --rm --cpus 100 busybox true
t run --rm --cpus nonsense busybox true
t run --rm --cpuset-cpus 99 busybox true
t run --rm --cpuset-cpus nonsense busybox true
t run --rm --cpus 0.5 --cpu-quota 1000 busybox true
t run --rm --cpu-shares -1 busybox true
t run --rm -m 1m busybox true
t run --rm -m nonsense busybox true
t run --rm -m 64m --memory-swap 32m busybox true
t run --rm --memory-swap 64m busybox true
t run --rm -m 64m --memory-reservation 128m busybox true
t run --rm --blkio-weight 5 busybox true
t run --rm --memory-swappiness 101 busybox true
t run --rm --oom-score-adj 500 busybox cat /proc/self/oom_score_adj
t run --rm --oom-score-adj 5000 busybox true

#: out of memory
t run --name cc -m 16m --memory-swap 16m busybox sh -c 'x=a; while :; do x=$x$x; done'
t inspect -f '{{.State.OOMKilled}} {{.State.ExitCode}} {{.State.Status}}' cc
t run --name dd busybox true
t inspect -f '{{.State.OOMKilled}}' dd

#: namespaces shared
t run --rm --pid host busybox sh -c 'test $(ls -d /proc/[0-9]* | wc -l) -gt 5 && echo sees the host'
t run --rm --uts host busybox true
t run --rm --uts host --hostname x busybox true
t run --rm --ipc host busybox true
t run --rm --ipc private busybox true
t run --rm --ipc none busybox ls -d /dev/shm
t run --rm --ipc nonsense busybox true
t run --rm --pid nonsense busybox true
q run -d --name cc --ipc shareable busybox sleep 1234
t run --rm --pid container:cc busybox sh -c 'ps | grep -c "[s]leep 1234"'
t run --rm --ipc container:cc busybox true
t run --rm --network container:cc busybox hostname | wc -l
t run --rm --network container:cc -p 80:80 busybox true
t run --rm --network container:cc --hostname x busybox true
t run --rm --network container:nosuch busybox true
t run --rm --pid container:nosuch busybox true
t run --rm --userns host busybox true
t run --rm --cgroupns private busybox true
t run --rm --cgroupns host busybox true

#: networks of a run
t run --rm --network none busybox sh -c 'ip -o link | cut -d: -f2; ip route'
t run --rm --network host busybox sh -c 'ip -o link show d0 | cut -d: -f2; hostname' | tail -n 1 | wc -l
t run --rm --network bridge busybox sh -c 'ip -o link | sed "s/.*: \(.*\): <\(.*\)> mtu \([0-9]*\).*/\1 \2 \3/"; ip route | wc -l'
t run --rm --network nosuch busybox true
t run --rm --network host -p 80:80 busybox true
t run --rm --ip 172.17.0.99 busybox true
t run --rm --mac-address 02:42:ac:11:00:99 busybox cat /sys/class/net/eth0/address
t run --rm --mac-address nonsense busybox true
t run --rm --link nosuch busybox true
t run --rm --network-alias x busybox true

#: names
t create --name cc busybox
t create --name cc busybox
t create --name /dd busybox
t create --name 'bad name' busybox
t create --name x busybox
t create --name -xx busybox
t create --name "" busybox
t rename cc ee
t rename ee dd
t rename nosuch ff
t rename ee ee
t rename ee 'bad name'
t ps -a --format '{{.Names}}' --filter name=ee
t run -d --name cc busybox sleep 60
t rename cc c2
t inspect -f '{{.Name}}' c2

#: options that clients refuse
t run
t run --nonsense busybox
t run --rm --restart always busybox true
t run -d --rm --restart on-failure busybox true
t run --restart nonsense busybox true
t run --restart on-failure:-1 busybox true
t run --rm -e busybox
t run -d -a stdout busybox true
t run -p 99999:80 busybox true
t run -p nonsense busybox true
t run --expose nonsense busybox true
t run --stop-signal NONSENSE busybox true
t run --rm --log-driver nonsense busybox true
t run --rm --log-driver json-file --log-opt nonsense=1 busybox true
t run --rm --log-opt max-size=nonsense busybox true
t run --rm --runtime nonsense busybox true
t run --rm --isolation hyperv busybox true
t run --rm --platform linux/arm64 busybox true
t run --rm --pull never nosuch:1 true
t run --rm --storage-opt size=1G busybox true
t run --rm --gpus all busybox true
t run --cidfile cid --rm busybox true
x cat cid
t run --cidfile cid --rm busybox true

#: references of images
id=$("$DOCKER" images -q busybox)
full=$("$DOCKER" images -q --no-trunc busybox)
t run --rm "$id" echo short
t run --rm "$full" echo full
t run --rm "${full#sha256:}" echo bare
t run --rm docker.io/library/busybox:latest echo canonical
t run --rm library/busybox echo library
t run --rm Busybox true
t run --rm busybox:bad:tag true
t run --rm -- busybox echo dashes
t create --name cc "$id"
t inspect -f '{{.Config.Image}} {{.Image}}' cc
t ps -a --format '{{.Image}}'

#: docker create, start attached, start again
t create --name cc -i busybox cat
echo through | t start -ai cc
t ps -a --format '{{.Names}} {{.Status}}'
echo again | t start -i -a cc
t start cc
t start nosuch
q create --name dd busybox sh -c 'echo out; exit 6'
t start -a dd
t start cc dd
t start -a cc dd
t start --attach nosuch
t logs dd

#: signals to the client
"$DOCKER" run --name cc busybox sh -c 'trap "echo term; exit 8" TERM; echo ready; while :; do sleep 0.1; done' >log 2>&1 &
client=$!
until_true grep ready log
kill -TERM $client
wait $client
echo "status $?"
cat log

#: restart policy is kept
t create --name cc --restart unless-stopped busybox
t inspect -f '{{json .HostConfig.RestartPolicy}} {{.HostConfig.AutoRemove}} {{.RestartCount}}' cc
t create --name dd --restart on-failure:3 busybox
t inspect -f '{{json .HostConfig.RestartPolicy}}' dd
t create --name ee --rm busybox
t inspect -f '{{json .HostConfig.RestartPolicy}} {{.HostConfig.AutoRemove}}' ee
