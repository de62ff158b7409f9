#!/usr/bin/env bash
# Ring 1 as an unprivileged user: what works without root, and a clear answer for what does not.
# `berthd --all` serves with everything but sandboxes; runs wait, and say for what. As root it is
# run by a user that nobody is, without capabilities.
#
#   unprivileged.sh FOLDER-OF-PROGRAMS
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
# shellcheck disable=SC1091
. "$here/nspawn/checks.sh"
programs=$(readlink -f "$1")
folder=$(mktemp -d)
supervisor=''
clean_up() {
    [[ -z $supervisor ]] || kill "$supervisor" 2>/dev/null || true
    wait
    rm -rf "$folder"
}
trap clean_up EXIT
chmod 755 "$folder"
mkdir "$folder/home"
unset BERTH_SOCKET

as_user=(env "HOME=$folder/home" "TMPDIR=$folder/home" ASAN_OPTIONS=detect_leaks=0)
if ((EUID == 0)); then
    as_user=(setpriv --reuid 64999 --regid 64999 --clear-groups --inh-caps=-all --bounding-set=-all "${as_user[@]}")
    chown 64999:64999 "$folder/home"
fi
if ! "${as_user[@]}" test -x "$programs/berthd"; then # behind a folder that is root's
    mkdir "$folder/bin"
    cp -L "$programs"/{berth,berthd,berth-runner,berth-launcher,berth-egress,base_test} "$folder/bin"
    programs=$folder/bin
fi
cd "$folder/home"
user() { "${as_user[@]}" "$programs/$1" "${@:2}"; }
administrator() { user berth --socket "$folder/home/run/control.sock" "$@"; }

echo 'what works'
check 'the doctor looks at the host' user berth doctor --state-dir state
found=$said
check 'it says that this is not root' contains "$found" "run as root             not active"
check 'and what to do' contains "$found" "run 'sudo berth doctor'"
check 'init makes key, settings and folders' user berth init --state-dir "$PWD/state" --config "$PWD/berth.conf" --run-dir "$PWD/run"
check 'the settings are read' user berthd --check --config berth.conf
[[ ! -x $programs/base_test ]] || check 'the tests of base pass' user base_test

# Who starts it, administers it.
(exec "${as_user[@]}" "$programs/berthd" --all --config "$PWD/berth.conf" >"$folder/log" 2>&1 </dev/null) &
supervisor=$!
for daemon in berth-runner berth-egress; do
    connected() { grep -q "^$daemon  *active " <<<"$(administrator doctor)"; }
    check "$daemon serves" eventually connected
done
administer() {
    mkdir -p code
    printf 'version: 0.4\nbase: sh\nrun: echo {}\nconnectors: [shop]\nconfigs: {}\n' >code/PANDIUM.yaml
    administrator connector create shop
    administrator integration create sync --connector shop
    administrator release create sync code --default
    administrator tenant create acme --integration sync
    echo s3cret | administrator connection set acme shop api_key=-
    administrator audit verify
}
check 'integrations, releases, tenants, sealed secrets, the audit trail' administer
check 'a trigger is accepted' administrator tenant sync acme
check 'a backup is made' administrator backup "$PWD/backup.tar"

echo 'what does not'
if ((EUID == 0)); then # one user more
    refused=$(setpriv --reuid 64998 --regid 64998 --clear-groups env ASAN_OPTIONS=detect_leaks=0 "$programs/berth" \
        --socket "$folder/home/run/control.sock" tenant list 2>&1) && answered=0 || answered=$?
    check 'another user is told that he may not' equal "$answered $refused" \
        "3 berth: Not authorized; this takes root or a member of the group 'berth'"
fi
launcher_says() { grep -qF 'berth-launcher: cannot start: making mounts private: Operation not permitted; this needs root' "$folder/log"; }
check 'the launcher says what it needs' eventually launcher_says
found=$(administrator doctor || true)
check 'the doctor says that no run can start' grep -q '^berth-launcher  *not active, needed  *not connected: no run can start' <<<"$found"
check 'and what to do' contains "$found" 'berth-launcher: start it as root'
check 'health does not say ready' not administrator health
check 'no run has begun' equal "$(administrator --json run list --state running | tr -d ' \n')" '[]'

kill "$supervisor"
wait "$supervisor" && ended=0 || ended=$?
supervisor=''
check 'it stops when it is told to' equal "$ended" 0
((failures == 0)) || cat "$folder/log"
printf '%d checks, %d failed\n' "$checks" "$failures"
((failures == 0))
