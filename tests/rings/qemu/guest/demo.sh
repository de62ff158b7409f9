# The whole demo on Debian's stock kernel, with the package as dpkg installs it: its units,
# its users, its settings, the steps of examples/demo.sh. Sourced by start.sh.
# shellcheck shell=bash disable=SC2154,SC2317,SC1091 # names of checks.sh and demo.sh

say 'the package'
# What it depends on is there as files; dpkg's own list of them stayed at home.
mkdir -p /var/lib/dpkg/{info,updates,triggers,alternatives} /var/log
touch /var/lib/dpkg/{status,available}
must 'it installs' dpkg --force-depends -i /job/berth.deb
# A whole systemd would be in this state: the target comes with multi-user.target.
systemctl start berth.target
must 'it is ready' eventually 300 ready
for unit in berthd berth-runner berth-launcher berth-egress; do
    same "$unit" "$(systemctl is-active $unit)" active
done
same 'user of berthd' "$(ps -o user= -p "$(main_pid berthd)")" berth
has 'doctor: limits' "$(berth doctor | tr -s ' ')" 'cgroup memory limit active the whole run together'

say 'the demo'
(
    . /job/examples/demo.sh
    cd /job || exit 1
    set +e # a step that fails is counted
    dir=/run/demo
    mkdir -p $dir
    berth() { command berth "$@"; }
    ip link set lo up 2>/dev/null
    launch partner /job/examples/partner-api/server.py --shop acme --shop zeta --info $dir/partner.json
    wait_for partner 300 test -s $dir/partner.json
    port=$(value "d['url'].rsplit(':', 1)[1]" <$dir/partner.json)
    printf '%s\n' 'allow_near_runtime = yes' "egress_allow = 127.0.0.1:$port" \
        "egress_ports = 22, 80, 443, $port" >>/etc/berth/berth.conf
    systemctl restart berth-launcher berth-egress berthd # the ports are opened in each sandbox
    eventually 300 ready || exit 1
    if ! command -v node >/dev/null; then
        echo 'no Node here: without inventory-report'
        integration_of_all=$(declare -f integration)
        eval "every_${integration_of_all}"
        integration() { [[ $1 == inventory-report ]] || every_integration "$@"; }
        tenant_of_all=$(declare -f tenant)
        eval "every_${tenant_of_all}"
        tenant() { [[ $2 == inventory-report ]] || every_tenant "$@"; }
        sync_of_all=$(declare -f sync)
        eval "every_${sync_of_all}"
        sync() { [[ $1 == warehouse ]] || every_sync "$@"; }
    fi
    register
    berth integration update misbehave --wall-time 30 >/dev/null # 3 s are little for an emulated processor
    run_examples
    end partner
    printf '%d steps of the demo went wrong\n' "$wrong"
    exit $((wrong > 0))
)
same 'exit status of the demo' $? 0
say 'the end'
check 'the audit trail is whole' berth audit verify
check 'a backup' berth backup /run/backup.tar
must 'it stops' systemctl stop berth.target 'berth*'
must 'it is removed' dpkg --purge berth
check 'nothing of it is left' test ! -e /var/lib/berth
