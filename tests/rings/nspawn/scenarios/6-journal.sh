# Log lines have their fields as fields.
# shellcheck shell=bash

fields() { guest journalctl --no-pager -o json -u berthd "$@"; }
socket_field() { guest journalctl --sync && contains "$(fields BERTH_SOCKET=/run/berth/control.sock)" '"BERTH_SOCKET":"/run/berth/control.sock"'; }
check 'a field of a line is a field of the journal' eventually socket_field
check 'entries come from berthd itself, not from its stream' contains \
    "$(fields BERTH_SOCKET=/run/berth/control.sock -n 1)" '"_TRANSPORT":"journal"'
check 'and have a level' contains "$(fields BERTH_SOCKET=/run/berth/control.sock -n 1)" '"PRIORITY":"6"'

# A run that is lost is an error with its run and its tenant.
hold_runs
berth tenant sync lines/acme >/dev/null 2>&1
lives() { [[ $(berth run list --tenant lines/acme --state running --json | grep -c '"running"') -gt 0 ]]; }
check 'a run lives' eventually lives
run=$(berth run list --tenant lines/acme --limit 1 --json | sed -n 's/.*"id": *\([0-9]*\).*/\1/p' | head -n 1)
guest systemctl kill --signal=KILL berth-runner.service berth-launcher.service
let_runs_go
over() { not lives; }
check 'it is over, one way or the other' eventually over
check 'ready again' eventually ready
found() { guest journalctl --sync && contains "$(guest journalctl --no-pager -o cat "BERTH_RUN=$run")" "run=$run"; }
check 'journalctl BERTH_RUN= finds what concerns it' eventually found

# Every run ends with a line that has its run, its tenant and how it went as fields.
berth tenant sync hello/acme --wait >/dev/null 2>&1
of_run=$(berth run show hello/acme --json | python3 -c 'import json, sys; run = json.load(sys.stdin)
print("BERTH_RUN=%s BERTH_TENANT=%s BERTH_STATE=%s" % (run["id"], run["tenant_id"], run["state"]))')
its_end() { guest journalctl --sync && contains "$(guest journalctl --no-pager -o cat -u berthd $of_run)" 'run ended'; }
check "journalctl $of_run finds its end" eventually its_end
