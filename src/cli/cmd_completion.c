/* keg completion: scripts for shells. They ask `keg __complete`, so they don't age with the tables. */
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "cli/cli.h"

static const char bash_script[] =
    "# bash completion of keg: eval \"$(keg completion bash)\", or in "
    "/usr/share/bash-completion/completions/keg\n"
    "_keg() {\n"
    "    local line=${COMP_LINE:0:COMP_POINT} words current prefix answer what candidate\n"
    "    read -ra words <<<\"$line\"\n"
    "    [[ $line == *[[:space:]] ]] && words+=(\"\")\n"
    "    current=${words[${#words[@]}-1]}\n"
    "    answer=$(\"${words[0]}\" __complete \"${words[@]:1}\" 2>/dev/null) || return\n"
    "    what=${answer##*:}\n"
    "    prefix=${current%\"${current##*[:=]}\"} # bash takes these for the ends of words\n"
    "    COMPREPLY=()\n"
    "    while IFS=$'\\t' read -r candidate _; do\n"
    "        [[ $candidate == :[0-9]* ]] || COMPREPLY+=(\"${candidate#\"$prefix\"}\")\n"
    "    done <<<\"$answer\"\n"
    "    [[ ${COMPREPLY[0]-} == *[:=] ]] && compopt -o nospace 2>/dev/null\n"
    "    if ((what == 0 && ${#COMPREPLY[@]} == 0)); then\n"
    "        compopt -o filenames 2>/dev/null\n"
    "        mapfile -t COMPREPLY < <(compgen -f -- \"${current##*[:=]}\")\n"
    "    fi\n"
    "}\n"
    "complete -F _keg keg\n";

static const char zsh_script[] =
    "#compdef keg\n"
    "# zsh completion of keg: in a file _keg of a directory of $fpath, or source <(keg completion zsh)\n"
    "_keg() {\n"
    "    local -a lines candidates\n"
    "    local line name\n"
    "    lines=(\"${(@f)$(\"${words[1]}\" __complete \"${(@)words[2,CURRENT]}\" 2>/dev/null)}\")\n"
    "    for line in \"${(@)lines[1,-2]}\"; do\n"
    "        name=${line%%$'\\t'*}\n"
    "        line=${line#*$'\\t'}\n"
    "        candidates+=(\"${name//:/\\\\:}${line:+:$line}\")\n"
    "    done\n"
    "    (( $#candidates )) && _describe -V keg candidates\n"
    "    [[ ${lines[-1]} == :0 ]] && _files\n"
    "    return 0\n"
    "}\n"
    "if [ \"$funcstack[1]\" = \"_keg\" ]; then _keg; else compdef _keg keg; fi\n";

static const char fish_script[] =
    "# fish completion of keg: keg completion fish | source, or in ~/.config/fish/completions/keg.fish\n"
    "function __keg_complete\n"
    "    set -l words (commandline -opc)\n"
    "    set -l current (commandline -ct)\n"
    "    set -l lines ($words[1] __complete $words[2..-1] \"$current\" 2>/dev/null)\n"
    "    for line in $lines\n"
    "        string match -qr '^:[0-9]+$' -- $line; or echo $line\n"
    "    end\n"
    "    if test (count $lines) -gt 0; and test \"$lines[-1]\" = :0\n"
    "        __fish_complete_path \"$current\"\n"
    "    end\n"
    "end\n"
    "complete -c keg -f -a '(__keg_complete)'\n";

static const struct {
    const char *shell, *script;
} scripts[] = {{"bash", bash_script}, {"zsh", zsh_script}, {"fish", fish_script}};

static int completion_run(struct cli *cli _unused_, const struct args *args, struct err *err)
{
    for (size_t i = 0; i < ARRAY_SIZE(scripts); i++)
        if (str_eq(args->rest[0], scripts[i].shell)) {
            fputs(scripts[i].script, stdout);
            return 0;
        }
    return err_set(err, ERR_INVALID, "no completion for \"%s\": say bash, zsh or fish", args->rest[0]);
}

const struct command cmd_completion = {
    .paths = "completion",
    .summary = "Print a script that completes keg's commands, options and names in a shell",
    .arguments = "bash|zsh|fish",
    .min_arguments = 1,
    .max_arguments = 1,
    .flags = COMMAND_HIDDEN,
    .run = completion_run,
};
