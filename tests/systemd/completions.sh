#!/usr/bin/env bash
# The completions for bash, zsh and fish: each shell reads its file, and completes a subject's
# command and an option by what the program itself says.
#
#   completions.sh FOLDER-OF-COMPLETIONS FOLDER-OF-PROGRAMS
set -euo pipefail
completions=$1
export PATH=$2:$PATH ASAN_OPTIONS=detect_leaks=0
failures=0

missing=()
for shell in bash zsh fish; do command -v "$shell" >/dev/null || missing+=("$shell"); done
if ((${#missing[@]})); then
    echo "the completions cannot be tried: ${missing[*]} missing; './dev setup' installs them"
    [[ -z ${CI:-} ]] && exit 77
    exit 1
fi

wants() { # WHAT WANTED GOT...: among the words that were offered
    local what=$1 wanted=$2
    if grep -qx -- "$wanted" <<<"$3"; then
        printf 'ok    %s\n' "$what"
    else
        printf 'FAIL  %s: no %s in\n%s\n' "$what" "$wanted" "$3"
        failures=$((failures + 1))
    fi
}

# What comes after `berth WORD...`, of which the last is being written.
in_bash() {
    # shellcheck disable=SC2016  # the other shell's own
    bash -c '. "$0/berth.bash"; COMP_WORDS=(berth "$@") COMP_CWORD=$#; _berth; printf "%s\n" "${COMPREPLY[@]}"' \
        "$completions" "$@"
}
in_zsh() { # without its completion system, which wants a terminal: what the function offers it
    # shellcheck disable=SC2016
    zsh -fc 'words=(berth "$@") CURRENT=$((1 + $#)); set --
        _describe() { print -rl -- "${${(P)2}[@]%%:*}" }; _files() { print -r -- FILES }
        source "$0/berth.zsh"' "$completions" "$@"
}
in_fish() {
    # shellcheck disable=SC2016
    fish --no-config -c 'source $argv[1]/berth.fish; complete -C "$argv[2]"' "$completions" \
        "berth $*" | cut -f1
}

bash -n "$completions/berth.bash"
zsh -n "$completions/berth.zsh"
fish --no-execute "$completions/berth.fish"
for shell in bash zsh fish; do
    wants "$shell: a subject" tenant "$("in_$shell" te)"
    wants "$shell: its command" sync "$("in_$shell" tenant sy)"
    wants "$shell: an option" --state-dir "$("in_$shell" doctor --st)"
done
((failures == 0))
