#: images
t images
t images -q
t images --no-trunc
t images busybox
t images 'busy*'
t images busybox:latest
t images busybox:nosuch
t images nosuch
t images --digests
t images --format '{{.Repository}}:{{.Tag}} {{.ID}} {{.Size}}'
t images --format 'table {{.Repository}}\t{{.Tag}}'
t images --format json
t images -a
t images --filter dangling=true
t images --filter dangling=nonsense
t images --filter label=maker --format '{{.Repository}}'
t images --filter label=maker=keg --format '{{.Repository}}'
t images --filter label=maker=other --format '{{.Repository}}'
t images --filter reference='app*' --format '{{.Repository}}'
t images --filter reference='*:latest' --format '{{.Repository}}'
t images --filter before=app:1 --format '{{.Repository}}'
t images --filter since=busybox --format '{{.Repository}}'
t images --filter since=nosuch --format '{{.Repository}}'
t images --filter until=1h --format '{{.Repository}}'
t images --filter nonsense=1
t image ls --tree

#: inspect of an image, every field
"$DOCKER" image inspect busybox app:1 | flat

#: images, by the API
api GET /images/json | sed '1d;/^=/d' | flat
api GET '/images/json?shared-size=1' | sed '1d;/^=/d' | flat | grep -E 'Size'
api GET /images/nosuch/json
api GET /images/nosuch/history
api DELETE /images/nosuch

#: history
t history busybox
t history --no-trunc app:1
t history -q app:1
t history --format '{{.ID}} {{.CreatedBy}} {{.Comment}} {{.Size}}' app:1
t history --human=false --format '{{.CreatedAt}} {{.Size}}' app:1
t history nosuch
api GET /images/app:1/history | sed '1d;/^=/d' | flat

#: tag and untag
t tag busybox mine:1
t tag busybox mine:1
t tag busybox registry.example.org:5000/a/b:c
t tag nosuch x
t tag busybox Bad
t tag busybox x:bad:tag
t tag "$("$DOCKER" images -q busybox)" mine:2
t tag busybox sha256:abc
t images --format '{{.Repository}}:{{.Tag}}' | sort
t rmi mine:1
t rmi mine:1
t rmi registry.example.org:5000/a/b:c mine:2
t images --format '{{.Repository}}:{{.Tag}}' | sort

#: removing images
printf x >f; tar cf f.tar f
q import f.tar one:1
q tag one:1 one:2
id=$("$DOCKER" images -q one:1)
t rmi "$id"
t rmi -f "$id"
q import f.tar two:1
q create --name cc two:1 cmd
t rmi two:1
t rmi -f two:1
t images -a --format '{{.Repository}}:{{.Tag}}' | sort
t ps -a --format '{{.Names}} {{.Image}}'
q rm cc
q import f.tar three:1
q run -d --name dd -v /bin/busybox:/sleep three:1 /sleep 60
id=$("$DOCKER" images -q three:1)
t rmi three:1
t rmi -f three:1
t rmi "$id"
t rmi -f "$id"
q rm -f dd
t rmi three:1
t rmi nosuch
t rmi -f nosuch
t rmi nosuch:1 nosuch:2
t rmi Bad
t image rm

#: import
mkdir -p root/bin; cp /bin/busybox root/bin/sh
tar -C root -cf root.tar .
t import root.tar
t import root.tar imported:1
t import -m 'a message' -c 'CMD ["sh","-c","echo cmd"]' -c 'ENV A=1 B="two words"' -c 'EXPOSE 80 53/udp' -c 'USER 1000:1000' -c 'WORKDIR /w' -c 'LABEL x=y "z"="w w"' -c 'VOLUME /v' -c 'ENTRYPOINT ["/bin/sh"]' -c 'STOPSIGNAL SIGINT' -c 'ONBUILD RUN x' root.tar imported:2
"$DOCKER" image inspect imported:2 | flat | grep -vE 'Layers|DiskUsage|GraphDriver|Size'
t history --no-trunc imported:2
t import -c 'CMD echo shell form' - imported:3 <root.tar
t inspect -f '{{json .Config.Cmd}} {{json .Config.Entrypoint}}' imported:3
t import -c 'NONSENSE x' root.tar
t import -c 'RUN x' root.tar
t import -c 'CMD [' root.tar
t import root.tar Bad
t import nosuch.tar
echo garbage | t import - bad:1
gzip -k root.tar
t import root.tar.gz zipped:1
t run --rm imported:1 /bin/sh -c 'echo runs'
t import --platform linux/arm64 root.tar arm:1
t inspect -f '{{.Os}}/{{.Architecture}}' arm:1
t images --format '{{.Repository}}:{{.Tag}}' | sort

#: save and load
q tag busybox saved:1
t save -o s.tar saved:1 app:1
x sh -c 'tar xOf s.tar manifest.json | python3 -m json.tool'
x sh -c 'tar xOf s.tar index.json oci-layout | cut -c1-400'
x sh -c 'tar tf s.tar | sort'
x sh -c 'tar xOf s.tar repositories'
q rmi saved:1
t load -i s.tar
t load <s.tar
t images --format '{{.Repository}}:{{.Tag}}' | sort
"$DOCKER" save busybox >t.tar
t load -q -i t.tar
t save nosuch
t save -o /nosuch/dir/x busybox
t load -i nosuch.tar
echo garbage >g.tar
t load -i g.tar
tar cf empty.tar /dev/null 2>/dev/null
t load -i empty.tar
t save "$("$DOCKER" images -q busybox)" -o by-id.tar
x sh -c 'tar xOf by-id.tar manifest.json | grep -o "RepoTags.*null"'
t load -i by-id.tar

#: pull [registry]
q rmi -f busybox app:1
t pull $REGISTRY/busybox
t pull $REGISTRY/busybox:latest
t pull -q $REGISTRY/app:1
t images --digests --format '{{.Repository}}:{{.Tag}} {{.Digest}}' | sort
t inspect -f '{{json .RepoTags}} {{json .RepoDigests}} {{.Id}}' $REGISTRY/busybox
digest=$("$DOCKER" inspect -f '{{index .RepoDigests 0}}' $REGISTRY/app:1)
t pull "$digest"
t rmi $REGISTRY/app:1
t pull "$digest"
t images --digests --format '{{.Repository}}:{{.Tag}} {{.Digest}}' | sort
t run --rm "$digest" echo by digest
t run --rm $REGISTRY/busybox echo hello
t pull $REGISTRY/nosuch
t pull $REGISTRY/busybox:nosuch
t pull $REGISTRY/busybox@sha256:0000000000000000000000000000000000000000000000000000000000000000
t pull -a $REGISTRY/busybox
t pull --platform linux/arm64 $REGISTRY/busybox
t pull 127.0.0.1:1/x
t pull Bad
t run --rm --pull always $REGISTRY/busybox echo hello
t run --rm --pull missing $REGISTRY/app:1 echo hello
t create --name cc --pull never $REGISTRY/app:nosuch
t rmi -f $REGISTRY/busybox
q tag $REGISTRY/app:1 app:1

#: pull, progress by the API [registry]
q rmi -f app:1 busybox
api POST "/images/create?fromImage=$REGISTRY/app&tag=1" | sed '/Downloading\|Extracting/d' | sort
api POST "/images/create?fromImage=$REGISTRY/app&tag=nosuch"
api POST "/images/create?fromImage=$REGISTRY/nosuch&tag=1"
api POST "/images/create?fromImage=Bad"
api POST "/images/create"
q tag $REGISTRY/app:1 app:1

#: search, login, push
t search nosuch 2>&1 | head -c 0
t push nosuch:1
t image inspect busybox -f '{{json .RootFS}}'

#: names of images
printf x >f; tar cf f.tar f
q import f.tar base:1
for name in a a/b a/b/c a.b/c a_b a__b a-b a--b a.b localhost/a localhost:5000/a example.org/a:1 example.org:443/a/b:c A.b/c UP/c \
    index.docker.io/a docker.io/library/a docker.io/a/b a:T a:_x a:1.2-3 127.0.0.1:80/x '[::1]:80/x' sub_domain.x/a \
    a___b a..b a._b -a a- a//b /a a/ a: :a a:b:c a:-x a@b "a@sha256:$(printf '%064d' 0)" "a:1@sha256:$(printf '%064d' 0)" \
    "$(printf '%064d' 0)" "$(printf 'a%.0s' $(seq 256))" "a:$(printf 't%.0s' $(seq 129))" 'a b' 'a\b' é sha256:abc localhost/A Localhost/a; do
    t tag base:1 "$name"
done
t images --format '{{.Repository}}:{{.Tag}}' | sort
for name in UPPER a:b:c 'a b' a@sha256:1 "$(printf '%064d' 0)" -x; do t image inspect -f x "$name"; t rmi -- "$name"; t history -q -- "$name"; done

#: platforms of what is here
for verb in 'save -o out.tar' history 'image inspect -f {{.Id}}' rmi; do
    t $verb --platform linux/arm64 app:1
    t $verb --platform linux/arm64/v8 app:1
    t $verb --platform linux/amd64 app:1
done
t images --format '{{.Repository}}:{{.Tag}}'
q save -o busybox.tar busybox
t load --platform linux/amd64 -i busybox.tar
api GET '/images/busybox/json?manifests=1&platform=%7B%22os%22:%22linux%22,%22architecture%22:%22amd64%22%7D'
api DELETE '/images/busybox?platforms=%7B%22os%22:%22linux%22,%22architecture%22:%22amd64%22%7D&platforms=%7B%22os%22:%22linux%22,%22architecture%22:%22arm64%22%7D'

#: filters of images
printf x >f; tar cf f.tar f
q import -c 'LABEL a=1' -c 'LABEL both=x' f.tar one:1
sleep 1.1
q import -c 'LABEL a=2' -c 'LABEL both=x' f.tar two:1
sleep 1.1
q import -c 'LABEL c=' f.tar
q tag two:1 example.org:5000/group/two:2
show() { echo "\$ images $*"; "$DOCKER" images --format '{{.Repository}}:{{.Tag}}' "$@" 2>&1 | sort; }
for filter in label=a label=a=1 label=a=3 label=both=x label=c label=c= 'label!=a' dangling=true dangling=false dangling=1 dangling= before=two:1 \
    since=one:1 before=one:1 since=two:1 'reference=one' 'reference=*' 'reference=*/*/*' 'reference=*:2' 'reference=example.org:5000/group/two' \
    'reference=*/group/two:*' 'reference=t[wv]o' 'reference=[' 'reference=two:1' 'reference=TWO' until=1s until=10h until=0 until=2020-01-01 until=1700000000 until=x before= label= reference=; do
    show --filter "$filter"
done
show --filter label=a --filter label=both
show --filter reference=one --filter reference=two
show --filter dangling=false --filter label=a=2
show --filter before=two:1 --filter since=busybox
show -a --filter dangling=true --filter label=c
show 'example.org:5000/group/*'
show --filter reference=one two
show --filter until=1s --filter until=1h
show --filter before=one:1 --filter before=two:1
show --digests

#: prune of images
printf x >f; tar cf f.tar f
q import -c 'LABEL keep=1' f.tar
q import -c 'LABEL a=1' f.tar
q import f.tar
q import f.tar used:1
q create --name cc used:1 x
q import f.tar old:1
count() { echo "$("$DOCKER" images -q -f dangling=true | wc -l) dangling, $("$DOCKER" images --format '{{.Repository}}:{{.Tag}}' | grep -v '<none>' | sort | tr '\n' ' ')"; }
prune() { echo "\$ image prune $*"; "$DOCKER" image prune -f "$@" 2>&1 | sed -E 's/[0-9.]+[kM]?B$/SIZE/' | sort; count; }
count
prune --filter label=nosuch
prune --filter label=a=1
prune --filter until=24h
prune --filter until=nonsense
prune --filter nonsense=1
prune --filter dangling=perhaps
prune --filter 'label!=keep'
prune
prune -a --filter until=24h
prune -a --filter 'label!=maker'
prune -a --filter label=maker=keg
q rm cc
prune -a
api POST '/images/prune?filters=%7B%22dangling%22%3A%5B%22false%22%5D%7D' | sed -E 's/"SpaceReclaimed":[0-9]+/SPACE/'
q load -i "$IMAGES"

#: conflicts when images are removed
printf x >f; tar cf f.tar f
q import f.tar a:1
id=$("$DOCKER" images -q --no-trunc a:1)
q tag a:1 b:1
q tag a:1 b:2
t rmi "$id"
t rmi "${id#sha256:}"
t rmi a:1
t rmi "$id"
t rmi b:1
q create --name cc b:2 x
t rmi b:2
t rmi "$id"
t rmi -f b:2
t images --format '{{.Repository}}:{{.Tag}}' | sort
t rmi "$id"
t rmi -f "$id"
q rm cc
t rmi "$id"
q import f.tar c:1
id=$("$DOCKER" images -q --no-trunc c:1)
q create --name dd "$id" x
t rmi c:1
t rmi --no-prune c:1
t ps -a --format '{{.Image}}'
q rm dd
q import f.tar d:1
q run -d --name ee -v /bin/busybox:/sleep d:1 /sleep 60
t rmi d:1
q tag d:1 d:2
t rmi d:1
t rmi d:2
t rmi -f d:2
t images -a --format '{{.Repository}}:{{.Tag}}' | sort
q rm -f ee
t image rm -f nosuch:1 nosuch:2
t rmi "sha256:$(printf '%064d' 0)"
t rmi ''

#: commit
q run --name cc -v /v busybox sh -c 'echo new >/new; rm /bin/vi; mkdir /dir; chmod 700 /dir; touch /v/x'
q commit -a 'A B <a@b>' -m 'a message' -c 'ENV X=1' -c 'CMD ["x"]' -c 'LABEL l=1' -c 'EXPOSE 80' -c 'WORKDIR /dir' cc made:1
"$DOCKER" image inspect made:1 | flat | grep -vE 'GraphDriver|RootFS|\.Id |Created|Size'
t history --format '{{.CreatedBy}}|{{.Comment}}' made:1
t diff cc
"$DOCKER" save made:1 | tar xO --wildcards 'manifest.json' | grep -o '"RepoTags":[^]]*'
t commit cc Bad
t commit cc a:b:c
t commit cc "a@sha256:$(printf '%064d' 0)"
t commit -c 'RUN x' cc x
t commit nosuch x
t commit -p=false --change 'USER 1' --change 'ENTRYPOINT ["e"]' --change 'VOLUME /w' --change 'STOPSIGNAL 9' --change 'ONBUILD RUN y' --change 'HEALTHCHECK NONE' cc made:2
t image inspect -f '{{json .Config}}' made:2
t events --since 1h --until 0s --filter type=container --filter event=commit --format '{{.Action}}'
api POST '/commit?container=cc&repo=api&tag=1&comment=c&author=a&changes=ENV+Z%3D1' '{"Cmd":["q"],"Labels":{"m":"n"}}'
t image inspect -f '{{json .Config.Cmd}} {{json .Config.Labels}} {{json .Config.Env}} {{.Author}} {{.Comment}}' api:1
api POST '/commit?container=nosuch'

#: export
q run --name cc -v /v busybox sh -c 'echo new >/new; rm /bin/vi'
x sh -c '"$DOCKER" export cc | tar t | grep -vE "^bin/|^s?bin|^usr/" | sort'
t export -o out.tar cc
t export nosuch
t export -o /nosuch/x cc

#: disk usage of images
printf x >f; tar cf f.tar f
q import f.tar a:1
q tag a:1 b:1
q create --name cc a:1 x
api GET '/system/df?type=image' | sed '1d;/^=/d' | flat | grep -vE 'Created|Id '
t system df --format '{{.Type}} {{.TotalCount}} {{.Active}} {{.Size}} {{.Reclaimable}}'
t system df -v --format '{{range .Images}}{{.Repository}}:{{.Tag}} {{.Size}} {{.SharedSize}} {{.UniqueSize}} {{.Containers}}{{println}}{{end}}'
t system df -v
