#: definitions that are refused
create() { api POST "/v1.51/containers/create" "{\"Image\":\"busybox\",\"Cmd\":[\"true\"],$1}"; }
create '"HostConfig":{"ExtraHosts":["foo"]}'
create '"HostConfig":{"ExtraHosts":["foo:bar"]}'
create '"HostConfig":{"ExtraHosts":[":1.2.3.4"]}'
create '"HostConfig":{"Annotations":{"":"b"}}'
create '"HostConfig":{"CpuRealtimePeriod":1000,"CpuRealtimeRuntime":2000}'
create '"HostConfig":{"IOMaximumIOps":1}'
create '"HostConfig":{"IOMaximumBandwidth":1}'
create '"MacAddress":"foo"'
create '"MacAddress":"02:00:00:00:00:01","NetworkingConfig":{"EndpointsConfig":{"bridge":{"MacAddress":"02:00:00:00:00:02"}}}'
create '"HostConfig":{"PidMode":"container:nosuch"}'
create '"HostConfig":{"IpcMode":"container:nosuch"}'
create '"ExposedPorts":{"80/tcp":{}},"HostConfig":{"NetworkMode":"container:x"}'
create '"HostConfig":{"VolumeDriver":"foo","Binds":["vol:/x"]}'
create '"HostConfig":{"CapAdd":["FOO"]}'
create '"HostConfig":{"BlkioWeight":5}'
create '"HostConfig":{"AutoRemove":true,"RestartPolicy":{"Name":"always"}}'

#: definitions that get a warning
warned() { api POST "/v1.51/containers/create" "{\"Image\":\"busybox\",\"Cmd\":[\"true\"],$1}" | sed 's/"Id":"[0-9a-f]*"/"Id":"…"/'; }
warned '"HostConfig":{"Cgroup":"x","CpuCount":1,"KernelMemory":100000000}'
warned '"HostConfig":{"CpuPercent":1}'
warned '"HostConfig":{"OomKillDisable":true}'
warned '"MacAddress":"02:00:00:00:00:01"'
warned '"HostConfig":{"Mounts":[{"Type":"image","Source":"busybox","Target":"/m"}]}'

#: mounts that are refused
mounted() { api POST "/v1.51/containers/create" "{\"Image\":\"busybox\",\"Cmd\":[\"true\"],\"HostConfig\":{\"Mounts\":[{\"Target\":\"/m\",$1}]}}"; }
mounted '"Type":"bind","Source":"/tmp","VolumeOptions":{}'
mounted '"Type":"bind","Source":"/tmp","TmpfsOptions":{}'
mounted '"Type":"bind","Source":"/tmp","ImageOptions":{}'
mounted '"Type":"volume","BindOptions":{}'
mounted '"Type":"image","Source":"busybox","BindOptions":{}'
mounted '"Type":"bind","Source":"/tmp","BindOptions":{"Propagation":"foo"}'
mounted '"Type":"volume","VolumeOptions":{"Subpath":"x"}'
mounted '"Type":"volume","Source":"vol","VolumeOptions":{"Subpath":"/x"}'
mounted '"Type":"volume","Source":"vol","VolumeOptions":{"Subpath":"../x"}'
mounted '"Type":"image","Source":"busybox","ImageOptions":{"Subpath":"/etc"}'
mounted '"Type":"image","Source":"nosuch"'
mounted '"Type":"image"'
mounted '"Type":"npipe","Source":"a"'
mounted '"Type":"tmpfs","TmpfsOptions":{"Options":[["uid","7"]]}'

#: parts of volumes, and images, as mounts
t run --rm -v vol:/m busybox sh -c 'mkdir -p /m/a/b; echo hi >/m/a/b/f; ln -s a /m/l'
t run --rm --mount type=volume,src=vol,dst=/m,volume-subpath=a/b busybox sh -c 'ls /m; cat /m/f'
t run --rm --mount type=volume,src=vol,dst=/m,volume-subpath=l/b busybox ls /m
t run --rm --mount type=volume,src=vol,dst=/m,volume-subpath=a,readonly busybox touch /m/x
t run --rm --mount type=image,src=app:1,dst=/m busybox touch /m/x
t run --rm --mount type=image,src=busybox,dst=/m,image-subpath=etc busybox cat /m/group
t create --name im --mount type=image,src=busybox,dst=/m,image-subpath=etc busybox
t inspect -f '{{json .HostConfig.Mounts}} {{(index .Mounts 0).Type}} {{(index .Mounts 0).Name}} {{(index .Mounts 0).RW}}' im

#: links on the default bridge
q run -d --name db -h dbhost --expose 5432 --expose 80-82/udp -e FOO=bar -e HOME=/x busybox sleep 600
t run --rm --name web --link db:my-db busybox sh -c "env | grep ^MY_DB | sort; grep my-db /etc/hosts | cut -f2"
q run -d --name keeps --link db --link db:other busybox sleep 600
t inspect -f '{{.HostConfig.Links}}' keeps
api GET '/v1.51/containers/json' | grep -o '"Names":\[[^]]*\]' | sort
t rm --link /keeps/other
t inspect -f '{{.HostConfig.Links}}' keeps
t rm --link keeps
t rename db data
t inspect -f '{{.HostConfig.Links}}' keeps
t run --rm --link nosuch:x busybox true
t run --rm --link keeps:x --network host busybox true
t stop -t 0 data
t run --name late --link data:x busybox true
t rm data

#: updates that contradict what is set
q run -d --name cpus --cpus 1 -m 64m --memory-swap 96m busybox sleep 600
t update --cpu-quota 20000 cpus
t update --cpu-period 20000 cpus
t update -m 128m cpus
q run -d --name quota --cpu-quota 20000 busybox sleep 600
t update --cpus 1 quota
q run -d --rm --name gone busybox sleep 600
t update --restart always gone
t update --restart sometimes gone
t update --restart no gone

#: devices nobody has
t run --rm --gpus all busybox true
t run --rm --device vendor.com/class=name busybox true
t run --rm --device /dev/nosuch busybox true

#: members of members, and how names may be written
made() { api POST "/v1.51/containers/create?name=made" "{\"Image\":\"busybox\",\"Cmd\":[\"true\"],$1}" | sed 's/"Id":"[0-9a-f]*"/"Id":"…"/'
    t inspect made -f '{{json .HostConfig.RestartPolicy}} {{json .HostConfig.PortBindings}} {{json .HostConfig.Devices}} {{json .HostConfig.Ulimits}} {{json .HostConfig.DeviceRequests}} {{json .HostConfig.Mounts}} {{json .Config.Labels}} {{json .Config.StopTimeout}} {{json .Config.Healthcheck}}'
    q rm -f made
}
made '"Labels":{"a":null},"StopTimeout":0,"HostConfig":{"Devices":[],"Ulimits":[],"RestartPolicy":{"Name":"always","Other":1},"PortBindings":{"80/tcp":[{"HostPort":"8000"}],"81/tcp":null}}'
made '"labels":{"A":"b"},"hostconfig":{"devices":[{"pathonhost":"/dev/null"}],"ulimits":[{"name":"nofile","soft":1,"hard":2}],"portbindings":{}}'
made '"Healthcheck":{"Test":["CMD","x"],"Interval":0,"Other":1},"HostConfig":{"Devices":[{}],"Ulimits":[{"Name":"core","Hard":1}],"PortBindings":{},"DeviceRequests":[{"Count":1,"Capabilities":[["gpu"]]}]}'
made '"HostConfig":{"Devices":[],"Ulimits":[],"PortBindings":{},"Mounts":[{"Type":"bind","Source":"/tmp","Target":"/m","ReadOnly":false,"Other":1,"BindOptions":{"Propagation":""}}]}'
api POST "/v1.51/volumes/create" | sed 's/"[0-9a-f]*"/"…"/;s/"Mountpoint":"[^"]*"//'
api OPTIONS /nothing
api GET /v1.23/nothing
api GET /v1.23/info
api GET /v1.51.0/_ping
