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
