# An upgrade under a live run.
# shellcheck shell=bash

hold_runs
berth tenant sync lines/acme >/dev/null 2>&1
check 'a run lives' eventually is_running lines/acme
before=$(properties MainPID "${daemons[@]/%/.service}")
check 'the same package over itself' install $ring/berth.deb
check 'every daemon is new' equal "$(properties MainPID "${daemons[@]/%/.service}" | grep -cxF "$before")" 0
let_runs_go
check 'the run goes on and succeeds' eventually has_succeeded lines/acme
check 'each of its lines is there once' whole lines/acme
check 'the data is as before' contains "$(berth tenant list --json)" acme
