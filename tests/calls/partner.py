# A partner of the tests: an HTTP server on a free port of the loopback, with TLS when it is
# given a certificate. Says its port in a line, ends with its standard input.
import http.server
import json
import ssl
import sys
import threading
import urllib.parse

MIB = 1024 * 1024
released = threading.Event()


class Partner(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def reply(self, status, body, type="application/json", headers=()):
        self.send_response(status)
        self.send_header("Content-Type", type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def any(self):
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length).decode()
        if url.path == "/go":  # /go?status=302&to=https://...
            to = query["to"].replace("SELF", f"{self.headers['Host']}")
            return self.reply(int(query["status"]), b"", headers=[("Location", to)])
        if url.path == "/loop":
            return self.reply(302, b"", headers=[("Location", "/loop")])
        if url.path == "/large":
            return self.reply(200, b"x" * int(query["bytes"]), "text/plain")
        if url.path == "/endless":
            self.send_response(200)
            self.end_headers()
            try:
                while True:
                    self.wfile.write(b"x" * MIB)
            except OSError:
                return
        if url.path == "/hang":  # until somebody asks for /release
            released.wait()
        if url.path == "/release":
            released.set()
        if url.path == "/xml":
            return self.reply(200, b"<got>" + body.encode() + b"</got>", "text/xml; charset=utf-8")
        if url.path == "/status":
            return self.reply(int(query["status"]), json.dumps({"oh": "no"}).encode())
        echo = {"method": self.command, "path": url.path, "query": query, "body": body,
                "headers": {k.lower(): v for k, v in self.headers.items()}}
        self.reply(200, json.dumps(echo).encode(), "application/json; charset=utf-8")

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = any


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, address):
        pass


server = Server(("127.0.0.1", 0), Partner)
if len(sys.argv) > 2:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[1], sys.argv[2])
    server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_address[1], flush=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdin.read()
