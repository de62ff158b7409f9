# The administrator's manual: each of its blocks of commands, in order, on a fresh host.
# shellcheck shell=bash

guest mkdir -p /root/manual
guest cp $ring/berth.deb /root/manual/berth_0_amd64.deb
manual_block() { # FILE NUMBER: the n-th block of commands
    awk -v wanted="$2" '/^ *```sh$/ { inside = ++number == wanted; next } /^ *```$/ { inside = 0 } inside' "$1"
}
for page in $(printf '%s\n' "$source"/docs/manual/[0-9]*.md | sort -V); do # 9 before 10
    blocks=$(grep -c '^ *```sh$' "$page" || true)
    for ((block = 1; block <= blocks; ++block)); do
        commands=$(manual_block "$page" "$block")
        check "$(basename "$page" .md): $(head -n 1 <<<"$commands" | cut -c1-60)" \
            guest env DEBIAN_FRONTEND=noninteractive timeout 1200 bash -ec "cd /root/manual; $commands"
        [[ $(basename "$page")-$block != 1-install.md-1 ]] || check 'ready' eventually ready
    done
    check 'ready after it' eventually ready
done
# The commands in its sentences, with names of what the blocks have made. One with a name in
# capitals may find nothing; but it is a command.
in_sentences() { grep -ohE '`(berthd?|systemctl|journalctl|systemd-analyze) [^`]+`' "$source"/docs/manual/*.md | tr -d '`' | sort -u; }
understood() {
    local status=0
    guest timeout 300 bash -c "$(sed -e 's/TENANT/acme/; s/INTEGRATION/shop-sync/; s/CONNECTOR/partner/' \
        -e 's/RUN/acme/; s/JOB/1/; s/UNIT/berthd/; s/NAME/nobody/' <<<"$1")" </dev/null || status=$?
    ((status == 0)) || [[ $status == 1 && $1 =~ [A-Z]{3} ]]
}
while read -r words; do
    [[ $words == 'systemctl edit'* ]] || check "in a sentence: $words" understood "$words" # that one opens an editor
done < <(in_sentences)
check 'ready after them' eventually ready
