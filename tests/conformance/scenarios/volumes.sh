#: volume create, ls, inspect, rm
t volume create v1
t volume create v1
t volume create --label a=1 --opt type=tmpfs --opt device=tmpfs --opt o=size=1m w1
t volume create -d nonsense x1
t volume create 'bad name'
t volume create a
t volume create .x
t volume create --opt nonsense=1 y1
t volume create | wc -c
t volume ls
t volume ls -q --filter name=v1
t volume ls --filter label=a=1
t volume ls --filter label=a --format '{{.Name}} {{.Driver}} {{.Scope}} {{.Labels}} {{.Mountpoint}} {{.Links}} {{.Size}}'
t volume ls -q --filter dangling=true --filter name=w1
t volume ls -q --filter driver=local --filter name=w1
t volume ls --filter dangling=nonsense
t volume ls --filter nonsense=1
t volume ls --filter name=w1 --format json
"$DOCKER" volume inspect v1 w1 | flat
t volume inspect -f '{{.Name}} {{.Driver}}' v1 nosuch
q run -d --name cc -v v1:/v -v w1:/w busybox sleep 60
t exec cc sh -c 'grep " /w " /proc/mounts | cut -d" " -f1-4'
t volume rm v1
t volume rm nosuch
t volume rm -f nosuch
t volume ls -q --filter dangling=false
q rm -f cc
t volume rm v1 w1
api GET /volumes | sed '1d;/^=/d' | flat --types | grep -v ' Volumes'
api GET /volumes/nosuch
api DELETE /volumes/nosuch
api POST /volumes/create '{"Name":"z1","Labels":{"a":"b"},"DriverOpts":{}}'
