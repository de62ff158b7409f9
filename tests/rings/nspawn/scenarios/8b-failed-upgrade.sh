# An upgrade that fails half-way.
# shellcheck shell=bash disable=SC2154 # names of run

# A new version that fails on the way leaves the store as it was: one whose last step fails,
# and one whose berthd does not start.
store_sum() { guest sh -c 'cd /var/lib/berth/store && find . -type f ! -name "*.lock" | sort | xargs sha256sum | sha256sum'; }
remade() { # NAME COMMAND: the package with another version, changed in its folder by the command
    guest sh -ec "rm -rf /root/remade && dpkg-deb -R $ring/berth.deb /root/remade && cd /root/remade
        sed -i 's/^Version: .*/&+$1/' DEBIAN/control
        $2
        dpkg-deb -Znone -b . /root/$1.deb >/dev/null"
}
check 'one whose last step fails' remade failing "sed -i '2i exit 1' DEBIAN/postinst"
check 'one whose berthd does not start' remade broken "cp /bin/false usr/sbin/berthd"
stopped() { guest systemctl stop berth.target 'berth*'; }
check 'Berth stops' stopped
sum=$(store_sum)
check 'the first does not install' not guest env DEBIAN_FRONTEND=noninteractive dpkg -i /root/failing.deb
check 'the store is as it was, byte for byte' equal "$(store_sum)" "$sum"
check 'Berth is stopped again' stopped
check 'the second installs' guest env DEBIAN_FRONTEND=noninteractive dpkg -i /root/broken.deb
# Not waited for: the target is there when its services are.
guest systemctl start --no-block berth.target
tried() { [[ $(property berthd.service NRestarts) -ge 2 ]]; }
check 'its berthd is started, again and again' eventually tried
check 'and does not come up' not guest timeout 3 berth health
check 'Berth stops once more' stopped
check 'the store is as it was then, too' equal "$(store_sum)" "$sum"
check 'the version from before installs over it' guest env DEBIAN_FRONTEND=noninteractive dpkg -i $ring/berth.deb
check 'is started' guest systemctl start berth.target
check 'and is ready' eventually ready
check 'all is there' run_once hello/acme
check 'nothing of it was lost' guest berth audit verify
guest rm -rf /root/remade /root/failing.deb /root/broken.deb
