# Completion of Berth's daemons for bash: their options, as their own --help names them.
_berth_daemon() {
    local word=${COMP_WORDS[COMP_CWORD]}
    mapfile -t COMPREPLY < <(compgen -W "$("${COMP_WORDS[0]}" --help 2>/dev/null |
        grep -oE -- '--[a-z][a-z-]+' | sort -u)" -- "$word")
    [[ ${#COMPREPLY[@]} -gt 0 ]] || mapfile -t COMPREPLY < <(compgen -f -- "$word")
}
complete -F _berth_daemon berthd berth-runner berth-launcher berth-egress
