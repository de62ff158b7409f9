# A host that has Debian 12, systemd, and what the package depends on: the first start of a host on
# which Berth was installed while nothing ran, as in an image. Run by --clean.
# shellcheck shell=bash disable=SC2154 # names of run

ring=/usr/local/lib/berth-ring
check 'nothing of a developer is there' not guest sh -c 'command -v python3 || command -v gcc || command -v curl'
check 'it is ready by itself' eventually ready
check 'nothing has failed' equal "$(guest systemctl --failed --plain --no-legend)" ''
check 'the doctor finds all that runs need' guest berth doctor
check 'an integration is released and installed' guest sh -ec "
    berth integration create hello
    berth release create hello $ring/integrations/hello --default
    berth tenant create acme --integration hello"
check 'a run succeeds' run_once hello/acme
check 'its log is there' contains "$(berth log hello/acme)" 'hello from 1000'
check 'apt removes it for ever' guest env DEBIAN_FRONTEND=noninteractive apt-get -qy purge berth
for path in /var/lib/berth /etc/berth /run/berth /usr/sbin/berthd; do
    check "$path is gone" not guest test -e $path
done
