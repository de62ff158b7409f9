# What the scenarios of ring 3 are written in: checks that print a line each, a Berth in
# a systemd unit, and runs through its command line. Sourced by start.sh.
# shellcheck shell=bash

failures=0
unit_group=/sys/fs/cgroup/system.slice/berth-launcher.service

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
show_if_failed() { # COMMAND...
    ((failures == 0)) || { echo "-- $*"; "$@"; }
}

# --- Berth's own units, which the first file system has put in place

# What the package does once it has been unpacked.
install_berth() {
    ln -s /job/bin/* /usr/sbin/
    install -D -m 644 systemd/sysusers.conf /usr/lib/sysusers.d/berth.conf
    install -D -m 644 systemd/tmpfiles.conf /usr/lib/tmpfiles.d/berth.conf
    install -D -m 644 berth.conf /etc/berth/berth.conf
    systemd-sysusers berth.conf >/dev/null 2>&1
    berth init >/dev/null
    systemd-tmpfiles --create berth.conf
    systemctl enable --quiet berth{d,-runner,-launcher,-egress}.{socket,service} berth-drain.service
}
configure() { # KEY VALUE
    sed -i "/^$1 *=/d" /etc/berth/berth.conf
    printf '%s = %s\n' "$1" "$2" >>/etc/berth/berth.conf
}
drop_in() { # UNIT LINE...; for its next start, after `systemctl daemon-reload`
    mkdir -p "/etc/systemd/system/$1.service.d"
    printf '%s\n' '[Service]' "${@:2}" >"/etc/systemd/system/$1.service.d/ring3.conf"
}
unit() { # PROPERTY... -- COMMAND...: in one that is made for it
    local properties=()
    while [[ $1 != -- ]]; do
        properties+=(-p "$1")
        shift
    done
    shift
    systemd-run --quiet -p DefaultDependencies=no "${properties[@]}" "$@"
}
ready() { berth health >/dev/null 2>&1; }
main_pid() { systemctl show -p MainPID --value "$1"; }

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
