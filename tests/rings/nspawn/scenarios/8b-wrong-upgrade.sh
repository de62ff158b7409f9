# An upgrade to a version whose berthd does not start never touches the store.
# shellcheck shell=bash disable=SC2154 # names of run

check 'one whose berthd does not start' remade broken "cp /bin/false usr/sbin/berthd"
check 'Berth stops' stop_all
sum=$(store_sum)
check 'it installs' install /root/broken.deb
# Not waited for: the target is there when its services are.
guest systemctl start --no-block berth.target
tried() { [[ $(property berthd.service NRestarts) -ge 1 ]]; }
check 'its berthd is started, again and again' eventually tried
check 'and does not come up' not guest systemctl is-active --quiet berthd
check 'Berth stops once more' stop_all
check 'the store is as it was, byte for byte' equal "$(store_sum)" "$sum"
check 'the version from before installs over it' install $ring/berth.deb
check 'is started' guest systemctl start berth.target
check 'and is ready' eventually ready
check 'all is there' run_once hello/acme
guest rm /root/broken.deb
