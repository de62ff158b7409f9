# A removal keeps what is stored, a purge does not.
# shellcheck shell=bash

check 'the package is removed' guest env DEBIAN_FRONTEND=noninteractive dpkg --remove berth
check 'no process is left' equal "$(guest sh -c 'ps -eo comm | grep -c "^berth"')" 0
check 'no socket is left' not guest test -e /run/berth/control.sock
check 'the store is kept' guest test -s /var/lib/berth/store/berth.db
check 'and the key' guest test -s /var/lib/berth/keys/root.key
check 'and the settings' guest test -s /etc/berth/berth.conf
check 'installed again' guest env DEBIAN_FRONTEND=noninteractive dpkg -i $ring/berth.deb
check 'it is ready' eventually ready
check 'all is there as before' run_once hello/acme
check 'the package is purged' guest env DEBIAN_FRONTEND=noninteractive dpkg --purge berth
for path in /var/lib/berth /etc/berth /run/berth /lib/systemd/system/berthd.service /usr/sbin/berthd; do
    check "$path is gone" not guest test -e $path
done
guest rm -f /run/systemd/system/ring-*
guest systemctl daemon-reload
check 'systemd knows no unit of it' equal "$(guest systemctl list-units --all --plain --no-legend 'berth*')" ''
check 'nothing has failed meanwhile' equal "$(guest systemctl --failed --plain --no-legend)" ''
