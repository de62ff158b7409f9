# The death of any one daemon heals without the others; whoever connects meanwhile waits.
# shellcheck shell=bash

started_anew() { [[ $(main_pid "$1") != 0 && $(main_pid "$1") != "$2" ]]; }
declare -A pids=()
for unit in berthd berth-runner berth-launcher berth-egress; do
    for other in berthd berth-runner berth-launcher berth-egress; do pids[$other]=$(main_pid $other); done
    guest systemctl kill --kill-whom=main --signal=KILL $unit.service
    check "$unit is there again after its death" eventually started_anew $unit "${pids[$unit]}"
    check 'a run succeeds then' run_once hello/acme
    for other in berthd berth-runner berth-launcher berth-egress; do
        [[ $other == "$unit" ]] || check "$other did not end with it" equal "$(main_pid $other)" "${pids[$other]}"
    done
done

# Nobody is there: who asks starts it.
guest systemctl --quiet stop berthd.service
check 'a stopped berthd is started by who asks' eventually berth health
guest systemctl --quiet stop berth-launcher.service berth-egress.service
check 'stopped ones are started by the runner' eventually run_once hello/acme
