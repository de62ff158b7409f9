# The end of the host under a live run, and its next start: the run is let end, and afterwards
# all of Berth is there by itself.
# shellcheck shell=bash

guest sh -c "echo 'stop_grace_seconds = 300' >>/etc/berth/berth.conf; systemctl reload berthd"
hold_runs
berth tenant sync lines/acme >/dev/null 2>&1
check 'a run lives' eventually is_running lines/acme
guest systemctl --no-block poweroff
waits_for_it() { contains "$(status_text berthd)" 'stopping; waiting for 1 live runs to end'; }
check 'the host waits for it, and berthd says so' eventually waits_for_it
let_runs_go
check 'then it ends' eventually guest_is_over
guest_boot
check 'ready after its next start, by itself' eventually ready
states=$(properties ActiveState "${daemons[@]/%/.service}" berth-drain.service)
for unit in "${daemons[@]}" berth-drain; do
    check "$unit is active" contains "$states" "$unit.service active"
done
check 'nothing has failed' equal "$(guest systemctl --failed --plain --no-legend)" ''
check 'the run was let end' equal "$(state_of lines/acme)" succeeded
check 'with all its lines' whole lines/acme
check 'a run succeeds' run_once hello/acme
guest sh -c "sed -i '/^stop_grace_seconds = 300\$/d' /etc/berth/berth.conf; systemctl reload berthd"
