# What leads out of a sandbox is given in two places: a grant in the settings, and a drop-in
# for berth-launcher, whose walls are also the sandboxes'. One of the two is not enough.
# shellcheck shell=bash disable=SC2154 # names of checks.sh

conf=/etc/berth/berth.conf
drop=/etc/systemd/system/berth-launcher.service.d
guest cp $conf /root/berth.conf
# Not on the overlay, which cannot map owners.
guest mkdir -p /srv/exports
guest mount -t tmpfs -o uid=64980,gid=64981,mode=755 exports /srv/exports
run_within_a_minute() { berth tenant sync "$1" --wait --timeout 60; }
network_of() { berth log "$1" --stream stderr | sed -n 's/^network //p' | tail -n 1; }
host_network=$(guest readlink /proc/1/ns/net)
for name in granted ungranted; do
    check "the integration $name" guest sh -ec "
        berth integration create $name --network none
        berth release create $name $ring/integrations/granted --default
        berth tenant create acme --integration $name"
done
check 'without a grant there is no folder' not run_within_a_minute granted/acme
check 'nor the network of the host' not guest berth integration update granted --network host
guest sh -c "printf 'grant.granted = host_network, writable_path:/srv/exports\n' >>$conf"
guest systemctl restart berth-launcher berthd
check 'ready with the grant alone' eventually ready
check 'it does not open the folder' not run_within_a_minute granted/acme
guest mkdir -p $drop
guest sh -c "printf '[Service]\nReadWritePaths=/srv/exports\nPrivateNetwork=no\n' >$drop/ring.conf"
guest systemctl daemon-reload
guest systemctl restart berth-launcher berthd
check 'ready with both' eventually ready
check 'the network of the host is granted' guest berth integration update granted --network host
check 'the run writes into the folder' run_once granted/acme
check 'what it wrote belongs to the owner of the folder' equal \
    "$(guest stat -c '%u:%g' /srv/exports/file) $(guest cat /srv/exports/file)" '64980:64981 from-the-run'
check 'it was in the network of the host' equal "$(network_of granted/acme)" "$host_network"
record=$(berth run show granted/acme --json)
for grant in host_network writable_path; do
    check "its record says $grant" contains "$record" $grant
done
check 'an integration without a grant still has no folder' not run_within_a_minute ungranted/acme
check 'and a network of its own' not equal "$(network_of ungranted/acme)" "$host_network"
guest umount -l /srv/exports
guest sh -c "rm -r $drop; cp /root/berth.conf $conf"
guest systemctl daemon-reload
guest systemctl restart berth-launcher berthd
check 'ready as before' eventually ready
check 'the grant is taken back' not run_within_a_minute granted/acme
