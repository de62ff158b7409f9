# A backup by the socket, and the audit trail with its head in the journal.
# shellcheck shell=bash

hold_runs
berth tenant sync lines/acme >/dev/null 2>&1
check 'a backup by the socket while a run prints' guest berth backup /root/by-socket.tar
check 'it is for who asked for it alone' equal "$(guest stat -c '%U %a' /root/by-socket.tar)" 'root 600'
held=$(guest tar -tf /root/by-socket.tar 2>/dev/null) # it does not know a word of the tar's headers
check 'the key is not in that one' not contains "$held" key
check 'the store is' contains "$held" store/berth.db
keeps_nothing() { not guest sh -c 'ls -A /var/lib/berth/store | grep "^.backup"'; }
check 'berthd keeps nothing of it' eventually keeps_nothing
check 'it is not put back while Berth runs' not guest berth restore /root/by-socket.tar
check 'the audit trail is whole' guest berth audit verify
head_of_journal() { journal_since '-1h' -u berthd | sed -n 's/.*audit_head=//p' | tail -n 1; }
check 'and has the head that is in the journal' guest berth audit verify --head "$(head_of_journal)"
check 'where it is a field' contains "$(guest journalctl --no-pager -u berthd -F BERTH_AUDIT_HEAD)" "$(head_of_journal)"
let_runs_go
check 'Berth did not notice' run_once hello/acme
