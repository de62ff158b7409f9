# Completion of berth(1) for fish: the program's own --help says what may follow.
function __berth_words
    set -l before (commandline -opc | string match -v -- '-*')
    set -e before[1]
    berth $before[1..2] --help 2>/dev/null | awk '
        /^[A-Z].*:$/ { section = $0 }
        section == "Subcommands:" && /^  [a-z]/ { name = $1; $1 = ""; sub(/^ /, ""); print name "\t" $0 }
        section == "Options:" && /^  -/ {
            gsub(/,/, " ")
            for (i = 1; i <= NF && $i ~ /^-/; ++i) { sub(/\{.*/, "", $i); print $i }
        }'
end
complete -c berth -a '(__berth_words)'
