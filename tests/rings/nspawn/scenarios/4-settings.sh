# Settings that are wrong are refused, and the ones from before stay; right ones are taken.
# shellcheck shell=bash

conf=/etc/berth/berth.conf
guest cp $conf /root/berth.conf
pid=$(main_pid berthd)

since=$(mark)
guest sh -c "echo 'log_levl = error' >>$conf"
check 'a wrong file is refused' not guest systemctl reload berthd
check 'the journal names file, line and key' journal_says "$since" "there is no setting 'log_levl'" -u berthd
check 'berthd goes on as it was' equal "$(main_pid berthd) $(status_text berthd)" "$pid serving; runs start"
check 'a run succeeds' run_once hello/acme

since=$(mark)
guest sh -c "cp /root/berth.conf $conf; printf 'stop_grace_seconds = 7\nmax_runs = 8\n' >>$conf"
check 'a right file is taken' guest systemctl reload berthd
check 'the journal says so' eventually journal_says "$since" 'took the settings changed=2' -u berthd
check 'and what needs a restart' eventually journal_says "$since" \
    "max_runs will be used after 'systemctl restart berthd'" -u berthd
check 'berthd is the same process' equal "$(main_pid berthd)" "$pid"
check 'and says that it serves' eventually equal "$(status_text berthd)" 'serving; runs start'

since=$(mark)
guest systemctl kill --kill-whom=main --signal=HUP berthd
check 'a signal alone reads them too' eventually journal_says "$since" 'took the settings changed=1' -u berthd
guest sh -c "echo 'max_runs = -1' >>$conf"
guest systemctl kill --kill-whom=main --signal=HUP berthd
check 'and refuses by itself' eventually journal_says "$since" 'the settings are not taken' -u berthd

# The launcher reads them at its start: it waits for right ones, and runs wait for it.
since=$(mark)
guest systemctl restart berth-launcher 2>/dev/null || true
check 'a launcher with wrong settings does not start' not guest systemctl is-active --quiet berth-launcher
check 'and says why' eventually journal_says "$since" "'max_runs'" -u berth-launcher
guest cp /root/berth.conf $conf
check 'it starts by itself once they are right' eventually guest systemctl is-active --quiet berth-launcher
guest systemctl reload berthd
check 'a run succeeds then' eventually run_once hello/acme
