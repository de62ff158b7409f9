# A fresh host: one command installs, and runs start.
# shellcheck shell=bash
ring=/usr/local/lib/berth-ring

check 'the package installs' install $ring/berth.deb
check 'it is ready by itself' eventually ready
units=(berth.target berth-drain.service berth{d,-public,-runner,-launcher,-egress}.socket
    berth{d,-runner,-launcher,-egress}.service)
states=$(properties ActiveState,UnitFileState "${units[@]}")
for unit in "${units[@]}"; do
    check "$unit is active and enabled" contains "$states" "$unit active enabled"
done
check 'nothing has failed' equal "$(guest systemctl --failed --plain --no-legend)" ''

owners=$(guest stat -c '%n %U:%G %a' /var/lib/berth/{store,keys,keys/root.key} \
    /run/berth/{control,public,runner,launcher,egress}.sock)
folder() { sed -n "s,^$1 ,,p" <<<"$owners"; }
check 'the store is berthd'"'"'s alone' equal "$(folder /var/lib/berth/store)" 'berth:berth 700'
check 'the keys are berth-runner'"'"'s alone' equal "$(folder /var/lib/berth/keys)" 'berth-runner:berth-runner 700'
check 'so is the root key' equal "$(folder /var/lib/berth/keys/root.key)" 'berth-runner:berth-runner 400'
check 'anybody may knock at the control socket' equal "$(folder /run/berth/control.sock)" 'berth:berth 666'
check 'and at the public one' equal "$(folder /run/berth/public.sock)" 'berth:berth 666'
check 'only berthd at that of the runner' equal "$(folder /run/berth/runner.sock)" 'berth:berth 600'
check 'only the runner at that of the launcher' equal "$(folder /run/berth/launcher.sock)" 'berth-runner:berth-runner 600'
check 'and of berth-egress' equal "$(folder /run/berth/egress.sock)" 'berth-runner:berth-runner 600'

# 'uid capabilities no_new_privs seccomp' of a process.
identity() {
    guest awk '/^Uid:/ { uid = $2 } /^CapBnd:/ { caps = $2 } /^NoNewPrivs:/ { nnp = $2 }
        /^Seccomp:/ { seccomp = $2 } END { print uid, caps, nnp, seccomp }' "/proc/$1/status"
}
declare -A pids=()
for unit in "${daemons[@]}"; do pids[$unit]=$(main_pid "$unit"); done
for unit in berthd:berth berth-runner:berth-runner berth-egress:berth-egress; do
    check "${unit%:*} has its own user, no capability and a filter" equal \
        "$(identity "${pids[${unit%:*}]}")" "$(guest id -u "${unit#*:}") 0000000000000000 1 2"
done
# KILL SETGID SETUID SETPCAP NET_BIND_SERVICE NET_ADMIN SYS_CHROOT SYS_ADMIN
check 'berth-launcher has eight capabilities and a filter' equal "$(identity "${pids[berth-launcher]}")" \
    '0 00000000002415e0 1 2'
texts=$(properties StatusText "${daemons[@]/%/.service}")
for unit in "${daemons[@]}"; do
    check "$unit has said that it is ready" contains "$texts" "$unit.service serving"
done
check 'berth-launcher has moved itself to a leaf' contains \
    "$(guest cat "/proc/${pids[berth-launcher]}/cgroup")" berth-launcher.service/programs
check 'the environment of berth-launcher holds nothing of the host' equal \
    "$(guest cat "/proc/${pids[berth-launcher]}/environ" | tr -d '\0' | wc -c)" 0

check 'the doctor finds the key' contains "$(berth doctor)" key
for name in hello lines; do
    check "the integration $name is released and installed" guest sh -ec "
        berth integration create $name
        berth release create $name $ring/integrations/$name --default
        berth tenant create acme --integration $name"
done
check 'a run succeeds' run_once hello/acme
check 'its log is there' contains "$(berth log hello/acme)" 'hello from 1000'
check 'no daemon was started twice on the way' equal \
    "$(properties NRestarts "${daemons[@]/%/.service}" | sed 's/.* //' | tr '\n' ' ')" '0 0 0 0 '
# A manual page for each program of the package, for its files and its sockets.
pages=$(guest find /usr/share/man -name 'berth*.gz' -size +0 -printf '%f\n')
programs=$(guest dpkg -L berth | sed -n -E 's,^/usr/(s?bin|lib/berth)/,,p')
for page in $programs berth.conf berth.kinds berth.sockets; do
    check "there is a manual page $page" grep -qx "$page\.[1578]\.gz" <<<"$pages"
done
check 'that of the sockets has each of them' equal \
    "$(guest zcat /usr/share/man/man7/berth.sockets.7.gz | sed -n 's/\\&//g; s/^\\fB\([a-z]*[.]sock\)\\fR .*/\1/p' | sort)" \
    "$(guest sh -c 'cd /run/berth && ls *.sock')"
# The manual page names what the program has.
subjects_without_words() {
    local page subject
    page=$(guest zcat /usr/share/man/man1/berth.1.gz)
    for subject in $(berth --help | awk '/^[A-Z].*:$/ { on = $0 == "Subcommands:" } on && /^  [a-z]/ { print $1 }'); do
        grep -qxF "\\fB$subject\\fR" <<<"$page" || echo "$subject"
    done
}
check 'berth(1) has every subject of the program' equal "$(subjects_without_words)" ''
# shellcheck disable=SC2016
check 'bash completes the commands' equal "$(guest bash -c '. /usr/share/bash-completion/completions/berth
    COMP_WORDS=(berth tenant sy) COMP_CWORD=2; _berth; echo "${COMPREPLY[@]}"')" sync
