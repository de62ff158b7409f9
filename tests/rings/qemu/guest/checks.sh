# What the scenarios of ring 3 are written in: checks that print a line each, a Berth in
# a systemd unit, and runs through its command line. Sourced by start.sh.
# shellcheck shell=bash

failures=0
base=/var/lib/berth-ring3
unit_group=/sys/fs/cgroup/system.slice/berth.service

say() { printf '\n-- %s (%s s)\n' "$*" "$(cut -d. -f1 /proc/uptime)"; }
passed() { printf 'ok      %s\n' "$*"; }
failed() {
    printf 'FAILED  %s\n' "$*"
    failures=$((failures + 1))
}
check() { # WHAT COMMAND...
    local what=$1
    shift
    if "$@" >/dev/null 2>&1; then passed "$what"; else failed "$what: '$*' said no"; fi
}
must() { # WHAT COMMAND...: without it the rest says nothing
    local before=$failures
    check "$@"
    ((failures == before)) || exit
}
same() { # WHAT GOT WANTED
    if [[ $2 == "$3" ]]; then passed "$1: $2"; else failed "$1: '$2', wanted '$3'"; fi
}
has() { # WHAT TEXT WANTED
    if [[ $2 == *"$3"* ]]; then passed "$1: '$3'"; else failed "$1: no '$3' in '$2'"; fi
}
within() { # WHAT VALUE LEAST MOST
    if [[ $2 =~ ^[0-9]+$ ]] && (($2 >= $3 && $2 <= $4)); then
        passed "$1: $2, of $3 to $4"
    else
        failed "$1: '$2', wanted $3 to $4"
    fi
}
eventually() { # SECONDS COMMAND...
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < deadline)) || return 1
        sleep 0.1
    done
}
show_if_failed() { # FILE
    ((failures == 0)) || { echo "-- $1"; tail -n 40 "$1"; }
}

# --- Berth in a unit of its own

configure() { # LINE...
    berth init --state-dir $base/state --run-dir $base/run --config $base/berth.conf >/dev/null 2>&1
    printf '%s\n' "$@" >>$base/berth.conf
}
reconfigure() { # KEY VALUE
    sed -i "/^$1 *=/d" $base/berth.conf
    printf '%s = %s\n' "$1" "$2" >>$base/berth.conf
}
export BERTH_SOCKET=$base/run/control.sock

# Type=exec: the command has begun.
unit() { # PROPERTY... -- COMMAND...
    local properties=()
    while [[ $1 != -- ]]; do
        properties+=(-p "$1")
        shift
    done
    shift
    systemd-run --quiet -p DefaultDependencies=no -E ASAN_OPTIONS -E PATH "${properties[@]}" "$@"
}
start_berth() { # PROPERTY...
    # Mixed: berthd ends the other daemons itself.
    unit "$@" Type=exec KillMode=mixed StandardOutput=append:/run/berth.log StandardError=append:/run/berth.log -- \
        --unit=berth berthd --all --config $base/berth.conf
    eventually 60 test -S $BERTH_SOCKET
    eventually 60 berth health >/dev/null 2>&1
}
stop_berth() { systemctl stop berth; }

# --- runs; `record` is that of the last one, as JSON with a field per line

record=
run() { # TENANT PAYLOAD
    record=$(berth --json tenant sync "$1" --payload "$2" --wait --timeout 60 2>/dev/null)
}
field() { sed -n "s/^ *\"$1\": \"\{0,1\}\(.*[^\",]\)\"\{0,1\},\{0,1\}\$/\1/p" <<<"$record" | head -n 1; }
printed() { sed -n "s/.*\\\\\"$1\\\\\": \\\\\{0,1\}\"\{0,1\}\([A-Za-z0-9]*\).*/\1/p" <<<"$record" | head -n 1; }

# --- the groups of sandboxes; that of a run stays for a while after it

leaves() { ls -d $unit_group/sandboxes/slot-* 2>/dev/null; }
# The number after a word in a file of whichever leaf has the greatest.
greatest() { # FILE WORD
    cat $unit_group/sandboxes/slot-*/"$1" 2>/dev/null | sed -n "s/^$2 //p" | sort -n | tail -n 1
}
leaf_of() { # PID
    printf '/sys/fs/cgroup%s\n' "$(sed -n 's/^0:://p' "/proc/$1/cgroup")"
}
# Processes of sandboxes that run a script: its user is odd, pid 1's is even.
script_pids() { ps -eo pid=,args= | sed -n 's/^ *\([0-9]*\) python3 acts.py$/\1/p'; }
