# A berthd that never gets ready holds up no first installation: the package's scripts wait for
# so long, say so, and leave the package installed. systemd itself would wait for ten minutes.
# shellcheck shell=bash disable=SC2154 # names of run

patience=${BERTH_PATIENCE:-1} # 60 in the package
most=$((patience + 240))      # dpkg's own work on a busy machine included
check 'a package whose berthd hangs' remade hanging "mv usr/sbin/berthd usr/sbin/berthd.real
    printf '%s\n' '#!/bin/sh' 'case \"\$1\" in --start) exec \"\$0.real\" \"\$@\" ;; esac' 'exec sleep infinity' >usr/sbin/berthd
    chmod 755 usr/sbin/berthd
    sed -i 's/^patience=60\$/patience=$patience/' DEBIAN/postinst; grep -qx patience=$patience DEBIAN/postinst"
# Installs it, and looks at the time that took and at what was said.
installs_within_its_time() {
    local began=$SECONDS took text
    check 'it installs all the same' install /root/hanging.deb
    took=$((SECONDS - began)) text=$said
    check "within its time ($took s)" test $took -lt $most
    check 'it says that not all has started' contains "$text" "not everything has started within $patience s"
    check 'and where to look' contains "$text" "journalctl -u 'berth*'"
    check 'the package counts as installed' equal "$(guest dpkg-query -W -f '${db:Status-Abbrev}' berth)" 'ii '
    check 'berthd is still tried' equal "$(property berthd.service ActiveState)" activating
}
guest env DEBIAN_FRONTEND=noninteractive dpkg --purge berth >/dev/null 2>&1
installs_within_its_time
check 'a right one over it' install $ring/berth.deb
text=$said
check 'heals it' eventually ready
check 'and nothing was said of waiting' not contains "$text" 'not everything has started'
