# An upgrade that fails, before anything of it is there and at its last step: key, settings and
# store are as they were.
# shellcheck shell=bash disable=SC2154 # names of run

before=$(guest sh -c 'ls -lR --time-style=full-iso /var/lib/berth/keys /etc/berth | sha256sum')
guest sh -c "head -c 100000 $ring/berth.deb >$ring/broken.deb"
check 'a package that is cut off does not install' not install $ring/broken.deb
check 'key and settings are as they were' equal "$before" \
    "$(guest sh -c 'ls -lR --time-style=full-iso /var/lib/berth/keys /etc/berth | sha256sum')"
check 'and Berth runs' run_once hello/acme

check 'one whose last step fails' remade failing "sed -i '2i exit 1' DEBIAN/postinst"
check 'Berth stops' stop_all
sum=$(store_sum)
check 'it does not install' not install /root/failing.deb
check 'the store is as it was, byte for byte' equal "$(store_sum)" "$sum"
check 'the version from before installs over it' install $ring/berth.deb
check 'is started' guest systemctl start berth.target
check 'and is ready' eventually ready
check 'nothing was lost' guest berth audit verify
guest rm /root/failing.deb
