#compdef berth
# Completion of berth(1) for zsh: the program's own --help says what may follow.
_berth() {
    local -a before found
    before=(${${words[2,CURRENT-1]}:#-*})
    found=(${(f)"$(${words[1]} ${before[1,2]} --help 2>/dev/null | awk '
        /^[A-Z].*:$/ { section = $0 }
        section == "Subcommands:" && /^  [a-z]/ {
            name = $1; $1 = ""; sub(/^ /, ""); gsub(/:/, "\\:"); print name ":" $0
        }
        section == "Options:" && /^  -/ {
            gsub(/,/, " ")
            for (i = 1; i <= NF && $i ~ /^-/; ++i) { sub(/\{.*/, "", $i); print $i }
        }')"})
    if (($#found)); then _describe berth found; else _files; fi
}
_berth "$@"
