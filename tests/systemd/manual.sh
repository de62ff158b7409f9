#!/usr/bin/env bash
# What the administrator's manual and the example alerts name is there: commands and their
# options, settings, series of /metrics, alerts. (Its blocks of commands are run by ring 2.)
# `planted` is the control: a name of each that does not exist is noticed.
#
#   manual.sh names|planted SOURCE FOLDER-OF-PROGRAMS
set -euo pipefail
check=$1 source=$2
export PATH=$3:$PATH:$2/.cache/tools ASAN_OPTIONS=detect_leaks=0
pages=("$source"/docs/manual/*.md "$source"/README.md "$source"/docs/{connectors,webhooks,schedules,complaints}.md)
alerts=$source/packaging/alerts.yml

# shellcheck disable=SC2016  # as they stand in a page
in_backticks() { grep -ohE '`[^`]+`' "${pages[@]}" | tr -d '`'; }

# 'SUBJECT COMMAND OPTION...' of whatever begins with 'berth '; arguments are left out.
commands() {
    in_backticks | sed -n 's/^berth \([a-z]\)/\1/p' |
        awk '{ line = ""; in_words = 1
            for (i = 1; i <= NF; ++i) {
                if ($i ~ /^--[a-z-]+$/) { line = line " " $i; in_words = 0 }
                else if (in_words && $i ~ /^[a-z][a-z-]*$/ && i <= 2) line = line " " $i
                else in_words = 0
            }
            print line }' | sort -u
}
wrong_commands() {
    local words word help
    while read -ra words; do
        local named=() options=()
        for word in "${words[@]}"; do
            if [[ $word == --* ]]; then options+=("$word"); else named+=("$word"); fi
        done
        help=$(berth "${named[@]}" --help 2>/dev/null) || help=''
        [[ $help == *Usage:\ berth\ "${named[*]}"* ]] || echo "there is no command 'berth ${named[*]}'"
        for word in "${options[@]}"; do
            grep -qE -- "(^|[ ,])$word([ ,]|\$)" <<<"$help"$'\n--json --socket' ||
                echo "'berth ${named[*]}' has no option '$word'"
        done
    done < <(commands)
}

wrong_settings() {
    in_backticks | sed -n 's/^\([a-z_]\{3,\}\) = .*/\1/p' | sort -u | while read -r name; do
        grep -qE "^#? ?$name = " "$source/packaging/berth.conf" || echo "there is no setting '$name'"
    done
}

wrong_series() {
    grep -ohE '\bberth_[a-z_]+' "${pages[@]}" "$alerts" | sort -u | while read -r name; do
        grep -qF "\"$name\"" "$source"/daemon/*.cpp || echo "there is no series '$name'"
    done
}

# The page on monitoring and the file have the same alerts.
wrong_alerts() {
    diff <(sed -n 's/^ *- alert: //p' "$alerts" | sort) \
        <(sed -n 's/^| \(Berth[A-Za-z]*\) |.*/\1/p' "$source/docs/manual/6-monitor.md" | sort) || true
    if command -v promtool >/dev/null; then
        promtool check rules "$alerts" >/dev/null || echo 'promtool refuses the alerts'
    elif [[ -n ${CI:-} ]]; then
        echo "promtool is missing; './dev tools' fetches it"
    fi
}

wrong() { wrong_commands && wrong_settings && wrong_series && wrong_alerts; }

case $check in
    names)
        found=$(wrong)
        [[ -z $found ]] || {
            printf '%s\n' "$found"
            exit 1
        }
        printf '%d commands, and none of a name that is not there\n' "$(commands | wc -l)"
        ;;
    planted)
        folder=$(mktemp -d)
        trap 'rm -rf "$folder"' EXIT
        # shellcheck disable=SC2016  # as it stands in a page
        printf '%s\n' '`berth tenant fetch acme`, `berth doctor --fast`, `max_rnus = 3`, berth_runs_lost_total' \
            >"$folder/page.md"
        pages+=("$folder/page.md")
        sed 's/BerthGone/BerthAway/' "$alerts" >"$folder/alerts.yml"
        alerts=$folder/alerts.yml
        found=$(wrong)
        for name in "'berth tenant fetch'" "'berth doctor' has no option '--fast'" "'max_rnus'" \
            "'berth_runs_lost_total'" BerthAway; do
            [[ $found == *"$name"* ]] || {
                printf 'not noticed: %s, but\n%s\n' "$name" "$found"
                exit 1
            }
        done
        ;;
esac
