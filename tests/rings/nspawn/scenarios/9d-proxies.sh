# The manual's lines for nginx and Caddy, as they stand on its page 9, before the Berth that its
# commands have set up: what they pass on, and whom Berth takes for the client. Neither is
# installed: both come from .cache/tools (`./dev tools`).
# shellcheck shell=bash disable=SC2154 # names of run

page=$source/docs/manual/9-webhooks.md
lines_for() { # NAME: what is indented below 'NAME:'
    awk -v name="$1:" '$0 == name { on = 1; next } on && /^[^ ]/ { exit } on { sub(/^    /, ""); print }' "$page"
}
through='--cacert /run/proxy/ca.pem --interface 127.0.0.7 --resolve integrations.example.com:443:127.0.0.1'
answers() { equal "$(guest curl --silent --output /dev/null --write-out '%{http_code}' $through "https://integrations.example.com$1")" "$2"; }
# The page's own delivery, by way of the proxy and with another id; from somebody who says that he is
# somebody else.
delivers() { # NAME
    local block
    block=$(manual_block "$page" 3 | sed -e "s,--unix-socket /run/berth/public.sock \"http:,$through -H 'X-Forwarded-For: 203.0.113.9' \"https:," \
        -e "s/msg_1/msg_$1/")
    contains "$block" "$through" && contains "$block" "msg_$1" && guest bash -ec "cd /root/manual; $block"
}
check_proxy() { # NAME
    check "$1: Berth answers through it" eventually answers /up 204
    check "$1: nothing of the API is served" answers /v2/tenants 404
    check "$1: a signed delivery is taken" delivers "$1"
    check "$1: from who has really connected" grep -q "msg_$1 .*127\.0\.0\.7" <<<"$said"
    guest systemctl stop "ring-$1"
}

tools=/usr/local/lib/berth-ring/tools
if [[ -z ${CI:-} && ! -x $source/.cache/tools/caddy ]]; then
    echo "  left out: nginx and Caddy are not in .cache/tools; './dev tools' fetches them"
else
    mkdir -p "$guest_files/tools"
    check 'nginx and Caddy are there' cp "$source"/.cache/tools/{nginx,caddy} "$guest_files/tools/"
    guest sh -ec 'mkdir -p /run/proxy/nginx; cd /run/proxy
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=integrations.example.com \
            -addext subjectAltName=DNS:integrations.example.com -out ca.pem -keyout key.pem 2>/dev/null
        cp ca.pem /etc/ssl/certs/integrations.example.com.pem
        cp key.pem /etc/ssl/private/integrations.example.com.key'
    {
        echo 'events {} pid /run/proxy/nginx.pid; error_log stderr; http { access_log off;'
        for kind in client_body proxy fastcgi uwsgi scgi; do echo "${kind}_temp_path /run/proxy/nginx/$kind;"; done
        lines_for nginx
        echo '}'
    } | guest sh -c 'cat >/run/proxy/nginx.conf'
    check 'nginx takes its lines' guest $tools/nginx -t -q -c /run/proxy/nginx.conf
    guest systemd-run --quiet --unit=ring-nginx $tools/nginx -c /run/proxy/nginx.conf -g 'daemon off;'
    check_proxy nginx

    {
        printf '%s\n' '{' local_certs skip_install_trust 'admin off' 'storage file_system /run/proxy/caddy' '}'
        lines_for Caddy
    } | guest sh -c 'cat >/run/proxy/Caddyfile'
    check 'Caddy takes its lines' guest $tools/caddy adapt --config /run/proxy/Caddyfile --adapter caddyfile
    guest systemd-run --quiet --unit=ring-caddy $tools/caddy run --config /run/proxy/Caddyfile --adapter caddyfile
    root_of_caddy() { guest cp /run/proxy/caddy/pki/authorities/local/root.crt /run/proxy/ca.pem; }
    check 'it has made its certificates' eventually root_of_caddy
    check_proxy caddy
fi
