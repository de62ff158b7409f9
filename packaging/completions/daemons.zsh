#compdef berthd berth-runner berth-launcher berth-egress
# Completion of Berth's daemons for zsh: their options, as their own --help names them.
_berthd() {
    local -a found
    [[ ${words[CURRENT]} != -* ]] ||
        found=(${(f)"$(${words[1]} --help 2>/dev/null | grep -oE -- '--[a-z][a-z-]+' | sort -u)"})
    if (($#found)); then _describe option found; else _files; fi
}
_berthd "$@"
