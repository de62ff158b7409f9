#!/bin/bash
# The first that runs of ours in a virtual machine of ring 3, as systemd's only unit:
# sets the machine up as a package would, runs the scenario that /job/scenario names,
# and says on its last line with how many failures it ended. Without that line the
# machine has failed.
set -uo pipefail
cd /job || exit 1
PATH=/usr/sbin:/usr/bin
# Emulated, a sanitizer's bookkeeping is most of the time; ring 1 has all of it.
ASAN_OPTIONS=detect_leaks=0:malloc_context_size=1:quarantine_size_mb=1
export PATH ASAN_OPTIONS
systemctl set-environment ASAN_OPTIONS=$ASAN_OPTIONS
mount -t tracefs tracing /sys/kernel/tracing
# shellcheck disable=SC1091  # lies beside this file
. ./checks.sh
# shellcheck disable=SC2154  # counted there
trap 'show_if_failed journalctl -b --no-pager -o short-precise -n 60; echo "ring3: ended with $failures"' EXIT
# shellcheck disable=SC1090  # as named
. "./$(cat scenario).sh"
