# A stop of all of Berth lets live runs end, and says what it waits for.
# shellcheck shell=bash

guest sh -c "echo 'stop_grace_seconds = 300' >>/etc/berth/berth.conf; systemctl reload berthd"
hold_runs
berth tenant sync lines/acme >/dev/null 2>&1
check 'a run lives' eventually is_running lines/acme
guest systemctl stop berth.target 'berth*' &
stop=$! stopped=0
waits_for_it() { contains "$(status_text berthd)" 'stopping; waiting for 1 live runs to end'; }
check 'berthd says what it waits for' eventually waits_for_it
let_runs_go
wait $stop || stopped=$?
check 'all of Berth stops then' equal $stopped 0
guest sed -i '/^stop_grace_seconds = 300$/d' /etc/berth/berth.conf
check 'nothing of it is left' equal "$(guest sh -c 'ps -eo comm | grep -c "^berth"')" 0
guest systemctl start berth.target
check 'and starts' eventually ready
check 'the run had been let end' equal "$(state_of lines/acme)" succeeded
check 'with all its lines' whole lines/acme
