# A purge keeps nothing.
# shellcheck shell=bash

check 'the package is purged' guest env DEBIAN_FRONTEND=noninteractive dpkg --purge berth
for path in /var/lib/berth /etc/berth /run/berth /lib/systemd/system/berthd.service /usr/sbin/berthd; do
    check "$path is gone" not guest test -e $path
done
guest rm -f /run/systemd/system/ring-*
guest systemctl daemon-reload
check 'systemd knows no unit of it' equal "$(guest systemctl list-units --all --plain --no-legend 'berth*')" ''
check 'nothing has failed meanwhile' equal "$(guest systemctl --failed --plain --no-legend)" ''
