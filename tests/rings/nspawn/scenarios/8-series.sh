# Restarts of berthd, berth-runner and berth-launcher, in turn, under live runs that print (an
# upgrade is 8-upgrade): no run ends by it, none is run twice, no byte of a log is lost. BERTH_UPGRADES of them (5)
# with BERTH_UPGRADE_RUNS runs (10) that print 1 MB/s in all.
# shellcheck shell=bash

upgrades=${BERTH_UPGRADES:-5} live=${BERTH_UPGRADE_RUNS:-10}
seconds=$((upgrades * 60 + 60)) # they end when they are told to; this is for a ring that died
guest sh -ec "printf 'max_runs = $((live + 4))\nslots = $((live * 2 + 20))\n' >>/etc/berth/berth.conf
    systemctl restart berth-launcher berthd"
check 'ready with room for them all' eventually ready
guest sh -ec "cp -r $ring/integrations/flood /root/
    sed -i 's,^run:.*,run: python3 main.py $seconds $((1000000 / live)),' /root/flood/PANDIUM.yaml
    berth integration create flood --wall-time $((seconds + 600))
    berth release create flood /root/flood --default
    for i in \$(seq $live); do berth tenant create t\$i --integration flood; done" >/dev/null 2>&1
guest sh -ec "for i in \$(seq $live); do berth tenant sync flood/t\$i; done" >/dev/null 2>&1
in_state() { [[ $(berth run list --integration flood --state "$1" --limit 500 --json | grep -o '"attempt"' | wc -l) -eq $2 ]]; }
check "$live runs live" eventually in_state running "$live"

restarted=0
lived=0
for ((i = 0; i < upgrades; ++i)); do
    case $((i % 4)) in
        0) guest systemctl restart berthd ;;
        1) guest systemctl restart berth-runner ;;
        2) guest systemctl restart berthd berth-runner ;;
        3) guest systemctl restart berth-runner berth-launcher berthd ;;
    esac && restarted=$((restarted + 1))
    eventually ready || break
    eventually in_state running "$live" && lived=$((lived + 1))
done
check "$upgrades restarts" equal "$restarted" "$upgrades"
check 'every run lived on after each of them' equal "$lived" "$upgrades"
guest sh -c 'for r in /var/lib/berth/releases/*/; do touch "$r/go"; done'
check 'every run has succeeded' eventually in_state succeeded "$live"
guest sh -c 'rm -f /var/lib/berth/releases/*/go'
whole_logs() {
    guest sh -c "for i in \$(seq $live); do
        berth log flood/t\$i --stream stderr --raw | awk -v tenant=t\$i '
            \$1 + 0 != NR || length(\$0) != 99 { print tenant \": line \" NR \" is \" \$1; exit 1 }
            END { bytes = NR * 100; print tenant, bytes }'
    done" >"$guest_folder/logs" || true
    grep ':' "$guest_folder/logs" | head -n 5
    not grep -q ':' "$guest_folder/logs" && [[ $(wc -l <"$guest_folder/logs") -eq $live ]]
}
check 'each log is whole: every line once, in order' whole_logs
printf '        %s bytes printed by %d runs through %d restarts\n' \
    "$(awk '{ sum += $2 } END { print sum }' "$guest_folder/logs")" "$live" "$restarted"
guest sh -c 'sed -i "/^max_runs = .*/d; /^slots = .*/d" /etc/berth/berth.conf; systemctl restart berth-launcher berthd'
check 'ready as before' eventually ready
