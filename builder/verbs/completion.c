// SPDX-License-Identifier: MIT
#include "verbs/completion.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

// bash breaks words at `=` and `:`, and completes what is behind them alone. Its words have their quotes and
// backslashes still.
static const char bash_function[] =
    "_kiln() {\n"
    "        local -a words=()\n"
    "        local part= is_glued= word= head=\n"
    "        for part in \"${COMP_WORDS[@]:1:COMP_CWORD}\"; do\n"
    "                if [[ -n $part && ${#words[@]} -gt 0 && ( -n $is_glued || -z ${part//[=:]/} ) ]]; then\n"
    "                        words[${#words[@]}-1]+=$part\n"
    "                else\n"
    "                        words+=(\"$part\")\n"
    "                fi\n"
    "                is_glued=\n"
    "                [[ -n $part && -z ${part//[=:]/} ]] && is_glued=1\n"
    "        done\n"
    "        word=${words[${#words[@]}-1]}\n"
    "        head=${word%\"$part\"}\n"
    "        [[ $is_glued ]] && head=$word\n"
    "        words=(\"${words[@]//[\\\\\\\"\\']/}\")\n"
    "        word=${words[${#words[@]}-1]}\n"
    "        head=${head//[\\\\\\\"\\']/}\n"
    "        mapfile -t COMPREPLY < <(\"${1:-kiln}\" completion words \"${words[@]}\" 2>/dev/null)\n"
    "        [[ ${COMPREPLY[0]-} ]] || return\n"
    "        COMPREPLY=(\"${COMPREPLY[@]%%$'\\t'*}\")\n"
    "        if [[ ${COMPREPLY[0]} == " COMPLETION_FILES " ]]; then\n"
    "                compopt -o filenames 2>/dev/null\n"
    "                word=${word#--*=}\n"
    "                head=${head#--*=}\n"
    "                mapfile -t COMPREPLY < <(compgen -f -- \"$word\")\n"
    "                [[ ${COMPREPLY[0]-} ]] || return\n"
    "        fi\n"
    "        COMPREPLY=(\"${COMPREPLY[@]#\"$head\"}\")\n"
    "}\n"
    "complete -F _kiln kiln\n";

// The first time, the file itself is the function that is called.
static const char zsh_function[] =
    "#compdef kiln\n"
    "_kiln() {\n"
    "        local -a lines items\n"
    "        local line\n"
    "        lines=(\"${(@f)$(\"$words[1]\" completion words \"${(@Q)words[2,CURRENT-1]}\" \"${(Q)PREFIX}\" "
    "2>/dev/null)}\")\n"
    "        if [[ $lines[1] == " COMPLETION_FILES " ]]; then\n"
    "                [[ $PREFIX == --*=* ]] && compset -P 1 '*='\n"
    "                _files\n"
    "                return\n"
    "        fi\n"
    "        for line in $lines; do\n"
    "                items+=(\"${${line%%$'\\t'*}//:/\\\\:}${${(M)line%$'\\t'*}/$'\\t'/:}\")\n"
    "        done\n"
    "        _describe kiln items\n"
    "}\n"
    "if [[ $funcstack[1] == _kiln ]]; then _kiln \"$@\"; else compdef _kiln kiln; fi\n";

static const char fish_function[] =
    "function __kiln_complete\n"
    "        set -l words (commandline -opc)\n"
    "        set -l word (commandline -ct)\n"
    "        set -l program (string replace -r '^~/' \"$HOME/\" -- $words[1])\n"
    "        set -l lines ($program completion words $words[2..-1] \"$word\" 2>/dev/null)\n"
    "        if test \"$lines[1]\" != " COMPLETION_FILES "\n"
    "                string join \\n -- $lines\n"
    "                return\n"
    "        end\n"
    "        set -l head (string match -r '^--[^=]*=' -- \"$word\")\n"
    "        for path in (__fish_complete_path (string replace -r '^--[^=]*=' '' -- \"$word\"))\n"
    "                echo \"$head$path\"\n"
    "        end\n"
    "end\n"
    "complete -c kiln -f -a '(__kiln_complete)'\n";

bool completion_print(const char *shell, struct err *err) {
        static const struct {
                const char *name, *function;
        } shells[] = { { "bash", bash_function }, { "zsh", zsh_function }, { "fish", fish_function } };
        for (size_t i = 0; i < lengthof(shells); i++)
                if (strcmp(shells[i].name, text_or(shell, "bash")) == 0) {
                        fputs(shells[i].function, stdout);
                        return true;
                }
        return fail(err, ERR_USAGE, 0, "kiln completion %s: bash, zsh or fish is needed", shell);
}
