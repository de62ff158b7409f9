#!/usr/bin/env bash
# Where their tools are missing rings 2 and 3 are skipped and say which; in CI they fail.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# All that a ring needs to find out what it has not.
for tool in bash dirname readlink; do ln -s "$(command -v $tool)" "$folder/$tool"; done

failures=0
wrong() {
    printf 'FAIL  %s\n' "$*"
    failures=$((failures + 1))
}
attempt() { # RING ENVIRONMENT...
    said=$(env -i PATH="$folder" "${@:2}" "$folder/bash" "$here/$1/run" 2>&1) && status=0 || status=$?
}
for ring in nspawn:systemd-nspawn qemu:qemu-system-x86_64; do
    attempt "${ring%:*}" CI=true
    [[ $status == 1 ]] || wrong "in CI ${ring%:*} ends with $status"
    attempt "${ring%:*}"
    [[ $status == 77 ]] || wrong "elsewhere ${ring%:*} ends with $status"
    [[ $said == *"cannot run: "*"${ring#*:}"*missing* ]] || wrong "${ring%:*} does not name ${ring#*:}: $said"
done
((failures == 0)) && echo 'both rings tell'
