# Each unit's walls, tried from inside: 40 forbidden acts, 40 refusals. The probe has the
# unit's every line but its program. The control is the same acts by root without a unit.
# shellcheck shell=bash

check 'without a unit most of the acts are possible' guest $ring/ring_acts control
for unit in berthd berth-runner berth-egress berth-launcher; do
    guest sh -c "sed -e '/^ExecStart=/d; /^ExecReload=/d; /^Type=/d; /^Restart/d; /^WatchdogSec=/d' \
        -e '/^PartOf=/d; /^Requires=/d; /^Wants=/d; /^After=/d; /^LoadCred/d; /^KillMode=/d; /^NotifyAccess=/d' \
        -e 's,^\[Service\],&\nType=oneshot\nExecStart=$ring/ring_acts $unit,' \
        /lib/systemd/system/$unit.service >/run/systemd/system/ring-$unit.service"
done
guest systemctl daemon-reload
for unit in berthd berth-runner berth-egress berth-launcher; do
    since=$(mark)
    check "$unit: every act is refused" guest systemctl start ring-$unit.service
    said=$(journal_since "$since" -u "ring-$unit.service")
    check "$unit: there were 40 and more" test "$(grep -c '^refused ' <<<"$said")" -ge 40
    grep '^POSSIBLE' <<<"$said" | sed 's/^/        | /' || true
done
guest sh -c 'rm /run/systemd/system/ring-*'
guest systemctl daemon-reload
guest systemctl reset-failed
