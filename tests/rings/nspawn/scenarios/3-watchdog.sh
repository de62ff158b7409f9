# A daemon that hangs is found by its watchdog, and started anew.
# shellcheck shell=bash

hung_up() { [[ $(property "$1.service" NRestarts) -gt $2 ]]; }
for unit in "${daemons[@]}"; do
    guest mkdir -p "/run/systemd/system/$unit.service.d"
    guest sh -c "printf '[Service]\nWatchdogSec=5\nWatchdogSignal=SIGKILL\n' >/run/systemd/system/$unit.service.d/ring.conf"
done
guest systemctl daemon-reload
guest systemctl restart berth-launcher berth-egress berth-runner berthd
check 'ready with a watchdog of five seconds' eventually ready
since=$(mark)
declare -A restarts=()
for unit in "${daemons[@]}"; do
    restarts[$unit]=$(property $unit.service NRestarts)
    guest systemctl kill --kill-whom=main --signal=STOP $unit.service
done
for unit in "${daemons[@]}"; do
    check "$unit that hangs is started anew" eventually hung_up $unit "${restarts[$unit]}"
    check 'the journal says why' eventually journal_says "$since" 'Watchdog timeout' -u $unit.service
done
check 'a run succeeds then' eventually run_once hello/acme
# The control: longer than the watchdog, and none of those that live was taken for dead.
since=$(mark)
for time in first second; do
    check "a run of three seconds is no reason, the $time time" run_once lines/acme
done
check 'nobody was taken for dead' not journal_says "$since" 'Watchdog timeout'
for unit in "${daemons[@]}"; do
    guest rm -r "/run/systemd/system/$unit.service.d"
done
guest systemctl daemon-reload
guest systemctl restart berth-launcher berth-egress berth-runner berthd
check 'ready without them' eventually ready
