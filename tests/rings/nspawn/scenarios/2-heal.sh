# The death of any one daemon heals without the others; whoever connects meanwhile waits.
# shellcheck shell=bash

started_anew() { local pid; pid=$(main_pid "$1") && [[ $pid != 0 && $pid != "$2" ]]; }
pids_but() { properties MainPID "${daemons[@]/%/.service}" | grep -v "^$1.service "; }
for unit in "${daemons[@]}"; do
    pid=$(main_pid "$unit")
    others=$(pids_but "$unit")
    guest systemctl kill --kill-whom=main --signal=KILL "$unit.service"
    check "$unit is there again after its death" eventually started_anew "$unit" "$pid"
    check 'a run succeeds then' run_once hello/acme
    check 'none of the others ended with it' equal "$(pids_but "$unit")" "$others"
done

# Nobody is there: who asks starts it.
guest systemctl --quiet stop berthd.service
check 'a stopped berthd is started by who asks' eventually berth health
guest systemctl --quiet stop berth-launcher.service berth-egress.service
check 'stopped ones are started by the runner' eventually run_once hello/acme
