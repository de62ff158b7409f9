# An upgrade under live runs; one that fails; a stop that lets runs end.
# shellcheck shell=bash

# The lines of the run's log as numbers, which must be 1 to 300, each once and in order.
lines_of() { berth log "$1" --stream stderr | sed -n 's/.*line \([0-9]*\)$/\1/p'; }
whole() { [[ $(lines_of lines/acme) == "$(seq 300)" ]] || { lines_of lines/acme | head -n 5; return 1; }; }
state_of() { berth run show "$1" --json | sed -n 's/.*"state": *"\([a-z_]*\)".*/\1/p' | head -n 1; }
running() { [[ $(state_of lines/acme) == running ]]; }
ended() { [[ $(state_of lines/acme) == succeeded ]]; }

hold_runs
berth tenant sync lines/acme >/dev/null 2>&1
check 'a run lives' eventually running
before=$(properties MainPID "${daemons[@]/%/.service}")
check 'the same package over itself' guest env DEBIAN_FRONTEND=noninteractive dpkg -i $ring/berth.deb
check 'every daemon is new' equal "$(properties MainPID "${daemons[@]/%/.service}" | grep -cxF "$before")" 0
let_runs_go
check 'the run goes on and succeeds' eventually ended
check 'each of its lines is there once' whole
check 'the data is as before' contains "$(berth tenant list --json)" acme

before=$(guest sh -c 'ls -lR --time-style=full-iso /var/lib/berth/keys /etc/berth | sha256sum')
guest sh -c "head -c 100000 $ring/berth.deb >$ring/broken.deb"
check 'a package that is cut off does not install' not guest dpkg -i $ring/broken.deb
check 'key and settings are as they were' equal "$before" \
    "$(guest sh -c 'ls -lR --time-style=full-iso /var/lib/berth/keys /etc/berth | sha256sum')"
check 'and Berth runs' run_once hello/acme

guest sh -c "echo 'stop_grace_seconds = 300' >>/etc/berth/berth.conf; systemctl reload berthd"
hold_runs
berth tenant sync lines/acme >/dev/null 2>&1
check 'a run lives again' eventually running
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
check 'with all its lines' whole
