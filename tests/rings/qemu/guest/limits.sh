# The limits of a run, by cgroup v2 with every controller, under a unit with Delegate=yes:
# that they hold, that the record says which one did, and that the same acts get further
# where the group is not delegated. Sourced by start.sh.
# shellcheck shell=bash disable=SC2154,SC2086 # names of checks.sh, without spaces

memory_mib=128
io_mib=2
io_bytes=$((io_mib << 20))
leaf=/none # of the run that is looked at

say 'the machine'
same 'distribution of the kernel' "$(uname -v | grep -o Debian)" Debian
has 'kernel' "$(uname -r)" 6.1.
for controller in memory pids cpu io; do
    has 'controllers' "$(cat /sys/fs/cgroup/cgroup.controllers)" $controller
done

say 'a launcher without the controllers that it is told to require'
install_berth
launcher=(/usr/sbin/berth-launcher --socket /run/ring3-launcher --runner-uid 990 --releases /var/lib/berth/releases
    --first-uid 100000 --slots 2 --pool 0)
apart=0
refused() { # PROPERTY OPTION...
    local property=$1
    shift
    : >/run/refused
    # A oneshot has started when it has ended. What systemd itself wants of a controller
    # gives it to the whole slice, so each has its own.
    unit "$property" Type=oneshot TimeoutStartSec=20 "Slice=apart$((++apart)).slice" MemoryAccounting=no \
        TasksAccounting=no StandardError=file:/run/refused -- "${launcher[@]}" "$@" 2>/dev/null
    status=$?
    text=$(cat /run/refused)
}
refused Delegate=no --require-cgroup
same 'exit status without delegation' $status 1
has 'it says' "$text" 'limiting memory and processes by a cgroup, which is required'
has 'and the cure' "$text" 'run it as a systemd service with Delegate=yes'
refused 'Delegate=cpu pids' --require-cgroup
same 'exit status without the memory controller' $status 1
has 'it says' "$text" 'limiting memory and processes by a cgroup, which is required'
refused 'Delegate=memory pids cpu' --io-mib-per-second 1
same 'exit status without the io controller' $status 1
has 'it says' "$text" "it needs cgroup v2 with the io controller"
refused 'Delegate=memory pids io' --cpu-percent 50
same 'exit status without the cpu controller' $status 1
has 'it says' "$text" "it needs a cgroup with the cpu controller"

say "Berth's own units"
install -d -o 64980 -g 64980 /srv/exports
configure allow_near_runtime yes
configure require_cgroup yes
configure cpu_percent 50
configure io_mib_per_second $io_mib
configure pool_size 1
configure grant.limits writable_path:/srv/exports
drop_in berth-launcher ReadWritePaths=/srv/exports
systemctl daemon-reload
systemctl start berth.target
must 'they get ready' ready
same 'berth-launcher is in a leaf' "$(leaf_of "$(main_pid berth-launcher)")" $unit_group/programs
same 'alone' "$(wc -l <$unit_group/programs/cgroup.procs)" 1
same 'controllers of the sandboxes' "$(cat $unit_group/sandboxes/cgroup.subtree_control)" 'cpu io memory pids'

doctor=$(berth doctor)
same "exit status of 'berth doctor'" $? 0
doctor_line() { grep -m1 "^$1" <<<"$doctor" | tr -s ' '; }
has 'doctor' "$(doctor_line Landlock)" 'Landlock active ABI 2 '
has 'doctor' "$(doctor_line 'cgroups ')" 'active version 2: a group for each run, killed as one; I/O limited'
has 'doctor' "$(doctor_line 'cgroup memory limit')" 'active the whole run together'
has 'doctor' "$(doctor_line 'cgroup process limit')" 'active the whole run together'
has 'doctor' "$(doctor_line 'cgroup CPU limit')" 'active each run has its share'

berth integration create limits --memory $memory_mib --network none --wall-time 60 >/dev/null
berth release create limits integrations/limits --default >/dev/null 2>&1
berth tenant create limits --integration limits >/dev/null

say 'within the memory limit, at the limits of processor and disk'
# Attaching a process to a group leaves a trace, being born in one does not.
traced() { grep -c 'dst_path=.*/sandboxes/' /sys/kernel/tracing/trace; }
echo 1 >/sys/kernel/tracing/events/cgroup/cgroup_attach_task/enable
run limits '{"acts":["heap","spin","disk"],"mib":40}'
same 'a run of 40 MiB' "$(field state)" succeeded
within 'its peak in bytes' "$(field memory_peak_bytes)" $((40 << 20)) $((96 << 20))
same 'processes moved into a group of a sandbox (none: CLONE_INTO_CGROUP)' "$(traced)" 0
sleep 300 &
sleeper=$!
mkdir $unit_group/sandboxes/control
echo $sleeper >$unit_group/sandboxes/control/cgroup.procs
same 'control: one that is moved shows' "$(traced)" 1
echo 0 >/sys/kernel/tracing/events/cgroup/cgroup_attach_task/enable
kill $sleeper
wait $sleeper 2>/dev/null
eventually 5 rmdir $unit_group/sandboxes/control 2>/dev/null
spun_ms=$(printed used_ms)
within 'used of a processor in 2 s, in ms' "$spun_ms" 500 1400
within 'cpu.stat: periods throttled' "$(greatest cpu.stat nr_throttled)" 1 1000 # few where the host itself is short of time
disk=$(cat /sys/class/block/vda/dev)
check 'io.max of a sandbox' grep -q "^$disk rbps=$io_bytes wbps=$io_bytes" $unit_group/sandboxes/slot-*/io.max
# No faster than that; how much slower is the host's.
slow_write_ms=$(printed write_ms) slow_read_ms=$(printed read_ms)
within 'writing 6 MiB at 2 MiB/s, in ms' "$slow_write_ms" 2000 60000
within 'reading them back, in ms' "$slow_read_ms" 2000 60000
within 'written, by the record' "$(field io_write_bytes)" $((6 << 20)) $((8 << 20))

say 'memory'
for act in heap files; do
    run limits "{\"acts\":[\"$act\"],\"mib\":200}"
    same "200 MiB by $act" "$(field state)" failed_integration
    same 'the record says' "$(field reason)" "killed: out of memory at $memory_mib MiB"
    within 'its peak in bytes' "$(field memory_peak_bytes)" $(((memory_mib - 2) << 20)) $((memory_mib << 20))
done
within 'memory.events: killed as a group' "$(greatest memory.events oom_group_kill)" 1 1

say 'processes'
run limits '{"acts":["forks"]}'
same 'a fork bomb is refused' "$(field state) $(printed refused)" 'succeeded EAGAIN'
within 'after so many children' "$(printed children)" 250 255
within 'pids.events' "$(greatest pids.events max)" 1 100
has 'the log says' "$(berth log limits)" 'to have more than its 256 processes and threads'

say 'a tree of processes'
stands() { # three of them: the script and, below pid 1 by now, the grandchild
    local pid
    for pid in $(script_pids); do leaf=$(leaf_of "$pid"); done
    [[ $(script_pids | wc -l) == 2 ]]
}
tree() {
    (run limits '{"acts":["tree"]}' && echo "$record"; echo "$record") >/run/tree &
    waiting=$!
    eventually 30 stands
}
fallen() {
    wait $waiting
    record=$(cat /run/tree)
}
is_empty() { grep -qx 'populated 0' "$leaf/cgroup.events"; }
check 'it stands' tree
within 'processes of its group' "$(wc -l <"$leaf/cgroup.procs")" 3 3
check 'control: it is populated' grep -qx 'populated 1' "$leaf/cgroup.events"
echo 1 >"$leaf/cgroup.kill"
check 'cgroup.kill empties it' eventually 5 is_empty
fallen
same 'what the record says' "$(field state)" failed_platform
has 'what the record says' "$(field reason)" 'the sandbox was killed from outside'
check 'it stands again' tree
berth run cancel limits >/dev/null 2>&1
fallen
same 'cancelled' "$(field state)" cancelled
check 'nothing of it is left' is_empty
same 'no process of it' "$(script_pids)" ''

say 'what is left'
only_parked() { ! grep -lqx 'populated 0' $unit_group/sandboxes/slot-*/cgroup.events; }
check 'groups of ended runs go' eventually 20 only_parked

launcher_serves() { [[ $(systemctl show -p StatusText --value berth-launcher) == *serving* ]]; }
say 'control: the same without delegation, as rlimits have it'
configure require_cgroup no
configure cpu_percent 0
configure io_mib_per_second 0
drop_in berth-launcher ReadWritePaths=/srv/exports Delegate=no
systemctl daemon-reload
systemctl restart berth-launcher
must 'the launcher is there again' eventually 30 launcher_serves
same 'it is in no leaf' "$(leaf_of "$(main_pid berth-launcher)")" $unit_group
doctor=$(berth doctor)
has 'doctor' "$(doctor_line 'cgroups ')" "not active none: limits are each process's own"
has 'doctor, the cure' "$doctor" 'cgroups: run as a systemd service with Delegate=yes'
run limits '{"acts":["files","spin","disk"],"mib":160}'
same '160 MiB by files' "$(field state) $(printed in_files)" 'succeeded 160'
within 'used of a processor in 2 s, in ms' "$(printed used_ms)" $((spun_ms * 14 / 10)) 3000
within 'writing 6 MiB, in ms' "$(printed write_ms)" 0 $((slow_write_ms / 2))
within 'reading them back, in ms' "$(printed read_ms)" 0 $((slow_read_ms / 2))

say 'the end'
systemctl stop berth.target 'berth*'
check 'the group of the unit is gone' test ! -e $unit_group
same 'processes of sandboxes' "$(ps -eo uid= | sed -n '/[0-9]\{6\}/p')" ''
