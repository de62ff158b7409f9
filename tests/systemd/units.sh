#!/bin/bash
# The gates of systemd/: each unit is read by systemd without a complaint (verify), and
# none is more exposed than its goal (exposure). `planted` is the control: both see a fault
# when there is one.
set -euo pipefail
check=$1 units=$2 programs=$3

# systemd-analyze counts in tenths of a point here.
declare -A most=([berthd]=5 [berth-runner]=10 [berth-egress]=15 [berth-launcher]=40 [berth-drain]=40)

command -v systemd-analyze >/dev/null || {
    echo 'systemd-analyze is missing; Debian has it in systemd'
    [[ -z ${CI:-} ]] && exit 77
    exit 1
}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# The programs where they are built, since none may be installed.
for unit in "$units"/*.service "$units"/*.socket "$units"/*.target; do
    sed "s,/usr/sbin/,$programs/," "$unit" >"$folder/${unit##*/}"
done

verify() {
    local said
    said=$(SYSTEMD_UNIT_PATH="$folder:" systemd-analyze verify --man=no \
        "$folder"/*.service "$folder"/*.socket "$folder"/*.target 2>&1 | grep -F "$folder" || true)
    [[ -z $said ]] || {
        printf '%s\n' "$said"
        return 1
    }
}

exposure() {
    local unit name result=0
    for unit in "$folder"/*.service; do
        name=${unit##*/}
        name=${name%.service}
        [[ -n ${most[$name]:-} ]] || {
            echo "$name.service has no goal in this file"
            return 1
        }
        # The whole table is shown for a unit that fails.
        if systemd-analyze security --offline=true --no-pager --threshold="${most[$name]}" \
            "$unit" >"$folder/said" 2>&1; then
            tail -n 1 "$folder/said"
        else
            cat "$folder/said"
            echo "$name.service is more exposed than ${most[$name]} tenths"
            result=1
        fi
    done
    return $result
}

case $check in
    verify | exposure) "$check" ;;
    planted)
        sed -i 's/^ProtectHome=yes/ProtectHouse=yes/' "$folder/berth-egress.service"
        if verify >/dev/null; then
            echo 'a setting that does not exist is not seen'
            exit 1
        fi
        if exposure >/dev/null; then
            echo 'a unit that is more exposed is not seen'
            exit 1
        fi
        ;;
esac
