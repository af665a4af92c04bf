#!/usr/bin/env bats
# What is asked of registries without taking an image: distribution inspect, tags (pull --all-tags), search.

setup_file() {
    load lib
    require root curl jq docker-registry skopeo
    kegd_start
    image_busybox
    cat >"$KEG_ROOT/registry.yml" <<END
version: 0.1
log: {level: error}
storage: {filesystem: {rootdirectory: $KEG_ROOT/registry}}
http: {addr: 127.0.0.1:5000}
END
    docker-registry serve "$KEG_ROOT/registry.yml" >"$KEG_ROOT/registry.log" 2>&1 3>&- </dev/null &
    export REGISTRY_PID=$!
    disown
    python3 - >"$KEG_ROOT/index.log" 2>&1 3>&- <<'END' &
import http.server, json, urllib.parse
class Index(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        url = urllib.parse.urlparse(self.path)
        q = urllib.parse.parse_qs(url.query)
        rows = [{"name": f"{q['q'][0]}{i}", "description": "many words " * 9 if i else "a\nfew", "star_count": 10 - i,
                 "is_official": i == 0} for i in range(min(5, int(q.get("n", ["0"])[0])))]
        body = json.dumps({"num_results": 5, "results": rows}).encode() if url.path == "/v1/search" else b"{}"
        self.send_response(200 if url.path in ("/v1/search", "/v2/") else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
http.server.ThreadingHTTPServer(("127.0.0.1", 5003), Index).serve_forever()
END
    export INDEX_PID=$!
    disown
    eventually curl -sf --max-time 5 127.0.0.1:5000/v2/
    eventually curl -sf --max-time 5 127.0.0.1:5003/v2/
    for tag in a b c; do
        keg tag busybox "127.0.0.1:5000/many:$tag"
        keg push -q "127.0.0.1:5000/many:$tag"
    done
}

teardown_file() {
    load lib
    kill "$REGISTRY_PID" "$INDEX_PID" || :
    kegd_stop
}

setup() {
    load lib
}

@test "remote: what a tag is, without pulling it" {
    api GET /v1.51/distribution/127.0.0.1:5000/many:a/json >"$KEG_ROOT/answer"
    cat "$KEG_ROOT/answer"
    local raw
    raw=$(skopeo inspect --tls-verify=false --raw docker://127.0.0.1:5000/many:a | sha256sum | cut -d' ' -f1)
    jq -e --arg d "sha256:$raw" '.Descriptor.digest == $d and .Descriptor.size > 100 and (.Descriptor.mediaType | startswith("application/vnd.oci.image.manifest")) and (.Platforms | length) == 1 and .Platforms[0].os == "linux"' "$KEG_ROOT/answer"
    [ "$(api GET /v1.51/distribution/127.0.0.1:5000/many:none/json -o /dev/null -w '%{http_code}')" = 404 ]
}

@test "remote: all tags of a repository are pulled" {
    keg rmi 127.0.0.1:5000/many:a 127.0.0.1:5000/many:b 127.0.0.1:5000/many:c
    keg pull -a 127.0.0.1:5000/many
    [ "$(keg images --format '{{.Tag}}' 127.0.0.1:5000/many | sort | tr '\n' ' ')" = "a b c " ]
    run keg pull -a 127.0.0.1:5000/nothing
    [ "$status" = 1 ]
    run keg pull -a 127.0.0.1:5000/many:a
    [[ "$output" == *"tag can't be used with --all-tags/-a"* ]]
}

@test "remote: search" {
    run keg search 127.0.0.1:5003/box
    echo "$output"
    [ "$status" = 0 ]
    [[ "${lines[0]}" =~ ^NAME\ +DESCRIPTION\ +STARS\ +OFFICIAL$ ]]
    [[ "${lines[1]}" =~ ^box0\ +a\ few\ +10\ +\[OK\]$ ]]
    [[ "${lines[2]}" == *"…"* ]]
    [ "${#lines[@]}" = 6 ]
    [ "$(keg search --limit 2 --format '{{.Name}}' 127.0.0.1:5003/box | tr '\n' ' ')" = "box0 box1 " ]
    [ "$(keg search -f is-official=true --format '{{.Name}}' 127.0.0.1:5003/box)" = box0 ]
    [ "$(keg search -f stars=9 --format '{{.Name}}' 127.0.0.1:5003/box | tr '\n' ' ')" = "box0 box1 " ]
    run keg search --limit 101 127.0.0.1:5003/box
    [[ "$output" == *"outside the range of [1, 100]"* ]]
    run keg search -f colour=red 127.0.0.1:5003/box
    [[ "$output" == *"invalid filter 'colour'"* ]]
}
