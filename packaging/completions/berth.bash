# Completion of berth(1) for bash: the program's own --help says what may follow, so that
# this never knows less than the program.
_berth() {
    local word=${COMP_WORDS[COMP_CWORD]} part before=()
    for part in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        [[ $part == -* ]] || before+=("$part")
    done
    mapfile -t COMPREPLY < <(compgen -W "$("${COMP_WORDS[0]}" "${before[@]:0:2}" --help 2>/dev/null |
        awk '/^[A-Z].*:$/ { section = $0 }
             section == "Subcommands:" && /^  [a-z]/ { print $1 }
             section == "Options:" && /^  -/ {
                 gsub(/,/, " ")
                 for (i = 1; i <= NF && $i ~ /^-/; ++i) { sub(/\{.*/, "", $i); print $i }
             }')" -- "$word")
    [[ ${#COMPREPLY[@]} -gt 0 ]] || mapfile -t COMPREPLY < <(compgen -f -- "$word")
}
complete -F _berth berth
