# Completion of Berth's daemons for fish: their options, as their own --help names them.
function __berth_daemon_words
    set -l words (commandline -opc)
    $words[1] --help 2>/dev/null | grep -oE -- '--[a-z][a-z-]+' | sort -u
end
for daemon in berthd berth-runner berth-launcher berth-egress
    complete -c $daemon -a '(__berth_daemon_words)'
end
