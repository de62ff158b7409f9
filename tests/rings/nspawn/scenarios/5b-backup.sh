# A backup under a Berth that runs; a restore only where nothing is.
# shellcheck shell=bash

berth tenant sync lines/acme >/dev/null 2>&1
check 'a backup while a run prints' guest berthd --backup /root/backup --config /etc/berth/berth.conf
check 'nothing in the store became root'"'"'s' equal "$(guest find /var/lib/berth/store ! -user berth)" ''
check 'the key is not in it' equal "$(guest find /root/backup -name '*key*')" ''
check 'the folder is for root alone' equal "$(guest stat -c '%U %a' /root/backup)" 'root 700'
check 'the store is in it' guest test -s /root/backup/store/berth.db
check 'there is none over another' not guest berthd --backup /root/backup --config /etc/berth/berth.conf
check 'nothing is put back over a store' not guest berthd --restore /root/backup --config /etc/berth/berth.conf
check 'Berth did not notice' run_once hello/acme
over_now() { [[ $(berth run list --tenant lines/acme --state running --json | grep -c '"attempt"') -eq 0 ]]; }
check 'the run that printed has ended' eventually over_now
