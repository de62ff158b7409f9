"""A customer's browser, as far as OAuth2 needs one: follows redirects, keeps cookies per site,
logs in and consents on oidc-provider's own pages. Ours it reaches through the public socket.

browser.py PUBLIC_URL PUBLIC_SOCKET [--look] [--no-cookies] [--stop] [--deny] [--put=NAME=VALUE]
START...
For each START one line of JSON: {"status": ..., "body": ..., "url": ..., "headers": ...} of the
last page. With --look it does not press the button of our page, as a program that previews a
link; with --no-cookies it forgets what our pages set for the way back; with --stop it does not
come back to us, and gives the address that it was sent to; with --deny it does not consent;
--put comes back with another value of a parameter, or without it when VALUE is empty.
"""
import http.client
import json
import re
import socket
import sys
import urllib.parse

look = "--look" in sys.argv
forget = "--no-cookies" in sys.argv
stop = "--stop" in sys.argv
deny = "--deny" in sys.argv
puts = [a[len("--put="):].split("=", 1) for a in sys.argv[1:] if a.startswith("--put=")]
public_url, public_socket, *starts = [a for a in sys.argv[1:] if not a.startswith("--")]


class Public(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(public_socket)


def altered(url):
    parts = urllib.parse.urlsplit(url)
    pairs = urllib.parse.parse_qsl(parts.query)
    for name, value in puts:
        pairs = [pair for pair in pairs if pair[0] != name] + ([(name, value)] if value else [])
    return urllib.parse.urlunsplit(parts._replace(query=urllib.parse.urlencode(pairs)))


class Browser:
    def __init__(self):
        self.cookies = {}

    def ask(self, url, form=None):
        parts = urllib.parse.urlsplit(url)
        site = parts.netloc
        connection = Public("berth") if url.startswith(public_url) else http.client.HTTPConnection(site)
        headers = {"Cookie": "; ".join(f"{k}={v}" for k, v in self.cookies.get(site, {}).items())}
        if not headers["Cookie"]:
            headers = {}
        body = None
        if form is not None:
            body = urllib.parse.urlencode(form)
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        target = parts.path + ("?" + parts.query if parts.query else "")
        connection.request("GET" if form is None else "POST", target, body, headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        for cookie in answer.headers.get_all("set-cookie") or []:
            name, value = cookie.split(";")[0].split("=", 1)
            if not (forget and "berth-oauth-" in name):
                self.cookies.setdefault(site, {})[name] = value
        connection.close()
        return answer, text

    def go(self, url):
        form = None
        for _ in range(30):
            if stop and "/callback/oauth2?" in url:
                return {"status": 0, "body": "", "url": url, "headers": {}}
            if "/callback/oauth2?" in url:
                url = altered(url)
            answer, text = self.ask(url, form)
            form = None
            location = answer.headers.get("location")
            if location:
                url = urllib.parse.urljoin(url, location)
                continue
            action = re.search(r'action="([^"]+)"', text)
            hidden = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]+)"', text))
            if answer.status == 200 and action and "ticket" in hidden and not look:
                url = urllib.parse.urljoin(url, action.group(1))
                form = hidden
                continue
            prompt = re.search(r'name="prompt" value="(\w+)"', text)
            if answer.status != 200 or not action or not prompt:
                return {"status": answer.status, "body": text, "url": url,
                        "headers": {k.lower(): v for k, v in answer.headers.items()}}
            abort = re.search(r'href="([^"]+/abort)"', text)
            if deny and abort:
                url = urllib.parse.urljoin(url, abort.group(1))
                continue
            url = urllib.parse.urljoin(url, action.group(1))
            form = {"prompt": prompt.group(1), "login": "somebody", "password": "x"}
        return {"status": -1, "body": "it goes round in circles", "url": url, "headers": {}}


for start in starts:
    print(json.dumps(Browser().go(start)), flush=True)
