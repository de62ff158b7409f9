#!/usr/bin/env bash
# The completions for bash, zsh and fish: each shell reads its files, and completes a subject's
# command and options, also of the daemons, by what the programs themselves say.
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

# What comes after `PROGRAM WORD...`, of which the last is being written.
file_of() { if [[ $1 == berth ]]; then echo "$completions/berth"; else echo "$completions/daemons"; fi; }
in_bash() {
    # shellcheck disable=SC2016  # the other shell's own
    bash -c '. "$0.bash"; COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        of=$(complete -p "$1"); of=${of#*-F }; "${of%% *}"; printf "%s\n" "${COMPREPLY[@]}"' \
        "$(file_of "$1")" "$@"
}
in_zsh() { # without its completion system, which wants a terminal: what the function offers it
    # shellcheck disable=SC2016
    zsh -fc 'words=("$@") CURRENT=$#; set --
        _describe() { print -rl -- "${${(P)2}[@]%%:*}" }; _files() { print -r -- FILES }
        source "$0.zsh"' "$(file_of "$1")" "$@"
}
in_fish() {
    # shellcheck disable=SC2016
    fish --no-config -c 'source $argv[1].fish; complete -C "$argv[2]"' "$(file_of "$1")" "$*" | cut -f1
}

for file in berth daemons; do
    bash -n "$completions/$file.bash"
    zsh -n "$completions/$file.zsh"
    fish --no-execute "$completions/$file.fish"
done
for shell in bash zsh fish; do
    wants "$shell: a subject" tenant "$("in_$shell" berth te)"
    wants "$shell: its command" sync "$("in_$shell" berth tenant sy)"
    wants "$shell: an option" --state-dir "$("in_$shell" berth doctor --st)"
    wants "$shell: a way to start berthd" --restore "$("in_$shell" berthd --re)"
    wants "$shell: an option of berth-runner" --root-key-command "$("in_$shell" berth-runner --ro)"
    wants "$shell: an option of berth-launcher" --require-cgroup "$("in_$shell" berth-launcher --strict --re)"
    wants "$shell: an option of berth-egress" --runner-uid "$("in_$shell" berth-egress --ru)"
done
((failures == 0))
