# How a scenario says what it expects. Sourced by ./run.
# shellcheck shell=bash

checks=0
failures=0

# check 'a sentence' COMMAND...: one line with its verdict, and its time when that is long; what
# it printed, when it failed; which is in `said` afterwards.
check() {
    local sentence=$1 began=${EPOCHREALTIME/./} ms
    shift
    checks=$((checks + 1))
    if said=$("$@" 2>&1); then
        ms=$(((${EPOCHREALTIME/./} - began) / 1000))
        printf '  ok    %s%s\n' "$sentence" "$( ((ms < 500)) || echo " ($ms ms)")"
    else
        failures=$((failures + 1))
        printf '  FAIL  %s\n' "$sentence"
        printf '%s\n' "$said" | tail -n 30 | sed 's/^/        | /'
    fi
}

# Waits for an event: tried again until it holds, five minutes at most (for what never comes). No check passes by time alone.
eventually() {
    local deadline=$((SECONDS + 300))
    until "$@"; do
        ((SECONDS < deadline)) || {
            echo "not within five minutes: $*"
            return 1
        }
        sleep 0.05
    done
}

not() { ! "$@"; }

# Both shown when they differ.
equal() {
    [[ $1 == "$2" ]] || {
        printf "'%s' is not '%s'\n" "$1" "$2"
        return 1
    }
}
contains() {
    [[ $1 == *"$2"* ]] || {
        printf "'%s' is not in:\n%s\n" "$2" "$1"
        return 1
    }
}

berth() { guest berth "$@"; }
property() { guest systemctl show --property="$2" --value "$1"; }
main_pid() { property "$1.service" MainPID; }
status_text() { property "$1.service" StatusText; }
daemons=(berthd berth-runner berth-launcher berth-egress)
# Some properties of many units in one call, each unit a line: 'UNIT VALUE VALUE', in the order in
# which systemd names them.
properties() { # NAMES UNIT...
    guest systemctl show --property="Id,$1" "${@:2}" |
        awk -v RS= -F '\n' '{ line = ""; for (i = 1; i <= NF; ++i) { value = $i; sub(/^[^=]*=/, "", value)
            if ($i ~ /^Id=/) id = value; else line = line " " value }; print id line }'
}
# Of the journal since a mark that mark() made; further words are journalctl's. Not by a
# cursor: with a filter journalctl drops the first entry after it.
mark() { date +@%s.%6N; }
journal_since() {
    local since=$1
    shift
    guest journalctl --sync
    guest journalctl --no-pager --output=cat --since="$since" "$@"
}
journal_says() { contains "$(journal_since "$1" "${@:3}")" "$2"; }

# Runs of the integration 'lines' go on after their last line for as long as a file says so,
# so that what is to be seen while they live does not depend on how fast it is looked at.
hold_runs() { guest sh -c 'for r in /var/lib/berth/releases/*/; do touch "$r/hold"; done'; }
let_runs_go() { guest sh -c 'rm -f /var/lib/berth/releases/*/hold'; }

# How the last run of a tenant stands, and the numbers of the lines in its log; of an undisturbed
# run of 'lines' they are 1 to 300, each once and in order.
state_of() { berth run show "$1" --json | sed -n 's/.*"state": *"\([a-z_]*\)".*/\1/p' | head -n 1; }
is_running() { [[ $(state_of "$1") == running ]]; }
has_succeeded() { [[ $(state_of "$1") == succeeded ]]; }
lines_of() { berth log "$1" --stream stderr | sed -n 's/.*line \([0-9]*\)$/\1/p'; }
whole() { [[ $(lines_of "$1") == "$(seq 300)" ]] || { lines_of "$1" | head -n 5; return 1; }; }

# The package with another version, changed in its folder by the command: /root/NAME.deb.
remade() { # NAME COMMAND
    guest sh -ec "dpkg-deb -R $ring/berth.deb /root/remade && cd /root/remade
        sed -i 's/^Version: .*/&+$1/' DEBIAN/control
        $2
        dpkg-deb -Znone -b . /root/$1.deb >/dev/null; rm -r /root/remade"
}
stop_all() { guest systemctl stop berth.target 'berth*'; }
store_sum() { guest sh -c 'cd /var/lib/berth/store && find . -type f ! -name "*.lock" | sort | xargs sha256sum | sha256sum'; }
install() { guest env DEBIAN_FRONTEND=noninteractive dpkg -i "$1"; }

ready() { berth health --json >/dev/null 2>&1 && [[ $(status_text berthd) == 'serving; runs start' ]]; }
# One run to its end: succeeds when it did.
run_once() { berth tenant sync "$1" --wait; }
