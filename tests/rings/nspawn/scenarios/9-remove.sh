# A removal keeps what is stored.
# shellcheck shell=bash

check 'the package is removed' guest env DEBIAN_FRONTEND=noninteractive dpkg --remove berth
check 'no process is left' equal "$(guest sh -c 'ps -eo comm | grep -c "^berth"')" 0
check 'no socket is left' not guest test -e /run/berth/control.sock
check 'the store is kept' guest test -s /var/lib/berth/store/berth.db
check 'and the key' guest test -s /var/lib/berth/keys/root.key
check 'and the settings' guest test -s /etc/berth/berth.conf
check 'installed again' install $ring/berth.deb
check 'it is ready' eventually ready
check 'all is there as before' run_once hello/acme
