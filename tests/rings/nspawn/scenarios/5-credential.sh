# The root key as an encrypted credential of the host instead of a file.
# shellcheck shell=bash

key=/var/lib/berth/keys/root.key
check 'a secret is sealed with the key in the file' guest sh -ec "
    berth connector create shop
    berth integration create sealed --connector shop
    berth release create sealed $ring/integrations/sealed --default
    berth tenant create acme --integration sealed
    echo ring-secret-4711 | berth connection set sealed/acme shop api_key=-"
check 'a run has it' run_once sealed/acme

guest mkdir -p /etc/credstore.encrypted
check 'the key is encrypted for this host' guest systemd-creds encrypt --with-key=host \
    --name=berth.root-key $key /etc/credstore.encrypted/berth.root-key
guest mv $key /root/root.key
guest systemctl restart berth-runner
check 'ready without the file' eventually ready
check 'the runner was given the credential' contains \
    "$(guest cat "/proc/$(main_pid berth-runner)/cmdline" | tr '\0' ' ')" \
    '--root-key-credential'
check 'what was sealed before opens' run_once sealed/acme
check 'no other daemon sees the credential' not guest runuser -u berth -- \
    cat /run/credentials/berth-runner.service/berth.root-key

guest mv /etc/credstore.encrypted/berth.root-key /root/credential
guest systemctl restart berth-runner
no_key() { contains "$(status_text berthd)" 'no root key'; }
check 'without both nothing can run, and the status says why' eventually no_key
guest mv /root/root.key $key
guest systemctl restart berth-runner
check 'the file is used again' eventually ready
check 'and opens what was sealed' run_once sealed/acme
