#!/usr/bin/env bats
# What shells complete, and the manual: both come out of the tables of commands and options.
bats_require_minimum_version 1.5.0

setup_file() {
    load lib
    require root curl
    kegd_start
    image_busybox
    keg tag busybox localhost:5000/box:v1
    keg run -d --name runs --network none busybox sleep 1000 >/dev/null
    keg create --name waits --network none busybox >/dev/null
    keg network create wires >/dev/null
    keg volume create barrel >/dev/null
}

teardown_file() {
    load lib
    kegd_stop
}

setup() {
    load lib
}

# The candidates for the last word, in one line, and what the shell is to do besides.
candidates() {
    keg __complete "$@" | cut -f1 | paste -sd ' '
}

# What bash would offer for a line.
in_bash() {
    bash --norc -c 'eval "$(keg completion bash)"; COMP_LINE=$1 COMP_POINT=${#1}; _keg; echo "${COMPREPLY[*]}"' bash "$1"
}

@test "commands, groups and options of each" {
    [ "$(candidates ru)" = "run :4" ]
    [ "$(candidates context r)" = "rm :4" ]
    [ "$(candidates run --health-ret)" = "--health-retries :4" ]
    [ "$(candidates run -it --cpus= --health-ret)" = "--health-retries :4" ]
    [ "$(candidates --tlsc)" = "--tlscacert --tlscert :4" ]
    [ "$(candidates nothing "")" = ":4" ]
    [[ "$(candidates "")" == "run "*" ps "*" container "* ]]
}

@test "names: of what the command is for, in the state it needs" {
    [ "$(candidates stop "")" = "runs :4" ]
    [ "$(candidates start "")" = "waits :4" ]
    [ "$(candidates rm -f runs "")" = "waits runs :4" ]
    [ "$(candidates rename runs "")" = ":4" ]
    [ "$(candidates network connect wi)" = "wires :4" ]
    [ "$(candidates network connect wires r)" = "runs :4" ]
    [ "$(candidates volume rm "")" = "barrel :4" ]
    [ "$(candidates rmi b)" = "busybox :4" ]
    [ "$(candidates run -it --rm localhost:5000/box:)" = "localhost:5000/box:v1 :4" ]
    [ "$(candidates inspect wa)" = "waits :4" ]
    [ "$(candidates context use "")" = "default :4" ]
}

@test "values of options: names, words, files; what stands behind the image is another program's" {
    [ "$(candidates run --network wi)" = "wires :4" ]
    [ "$(candidates run --runtime k)" = "keg :4" ]
    [ "$(candidates run --network=wi)" = "--network=wires :4" ]
    [ "$(candidates run --restart un)" = "unless-stopped :4" ]
    [ "$(candidates run --env-file "")" = ":0" ]
    [ "$(candidates exec runs "")" = ":0" ]
    [ "$(candidates run busybox --r)" = ":0" ]
    [ "$(candidates -H "$KEG_HOST" volume rm ba)" = "barrel :4" ]
}

@test "without a daemon there are commands and options, and none is started" {
    KEG_HOST=unix://$KEG_ROOT/nobody.sock run -0 candidates stop ""
    [ "$output" = ":4" ]
    KEG_HOST='' DOCKER_HOST='' KEG_START=1 run -0 candidates st
    [ "$output" = "start stats stop :4" ]
}

@test "bash: the words as it divides them" {
    [ "$(in_bash "keg sto")" = stop ]
    [ "$(in_bash "keg stop ")" = runs ]
    [ "$(in_bash "keg run --network=wi")" = wires ]
    [ "$(in_bash "keg rmi localhost:5000/b")" = "5000/box:v1" ]
    touch "$KEG_ROOT/a-file"
    [ "$(in_bash "keg load -i $KEG_ROOT/a-f")" = "$KEG_ROOT/a-file" ]
}

@test "zsh and fish take their scripts" {
    run -1 keg completion csh
    [ "$output" = 'no completion for "csh": say bash, zsh or fish' ]
    KEG_SKIP="$(missing zsh fish)"
    [ -z "$KEG_SKIP" ] || skip "$KEG_SKIP"
    keg completion zsh | zsh -n
    keg completion fish | fish -n
    run -0 fish --no-config -c 'keg completion fish | source; complete -C "keg stop "'
    [ "$output" = $'runs\tbusybox' ]
}

@test "manual: a page for every command by each of its names, with all options; roff without a warning" {
    local command path
    keg __manual "$KEG_ROOT/man"
    run -0 cat "$KEG_ROOT/man/keg-run.1"
    for path in --volume --network --rm; do grep -qF "${path//-/\\-}" <<<"$output"; done
    [ "$(readlink "$KEG_ROOT/man/keg-ps.1")" = keg-container-ls.1 ]
    for command in $(keg --help | sed -n '/Commands:$/,/^$/s/^  \([a-z]*\) .*/\1/p'); do
        [ -e "$KEG_ROOT/man/keg-$command.1" ] || { echo "no page of keg $command"; false; }
    done
    kegd __manual "$KEG_ROOT/man"
    keg-runtime __manual "$KEG_ROOT/man/man8"
    grep -qF '\-\-registry\-mirror\fR \fIURL' "$KEG_ROOT/man/man8/kegd.8"
    grep -qxF '.B registry\-mirrors' "$KEG_ROOT/man/man5/keg-daemon.json.5"
    for command in $(keg-runtime --help | sed -n '/^COMMANDS:/,/^$/s/^   \([a-z]*\) .*/\1/p'); do
        grep -qxF ".SS $command" "$KEG_ROOT/man/man8/keg-runtime.8"
    done
    [ -z "$(missing man)" ] || skip "$(missing man)"
    for path in man8/kegd.8 man5/keg-daemon.json.5 man8/keg-runtime.8; do
        run -0 man --warnings -E UTF-8 -l "$KEG_ROOT/man/$path"
        [[ $output != *"warning"* && $output == *"DESCRIPTION"* ]]
    done
    for path in keg keg-container-run keg-network-create; do
        run -0 man --warnings -E UTF-8 -l "$KEG_ROOT/man/$path.1"
        [[ $output != *"warning"* && $output == *"OPTIONS"* ]]
    done
}
