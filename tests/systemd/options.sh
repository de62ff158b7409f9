#!/usr/bin/env bash
# The daemons' manual pages and their --help name the same options; `planted` is the control:
# one that only either of them has is noticed.
#
#   options.sh agree|planted FOLDER-OF-PAGES FOLDER-OF-PROGRAMS
set -euo pipefail
check=$1 pages=$2 programs=$3
export ASAN_OPTIONS=detect_leaks=0

named() { grep -oE -- '--[a-z][a-z-]+' | grep -vx -- --help | sort -u; }
helped() { "$programs/$1" --help | named; }
described() { sed '/^# EXAMPLE/,$d' "$pages/$1.8.scd"; }

wrong() {
    local daemon
    for daemon in berthd berth-runner berth-launcher berth-egress; do
        comm -23 <(helped "$daemon") <(described "$daemon" | named) |
            sed "s/.*/$daemon.8 does not describe &/"
        # What the page explains stands at the beginning of a line.
        comm -13 <(helped "$daemon") <(described "$daemon" | grep '^\*--' | named) |
            sed "s/.*/$daemon --help does not name &/"
    done
}

case $check in
    agree)
        found=$(wrong)
        [[ -z $found ]] || {
            printf '%s\n' "$found"
            exit 1
        }
        ;;
    planted)
        folder=$(mktemp -d)
        trap 'rm -rf "$folder"' EXIT
        cp "$pages"/*.8.scd "$folder"
        sed -i 's/--pool-age/--pool-aeg/; s/^\*--strict/*--stritc/' "$folder/berth-launcher.8.scd"
        pages=$folder
        found=$(wrong)
        for line in 'berth-launcher.8 does not describe --pool-age' 'berth-launcher --help does not name --stritc'; do
            grep -qx -- "$line" <<<"$found" || {
                printf 'not noticed: %s, but\n%s\n' "$line" "$found"
                exit 1
            }
        done
        ;;
esac
