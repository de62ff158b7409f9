#!/usr/bin/env bash
# The tour of ./dev demo: a Berth of its own in a temporary folder, the examples as its
# integrations, a partner server beside it. Every step may be repeated: a second
# call finds what the first one made.
#
#   demo.sh run [--once]     demo.sh stop
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."

built=${BERTH_PROGRAMS:-$PWD/build/release/bin}
# Nobody's: two users of the demo's own, as a package would make them.
daemon_uid=64990 runner_uid=64991
pointer=.cache/demo # holds the path of the demo's folder
once=''
dir=''

if [[ -t 1 && -z ${NO_COLOR:-} ]]; then
    bold=$'\e[1m' dim=$'\e[2m' green=$'\e[32m' red=$'\e[31m' plain=$'\e[0m'
else
    bold='' dim='' green='' red='' plain=''
fi

say() { printf '\n%s==> %s%s\n' "$bold" "$*" "$plain"; }
die() {
    printf 'demo: %s\n' "$*" >&2
    exit 1
}

# Shows a command as one would type it, then runs it.
try() {
    printf '%s$ %s%s\n' "$dim" "$*" "$plain"
    "$@"
}

berth() { "$dir/bin/berth" --socket "$dir/run/control.sock" "$@"; }

# value 'EXPRESSION OF d' < JSON
value() { python3 -c "import json, sys; d = json.load(sys.stdin); print($1)"; }

# --- processes: known by pid and start time, so that a reused pid is never taken for ours

start_time() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }

is_running() { # NAME
    local pid started
    [[ -f $dir/$1.pid ]] || return 1
    read -r pid started <"$dir/$1.pid"
    [[ -n $started && $(start_time "$pid") == "$started" ]]
}

launch() { # NAME COMMAND...
    local name=$1
    shift
    setsid "$@" >>"$dir/$name.log" 2>&1 </dev/null &
    printf '%s %s\n' $! "$(start_time $!)" >"$dir/$name.pid"
}

end() { # NAME
    local pid
    if is_running "$1"; then
        read -r pid _ <"$dir/$1.pid"
        kill -TERM "$pid"
        for _ in {1..300}; do
            is_running "$1" || break
            sleep 0.1
        done
        ! is_running "$1" || die "'$1' (pid $pid) does not end; its log is $dir/$1.log"
    fi
    rm -f "$dir/$1.pid"
}

wait_for() { # NAME SECONDS COMMAND...
    local name=$1 deadline=$((SECONDS + $2))
    shift 2
    until "$@" >/dev/null 2>&1; do
        if ! is_running "$name" || ((SECONDS > deadline)); then
            tail -n 20 "$dir/$name.log" >&2
            die "'$name' did not get ready; the end of its log is above"
        fi
        sleep 0.1
    done
}

find_folder() {
    [[ -f $pointer ]] && dir=$(<"$pointer") && [[ -d $dir && -f $dir/berth-demo ]]
}

stop() {
    if ! find_folder; then
        echo 'no demo is running'
        return
    fi
    end berthd
    end partner
    rm -rf "$dir"
    rm -f "$pointer"
    echo 'the demo is stopped and its folder removed'
}

# --- the steps

start_all() {
    local port
    if find_folder && is_running berthd && is_running partner && berth health >/dev/null 2>&1; then
        say "the demo of before is still running in $dir"
        return
    fi
    if find_folder; then stop >/dev/null; fi
    dir=$(mktemp -d "${TMPDIR:-/tmp}/berth-demo.XXXXXX")
    chmod 755 "$dir" # the daemons' users must be able to enter
    touch "$dir/berth-demo"
    mkdir -p .cache
    printf '%s\n' "$dir" >"$pointer"

    say 'two partner APIs on loopback: a shop for each tenant, one CRM'
    launch partner examples/partner-api/server.py --shop acme --shop zeta --info "$dir/partner.json"
    wait_for partner 30 test -s "$dir/partner.json"
    value "d['url']" <"$dir/partner.json"
    port=$(value "d['url'].rsplit(':', 1)[1]" <"$dir/partner.json")

    say "a Berth of its own in $dir"
    # Not run where they were built: the daemons' users may not be able to look in there.
    install -D -m 755 -t "$dir/bin" "$built"/berth "$built"/berthd "$built"/berth-{runner,launcher,egress}
    try berth init --state-dir "$dir/state" --run-dir "$dir/run" --config "$dir/berth.conf" \
        --daemon-uid $daemon_uid --runner-uid $runner_uid
    # The demo runs examples on whatever Python and Node the host has.
    set_config allow_near_runtime yes
    # Scripts reach public addresses only. The partner APIs of the example listen on this
    # host's loopback, on a port of their own: exactly that is allowed.
    set_config egress_allow "127.0.0.1:$port"
    set_config egress_ports "22, 80, 443, $port"
    launch berthd "$dir/bin/berthd" --all --config "$dir/berth.conf"
    wait_for berthd 30 berth health
    try berth health
}

set_config() { # KEY VALUE
    sed -i "/^#* *$1 *=/d" "$dir/berth.conf"
    printf '%s = %s\n' "$1" "$2" >>"$dir/berth.conf"
}

integration() { # NAME OPTIONS...
    local name=$1
    shift
    berth integration show "$name" >/dev/null 2>&1 || try berth integration create "$name" "$@"
    # The same content is the same release.
    try berth release create "$name" "examples/$name" --default
}

tenant() { # NAME INTEGRATION CONFIGS
    if berth tenant show "$1" >/dev/null 2>&1; then
        berth tenant update "$1" --configs "$3" >/dev/null
    else
        try berth tenant create "$1" --integration "$2" --configs "$3"
    fi
    berth tenant resume "$1" >/dev/null
}

register() {
    local acme zeta crm
    say 'four integrations, from the folders in examples/'
    integration heartbeat --network none
    integration inventory-report --network none
    integration shop-to-crm --connector shop --global-connector crm
    integration misbehave --network none --connector drill --wall-time 3

    say 'their tenants'
    acme=$(value "d['shops']['acme']['url']" <"$dir/partner.json")
    zeta=$(value "d['shops']['zeta']['url']" <"$dir/partner.json")
    crm=$(value "d['crm']['url']" <"$dir/partner.json")
    tenant acme shop-to-crm "{\"shop_url\":\"$acme\",\"crm_url\":\"$crm\"}"
    tenant zeta shop-to-crm "{\"shop_url\":\"$zeta\",\"crm_url\":\"$crm\",\"sync_orders\":false}"
    tenant pulse heartbeat '{}'
    tenant warehouse inventory-report '{}'
    tenant fails misbehave '{"behaviour":"fail"}'
    tenant hangs misbehave '{"behaviour":"ignore_term"}'
    tenant leaks misbehave '{"behaviour":"leak_secret"}'

    say 'their secrets, through standard input'
    printf %s "drill-secret-$RANDOM$RANDOM" >"$dir/drill.txt"
    value "d['crm']['api_key']" <"$dir/partner.json" | tr -d '\n' |
        try berth connection set --global shop-to-crm crm api_key=-
    for name in acme zeta; do
        value "d['shops']['$name']['api_key']" <"$dir/partner.json" | tr -d '\n' |
            try berth connection set "$name" shop api_key=-
    done
    for name in fails hangs leaks; do
        try berth connection set "$name" drill token=- <"$dir/drill.txt"
    done
}

wrong=0
passed() { printf '    %sas expected%s: %s\n' "$green" "$plain" "$*"; }
failed() {
    printf '    %snot as expected%s: %s\n' "$red" "$plain" "$*"
    wrong=$((wrong + 1))
}
same() { # WHAT GOT WANTED
    if [[ $2 == "$3" ]]; then passed "$1: $2"; else failed "$1: $2, wanted $3"; fi
}

last_run() { berth run list --tenant "$1" --limit 1 --json | value "d[0]['$2']"; }

# Triggers a run, follows its log, and checks how it ended.
sync() { # TENANT MODE STATE OPTIONS...
    local name=$1 mode=$2 wanted=$3
    shift 3
    try berth tenant sync "$name" --mode "$mode" "$@" -f || true
    same "$mode run of '$name'" "$(last_run "$name" state)" "$wanted"
}

metric() { curl -fsS "$(value "d['url']" <"$dir/partner.json")/metrics" | value "$1"; }

run_examples() {
    local contacts updates shop key
    say 'init runs ask the CRM for its owners; they become options of the settings form'
    sync acme init succeeded
    sync zeta init succeeded
    say 'normal runs copy customers and orders, a page at a time'
    sync acme normal succeeded
    sync zeta normal succeeded
    contacts=$(metric "d['records']['contacts']")
    same 'contacts in the CRM' "$contacts" 50

    say 'one more order in the shop: the next run goes on from its cursor'
    shop=$(value "d['shops']['acme']['url']" <"$dir/partner.json")
    key=$(value "d['shops']['acme']['api_key']" <"$dir/partner.json")
    updates=$(metric "sum(d['upserts'].values())")
    printf 'header = "X-Api-Key: %s"\n' "$key" |
        curl -fsS -K - -d '{"customer_id":"c-1","total_cents":4200}' "$shop/orders" && echo
    sync acme normal succeeded
    same 'records written by that run' $(($(metric "sum(d['upserts'].values())") - updates)) 2

    say 'the smallest integration; and one that computes a report, without any network'
    sync pulse normal succeeded
    sync warehouse normal succeeded --payload @examples/inventory-report/counts.json
    try berth tenant metadata warehouse

    say 'one that fails, one that prints its secret, one that ignores its time limit of 3 s'
    sync fails normal failed_integration
    sync leaks normal succeeded
    if berth log "$(last_run leaks id)" | grep -qF "$(<"$dir/drill.txt")"; then
        failed "the secret is in the log of 'leaks'"
    else
        passed "the secret is nowhere in the log of 'leaks'"
    fi
    sync hangs normal failed_timeout

    say 'the record; and whom the last sync of acme spoke to'
    try berth run list
    try berth run connections "$(last_run acme id)"
}

what_next() {
    say 'the demo goes on running; things to try'
    cat <<END
export PATH=$dir/bin:\$PATH BERTH_SOCKET=$dir/run/control.sock
berth tenant list
berth run list --tenant acme
berth tenant sync acme --mode normal -f
berth log $(last_run acme id)
berth tenant update fails --configs '{"behaviour":"fork_bomb"}' && berth tenant sync fails --mode normal -f
curl --unix-socket $dir/run/control.sock 'http://berth/v2/runs?limit=3'
curl -N --unix-socket $dir/run/control.sock 'http://berth/v2/runs/$(last_run acme id)/log?follow=1'
berth doctor --state-dir $dir/state
./dev stop
END
}

# Keeps the exit status that led here.
leave_nothing() {
    local status=$?
    trap - EXIT
    stop >/dev/null || status=1
    exit "$status"
}

run() {
    if [[ ${1:-} == --once ]]; then
        once=1
        # Also when interrupted or failed: --once leaves nothing behind.
        trap leave_nothing EXIT
        trap 'exit 130' INT TERM
        if find_folder; then stop; fi
    elif (($#)); then
        die "demo takes --once, not '$1'"
    fi
    ((EUID == 0)) || die "sandboxes need root: run 'sudo ./dev demo'"
    start_all
    register
    run_examples
    if [[ -z $once ]]; then what_next; fi
    if ((wrong > 0)); then die "$wrong things did not go as expected"; fi
    if [[ -n $once ]]; then say "every run ended as expected"; fi
}

# Whoever reads this file in a shell of his own has its steps and no tour.
[[ ${BASH_SOURCE[0]} == "$0" ]] || return 0
command=${1:-run}
shift || true
case $command in
    run) run "$@" ;;
    stop) stop ;;
    *) die "there is no '$command'; it is run or stop" ;;
esac
