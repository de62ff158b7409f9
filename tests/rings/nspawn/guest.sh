# A whole Debian under a real systemd: the machine's own root as the lower layer of an
# overlay in memory, booted by systemd-nspawn. Sourced by ./run, inside a mount namespace of
# its own. Nothing that happens in the guest is written to the machine.
# shellcheck shell=bash

guest_folder=''  # where the overlay and the console's log are
guest_leader=''  # the guest's process 1, as this machine numbers it
guest_nspawn=''  # systemd-nspawn itself
guest_cgroups=() # made by us, in each hierarchy that nspawn uses

# nspawn makes groups below the one it is in: that is one of our own.
guest_enter_cgroups() {
    local number controllers path mount
    while IFS=: read -r number controllers path; do
        case $number:$controllers in
            0:) mount=$(awk '$9 == "cgroup2" || $10 == "cgroup2" { print $5; exit }' /proc/self/mountinfo) ;;
            *:name=systemd) mount=$(awk '/ - cgroup .*name=systemd/ { print $5; exit }' /proc/self/mountinfo) ;;
            *) continue ;;
        esac
        [[ -n $mount ]] || continue
        mount=$mount${path%/}/berth-ring-$$
        mkdir "$mount"
        guest_cgroups+=("$mount")
        echo $$ >"$mount/cgroup.procs"
    done </proc/self/cgroup
}

guest_leave_cgroups() {
    local group
    for group in "${guest_cgroups[@]}"; do
        echo $$ >"${group%/*}/cgroup.procs"
        find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || true
    done
}

guest_make_folder() {
    guest_folder=$(mktemp -d "${TMPDIR:-/tmp}/berth-ring.XXXXXX")
    mount -t tmpfs -o size=2g,mode=0755 berth-ring "$guest_folder"
    mkdir "$guest_folder"/{upper,work,root}
}

# Instead of the machine's own root Debian 12 with systemd and nothing besides, in which apt has
# installed the package and what that depends on.
guest_make_clean_root() { # DEB
    # How this machine's apt reaches its mirrors.
    apt-config dump | grep -E '^Acquire::(Check-|https?::Proxy)' >"$guest_folder/apt.conf" || true
    mmdebstrap --quiet --aptopt="$guest_folder/apt.conf" --variant=minbase --include=systemd,systemd-sysv,dbus \
        --customize-hook="copy-in '$1' /root" \
        --customize-hook="chroot \"\$1\" env DEBIAN_FRONTEND=noninteractive apt-get -qy install '/root/$(basename "$1")'" \
        bookworm "$guest_folder/root" >"$guest_folder/log" 2>&1 || {
        cat "$guest_folder/log"
        return 1
    }
    echo 00000000000000000000000000000b17 >"$guest_folder/root/etc/machine-id"
}

guest_make_root() {
    mount -t overlay overlay "$guest_folder/root" \
        -o "lowerdir=/,upperdir=$guest_folder/upper,workdir=$guest_folder/work"
    local etc=$guest_folder/root/etc
    # Nothing of what is installed here is to start there; and a first boot would enable it.
    find "$etc/systemd/system" -mindepth 1 -maxdepth 1 -exec rm -rf {} +
    rm -f "$etc/machine-id" "$etc/hostname"
    echo 00000000000000000000000000000b17 >"$etc/machine-id"
    echo berth-ring >"$etc/hostname"
    : >"$etc/fstab"
    # Nor to be seen there.
    rm -rf "$guest_folder/root/var/lib/berth" "$guest_folder/root/var/log/journal" \
        "$etc/berth" "$guest_folder/root/usr/sbin/policy-rc.d"
    rm -f "$guest_folder/root/var/lib/man-db/auto-update" # the index of all its pages: seconds
    ln -s /dev/null "$etc/systemd/system/systemd-timesyncd.service"
    ln -s /dev/null "$etc/systemd/system/apt-daily.timer"
}

guest_boot() {
    local deadline=$((SECONDS + 300)) state=''
    guest_leader=''
    SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 systemd-nspawn --quiet --boot --register=no --keep-unit \
        --directory="$guest_folder/root" --machine=berth-ring --private-network --console=pipe \
        --system-call-filter='landlock_create_ruleset landlock_add_rule landlock_restrict_self keyctl @memlock' \
        --kill-signal=SIGRTMIN+3 </dev/null >"$guest_folder/console" 2>&1 &
    guest_nspawn=$!
    until [[ -n $guest_leader ]]; do
        kill -0 "$guest_nspawn" 2>/dev/null || guest_failed 'systemd-nspawn ended'
        ((SECONDS < deadline)) || guest_failed 'no process 1 within five minutes'
        guest_leader=$(pgrep -P "$guest_nspawn" -x systemd || true)
        sleep 0.05
    done
    until [[ $state == running || $state == degraded ]]; do
        kill -0 "$guest_nspawn" 2>/dev/null || guest_failed 'the guest ended'
        ((SECONDS < deadline)) || guest_failed "not up within five minutes, but '$state'"
        state=$(guest systemctl is-system-running 2>/dev/null || true)
        sleep 0.05
    done
}

# It has ended by itself; guest_boot starts it again, with its files.
guest_is_over() { ! grep -q '^State:.[^Z]' "/proc/$guest_nspawn/status" 2>/dev/null; }

# Runs a command there, as root.
guest() { nsenter --target "$guest_leader" --all --wdns=/ -- "$@"; }

guest_failed() {
    echo "the guest did not boot: $1" >&2
    tail -n 50 "$guest_folder/console" >&2 || true
    exit 1
}

# Ends it, whatever has happened, and leaves nothing behind.
guest_end() {
    local tries
    if [[ -n $guest_leader ]] && kill -0 "$guest_leader" 2>/dev/null; then
        kill -s RTMIN+3 "$guest_leader" || true
        for ((tries = 0; tries < 100; ++tries)); do
            kill -0 "$guest_nspawn" 2>/dev/null || break
            sleep 0.1
        done
    fi
    if [[ -n $guest_nspawn ]] && kill -0 "$guest_nspawn" 2>/dev/null; then
        kill -KILL "$guest_leader" "$guest_nspawn" 2>/dev/null || true
    fi
    [[ -z $guest_nspawn ]] || wait "$guest_nspawn" 2>/dev/null || true
    guest_leave_cgroups
    [[ -z $guest_folder ]] || {
        umount -l "$guest_folder/root" "$guest_folder" 2>/dev/null || true
        rmdir "$guest_folder" 2>/dev/null || true
    }
}
