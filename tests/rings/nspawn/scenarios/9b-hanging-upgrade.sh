# Nor does it hold up an upgrade of a Berth that runs. After 'hang', whose package it is.
# shellcheck shell=bash disable=SC2154 # names of run

installs_within_its_time
check 'the right one over it' install $ring/berth.deb
check 'is ready again' eventually ready
guest env DEBIAN_FRONTEND=noninteractive dpkg --purge berth >/dev/null 2>&1
guest rm /root/hanging.deb
