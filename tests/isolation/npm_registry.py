"""A registry that serves what npm asks for: for each package its packument, and a tarball with
a checksum. Two packages, one of which needs the other. Prints its port when it listens, and
each path that was asked for; ends with its standard input."""

import base64
import hashlib
import http.server
import io
import json
import sys
import tarfile
import threading

PACKAGES = {
    "berth-odd": (
        {"dependencies": {"berth-number": "^1.0.0"}},
        "module.exports = n => require('berth-number')(n) && Math.abs(n % 2) === 1;",
    ),
    "berth-number": ({}, "module.exports = n => typeof n === 'number' && Number.isFinite(n);"),
}


def tarball(name):
    more, code = PACKAGES[name]
    manifest = {"name": name, "version": "1.0.0", "main": "index.js", **more}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for path, text in {"package.json": json.dumps(manifest), "index.js": code}.items():
            entry = tarfile.TarInfo("package/" + path)
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    return manifest, packed.getvalue()


MADE = {name: tarball(name) for name in PACKAGES}


class Registry(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def packument(self, name):
        manifest, packed = MADE[name]
        digest = base64.b64encode(hashlib.sha512(packed).digest()).decode()
        url = f"http://{self.headers['Host']}/{name}/-/{name}-1.0.0.tgz"
        dist = {"tarball": url, "integrity": "sha512-" + digest}
        return {
            "name": name,
            "dist-tags": {"latest": "1.0.0"},
            "versions": {"1.0.0": {**manifest, "dist": dist}},
        }

    def do_GET(self):
        print(self.path, flush=True)
        name, _, file = self.path.strip("/").partition("/-/")
        if name not in MADE:
            status, kind, body = 404, "application/json", b"{}"
        elif file:
            status, kind, body = 200, "application/octet-stream", MADE[name][1]
        else:
            status, kind = 200, "application/json"
            body = json.dumps(self.packument(name)).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Registry)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_port, flush=True)
sys.stdin.read()
