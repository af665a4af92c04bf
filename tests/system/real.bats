#!/usr/bin/env bats
# A real distribution through the whole engine: made by mmdebstrap, imported, pushed to a registry by skopeo, pulled again
# by keg; inside it apt, python, a web server, users, volumes, UDP.

setup_file() {
    load lib
    require root nft curl jq python3 mmdebstrap skopeo docker-registry
    local cache=$KEG_BUILD/cache
    [ -s "$cache/debian.tar" ] || skip "needs $cache/debian.tar: tests/system/real.prepare makes it, from a Debian mirror"
    kegd_start
    keg import -c 'CMD ["bash"]' -c 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' "$cache/debian.tar" debian
    cat >"$KEG_ROOT/registry.yml" <<END
version: 0.1
log: {level: error}
storage: {filesystem: {rootdirectory: $KEG_ROOT/registry}, delete: {enabled: true}}
http: {addr: 127.0.0.1:5000}
END
    docker-registry serve "$KEG_ROOT/registry.yml" >"$KEG_ROOT/registry.log" 2>&1 3>&- </dev/null &
    export REGISTRY_PID=$!
    disown
    eventually curl -sf --max-time 5 127.0.0.1:5000/v2/
    keg run --rm -v warm:/x debian true # what the first container leaves is not what we look for
    keg volume rm warm
}

teardown_file() {
    load lib
    [ -z "${REGISTRY_PID:-}" ] || kill "$REGISTRY_PID"
    kegd_stop
}

setup() {
    load lib
    load census
}

web() { # runs a web server as container $1, options follow
    local name=$1
    shift
    # it looks its own name up: a resolver that isn't there is quicker than one that is out of reach
    keg run -d --name "$name" --dns 127.0.0.1 "$@" debian sh -c 'mkdir -p /srv/www && echo "from $(hostname)" >/srv/www/index.html &&
        cd /srv/www && exec python3 -m http.server 80'
}

@test "real: saved, pushed by skopeo, pulled under another name: nothing of it has changed" {
    keg save -o "$KEG_ROOT/debian.tar" debian
    skopeo copy --insecure-policy --dest-tls-verify=false "docker-archive:$KEG_ROOT/debian.tar" docker://127.0.0.1:5000/mirror/debian:12
    local id diff
    id=$(keg images -q --no-trunc debian)
    diff=$(keg inspect -f '{{json .RootFS.Layers}}' debian)
    keg pull 127.0.0.1:5000/mirror/debian:12
    [ "$(keg images -q --no-trunc 127.0.0.1:5000/mirror/debian:12)" = "$id" ]
    [ "$(keg inspect -f '{{json .RootFS.Layers}}' 127.0.0.1:5000/mirror/debian:12)" = "$diff" ]
    local digest
    digest=$(skopeo inspect --tls-verify=false --raw docker://127.0.0.1:5000/mirror/debian:12 | sha256sum | cut -d' ' -f1)
    keg inspect 127.0.0.1:5000/mirror/debian:12 | jq -e --arg d "127.0.0.1:5000/mirror/debian@sha256:$digest" '.[0].RepoDigests | index($d)'
    # and with nothing of it here
    keg rmi debian 127.0.0.1:5000/mirror/debian:12
    keg pull "127.0.0.1:5000/mirror/debian@sha256:$digest"
    [ "$(keg inspect -f '{{json .RootFS.Layers}}' "$id")" = "$diff" ]
    keg tag "$id" debian
    [ "$(keg run --rm --network none debian cat /etc/debian_version)" = "$(tar -xOf "$KEG_BUILD/cache/debian.tar" ./etc/debian_version)" ]
}

@test "real: the files are those of the archive: owners, modes, times, links, capabilities" {
    python3 - "$KEG_BUILD/cache/debian.tar" >"$KEG_ROOT/wanted" <<'END'
import sys, tarfile
for m in tarfile.open(sys.argv[1]):
    kind = "d" if m.isdir() else "l" if m.issym() else "f" if m.isreg() or m.islnk() else None
    name = m.name.removeprefix(".").removesuffix("/")
    if kind and name and not name.startswith(("/dev", "/proc", "/sys")) and name not in ("/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/etc/mtab"):
        print(f"{name} {kind} {m.uid}:{m.gid} {m.mode if kind != 'l' else 0o777:o} {int(m.mtime) if kind == 'f' else 0} {m.linkname if kind == 'l' else ''}".rstrip())
END
    keg run --rm -i --network none debian python3 - >"$KEG_ROOT/found" <<'END'
import os, stat
for folder, folders, files in os.walk("/"):
    if folder == "/":
        folders[:] = [f for f in folders if f not in ("dev", "proc", "sys")]
    for name in folders + files:
        path = os.path.join(folder, name)
        s = os.lstat(path)
        kind = "d" if stat.S_ISDIR(s.st_mode) else "l" if stat.S_ISLNK(s.st_mode) else "f"
        if path in ("/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/etc/mtab", "/.dockerenv"):
            continue
        link = os.readlink(path) if kind == "l" else ""
        print(f"{path} {kind} {s.st_uid}:{s.st_gid} {stat.S_IMODE(s.st_mode):o} {int(s.st_mtime) if kind == 'f' else 0} {link}".rstrip())
END
    sort -o "$KEG_ROOT/wanted" "$KEG_ROOT/wanted"
    sort -o "$KEG_ROOT/found" "$KEG_ROOT/found"
    [ "$(wc -l <"$KEG_ROOT/wanted")" -gt 3000 ]
    diff "$KEG_ROOT/wanted" "$KEG_ROOT/found" | head -n 20
    cmp "$KEG_ROOT/wanted" "$KEG_ROOT/found"
}

@test "real: apt works, and without a network says what is wrong" {
    keg run --rm --network none debian apt-get --version | grep '^apt '
    run keg run --rm --network none debian sh -c 'apt-get update -o Acquire::Retries=0; apt-get install -y no-such-package'
    echo "$output"
    [ "$status" = 100 ]
    [[ "$output" == *"Unable to locate package no-such-package"* ]]
    # a repository on a volume: update, install, run
    mkdir -p "$KEG_ROOT/package/DEBIAN" "$KEG_ROOT/package/usr/bin" "$KEG_ROOT/repository"
    printf 'Package: brewed\nVersion: 1\nArchitecture: all\nMaintainer: Nobody <nobody@example.org>\nDescription: a test\n' >"$KEG_ROOT/package/DEBIAN/control"
    printf '#!/bin/sh\necho brewed\n' >"$KEG_ROOT/package/usr/bin/brewed"
    chmod 755 "$KEG_ROOT/package/usr/bin/brewed"
    dpkg-deb -b "$KEG_ROOT/package" "$KEG_ROOT/repository/brewed.deb" >/dev/null
    (cd "$KEG_ROOT/repository" && { dpkg-deb -f brewed.deb; echo "Filename: ./brewed.deb"
        echo "Size: $(stat -c %s brewed.deb)"; echo "SHA256: $(sha256sum brewed.deb | cut -d' ' -f1)"; } >Packages)
    run keg run --rm --network none -v "$KEG_ROOT/repository:/repository:ro" debian sh -c \
        'echo "deb [trusted=yes] file:/repository ./" >/etc/apt/sources.list; rm -f /etc/apt/sources.list.d/*; apt-get update && apt-get install -y brewed && brewed'
    echo "$output"
    [ "$status" = 0 ]
    [ "${lines[-1]}" = brewed ]
}

@test "real: a web server: from the host, from 127.0.0.1, from another container, through its namespace" {
    census_before "$KEG_ROOT/before"
    web web -p 8080:80 -p 127.0.0.1:8081:80 --hostname www
    local address
    address=$(keg inspect -f '{{.NetworkSettings.IPAddress}}' web)
    eventually curl -sf --max-time 5 "$address"
    [ "$(curl -sf --max-time 5 "$address")" = "from www" ]
    [ "$(curl -sf --max-time 5 127.0.0.1:8080)" = "from www" ]
    [ "$(curl -sf --max-time 5 127.0.0.1:8081)" = "from www" ]
    [ "$(curl -sf --max-time 5 172.17.0.1:8080)" = "from www" ]
    run curl -sf --max-time 2 172.17.0.1:8081
    [ "$status" != 0 ]
    local fetch='import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1], timeout=5).read().decode().strip())'
    [ "$(keg run --rm debian python3 -c "$fetch" "http://$address")" = "from www" ]
    [ "$(keg run --rm debian python3 -c "$fetch" http://172.17.0.1:8080)" = "from www" ]
    [ "$(keg run --rm --network container:web debian python3 -c "$fetch" http://127.0.0.1)" = "from www" ]
    [ "$(keg run --rm --network host debian python3 -c "$fetch" http://127.0.0.1:8080)" = "from www" ]
    [ "$(keg exec web python3 -c "$fetch" http://127.0.0.1:80)" = "from www" ]
    [ "$(keg port web 80/tcp | sort | tail -n 1)" = 127.0.0.1:8081 ]
    # much, in both directions at once
    keg exec web dd if=/dev/urandom of=/srv/www/big bs=1M count=30 status=none
    [ "$(curl -sf --max-time 5 127.0.0.1:8080/big | sha256sum | cut -d' ' -f1)" = "$(keg exec web sha256sum /srv/www/big | cut -d' ' -f1)" ]
    keg restart -t 0 web
    eventually curl -sf --max-time 5 127.0.0.1:8080
    keg rm -f web
    census_same "$KEG_ROOT/before"
}

@test "real: a UDP port, and two containers that talk over a network of their own" {
    keg network create pub
    keg run -d --name echo --network pub -p 9053:53/udp debian python3 -u -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("", 53))
print("ready")
while True:
    data, who = s.recvfrom(2000)
    s.sendto(b"echo " + data, who)'
    eventually sh -c 'keg logs echo | grep -q ready'
    local ask='
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(5)
s.connect((sys.argv[1], int(sys.argv[2])))
s.send(b"hello")
print(s.recv(2000).decode())' address
    address=$(keg inspect -f '{{.NetworkSettings.Networks.pub.IPAddress}}' echo)
    [ "$(python3 -c "$ask" 127.0.0.1 9053)" = "echo hello" ]
    [ "$(python3 -c "$ask" "$address" 53)" = "echo hello" ]
    [ "$(keg run --rm --network pub debian python3 -c "$ask" "$address" 53)" = "echo hello" ]
    keg rm -f echo
    keg network rm pub
}

@test "real: volumes: named, filled from the image, read-only, a host's directory, shared by two" {
    # what the image has at the place comes along, with its owners
    keg run --rm --network none -v fill:/etc/apt debian sh -c 'ls /etc/apt >/dev/null && echo mine >/etc/apt/mine'
    [ "$(keg run --rm --network none -v fill:/x debian cat /x/mine)" = mine ]
    [ "$(keg run --rm --network none -v fill:/x debian ls /x)" = "$(keg run --rm --network none debian sh -c 'ls /etc/apt; echo mine' | sort)" ]
    # one writes, one reads
    keg run -d --name writer --network none -v shared:/data debian sh -c 'while :; do date +%s%N >/data/now; sleep 0.05; done'
    eventually keg run --rm --network none -v shared:/data:ro debian test -s /data/now
    run keg run --rm --network none -v shared:/data:ro debian sh -c 'echo x >/data/now2'
    [[ "$output" == *"Read-only file system"* ]]
    run keg volume rm shared
    [[ "$output" == *"volume is in use"* ]]
    keg rm -f writer
    # a directory of the host
    mkdir -p "$KEG_ROOT/home"
    echo host >"$KEG_ROOT/home/file"
    [ "$(keg run --rm --network none -v "$KEG_ROOT/home:/test:ro" debian cat /test/file)" = host ]
    run keg run --rm --network none -v "$KEG_ROOT/home:/test:ro" debian touch /test/file
    [[ "$output" == *"Read-only file system"* ]]
    keg run --rm --network none -v "$KEG_ROOT/home:/test" -u 1234:4321 debian true
    keg run --rm --network none -v "$KEG_ROOT/home:/test" debian sh -c 'echo back >/test/back; chown 1234:4321 /test/back'
    [ "$(stat -c %u:%g "$KEG_ROOT/home/back")" = 1234:4321 ]
    keg volume rm fill shared
}

@test "real: users by name, their groups and home, a working directory that is made" {
    [ "$(keg run --rm --network none -u games debian sh -c 'id -un; id -g; echo $HOME')" = $'games\n60\n/usr/games' ]
    [ "$(keg run --rm --network none -u games:staff debian id -gn)" = staff ]
    [ "$(keg run --rm --network none -u 12345 debian id -u)" = 12345 ]
    [ "$(keg run --rm --network none --group-add audio -u games debian id -Gn)" = "games audio" ]
    [ "$(keg run --rm --network none -w /not/there/yet debian pwd)" = /not/there/yet ]
    run keg run --rm --network none -u nobody-knows debian true
    [ "$status" = 125 ]
    [[ "$output" == *"unable to find user nobody-knows"* ]]
    # setuid programs work, unless told otherwise
    run keg run --rm --network none -u games debian sh -c 'grep NoNewPrivs /proc/self/status; stat -c %a /usr/bin/su'
    [[ "$output" == *0*4755* ]]
}
