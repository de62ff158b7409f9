# Restarts of the daemons in turn, by systemctl and by the package installed over itself, under
# live runs that print 1 MB/s in all: no run is killed, none is run twice, no byte of a log is
# lost. BERTH_UPGRADES of them (5) under BERTH_UPGRADE_RUNS runs (50).
# shellcheck shell=bash disable=SC2154 # names of run

upgrades=${BERTH_UPGRADES:-5} live=${BERTH_UPGRADE_RUNS:-50}
per_round=20 # restarts under the same runs: a log has an end, at 16 MiB
guest sh -ec "printf 'max_runs = $((live + 4))\nslots = $((live * 2 + 20))\n' >>/etc/berth/berth.conf
    systemctl restart berth-launcher berthd"
check 'ready with room for them all' eventually ready
# They end when they are told to; the hour is for a ring that died.
guest sh -ec "cp -r $ring/integrations/flood /root/
    sed -i 's,^run:.*,run: python3 main.py 3600 $((1000000 / live)),' /root/flood/PANDIUM.yaml
    berth integration create flood --wall-time 3600
    berth release create flood /root/flood --default" >/dev/null
series() { guest python3 $ring/series.py "$1" "$live"; }

daemon_pids() { properties MainPID "${daemons[@]/%/.service}"; }
restart() { # NUMBER
    case $(($1 % 5)) in
        0) guest systemctl restart berthd ;;
        1) guest systemctl restart berth-runner ;;
        2) install $ring/berth.deb >/dev/null ;;
        3) guest systemctl restart berthd berth-runner ;;
        4) guest systemctl restart berth-runner berth-launcher berthd ;;
    esac
}
restarted=0 lived=0 anew=0
for ((i = 0; i < upgrades; ++i)); do
    ((i % per_round)) || check "$live runs live" series begin
    before=$(daemon_pids)
    restart "$i" && restarted=$((restarted + 1))
    eventually ready || break
    [[ $(daemon_pids) == "$before" ]] || anew=$((anew + 1))
    series running && lived=$((lived + 1))
    if ((i % per_round == per_round - 1 || i == upgrades - 1)); then
        check 'each has succeeded, was run once, and every byte of it is there, in order' series end
        printf '        %s\n' "$(tail -n 1 <<<"$said")"
    fi
done
check "$upgrades restarts" equal "$restarted" "$upgrades"
check 'each with new processes' equal "$anew" "$upgrades"
check 'every run lived on after each of them' equal "$lived" "$upgrades"
guest sh -c 'sed -i "/^max_runs = .*/d; /^slots = .*/d" /etc/berth/berth.conf; systemctl restart berth-launcher berthd'
check 'ready as before' eventually ready
