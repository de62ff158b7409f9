#!/usr/bin/env python3
"""Two partner APIs on loopback for the examples, the demo and the tests.

One process serves several shops (`/shop/<name>/...`, an API key each) and one CRM
(`/crm/...`, one key for all). Everything is in memory and seeded, so two starts with
the same arguments hold the same records and the same keys.

    server.py --shop acme --shop zeta --info partner.json

It prints `port N` once it listens, and writes addresses and keys to the info file
(mode 0600). Routes:

    GET  /shop/<name>/customers|orders   ?cursor= &since= &limit=   header X-Api-Key
    POST /shop/<name>/orders             {"customer_id", "total_cents"}
    GET  /crm/owners                     header Authorization: Bearer
    GET  /crm/contacts|deals             ?account=
    PUT  /crm/contacts|deals/<id>        the record; answers created, updated or unchanged
    POST /faults                         {"path", "status", "count", "delay_ms"}
    GET  /metrics                        calls by route, records by kind
"""

import argparse
import collections
import datetime
import hashlib
import hmac
import http.server
import json
import os
import random
import sys
import threading
import time
import urllib.parse

MAX_BODY = 1 << 20
FIRST_NAMES = "Ada Grace Linus Edsger Barbara Donald Margaret Alan Frances Ken".split()
LAST_NAMES = "Okafor Novak Silva Tanaka Weber Haddad Larsen Mbeki Rossi Kaur".split()
OWNERS = [("o-1", "Priya (Europe)"), ("o-2", "Marek (Americas)"), ("o-3", "Noor (Asia)")]


class Refused(Exception):
    """An answer other than 2xx."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


class Shop:
    """Customers and orders, each with `created_at` and `updated_at`."""

    def __init__(self, name, seed, customers):
        rng = random.Random(f"{seed}/{name}")
        self.key = "shop-" + hashlib.sha256(f"{seed}/{name}/key".encode()).hexdigest()[:32]
        self.tables = {"customers": {}, "orders": {}}
        self._clock = datetime.datetime(2026, 1, 5, 8, 0, tzinfo=datetime.timezone.utc)
        for number in range(1, customers + 1):
            first, last = rng.choice(FIRST_NAMES), rng.choice(LAST_NAMES)
            self._put("customers", f"c-{number}", {
                "name": f"{first} {last}",
                "email": f"{first}.{last}.{number}@{name}.example".lower(),
                "orders": 0,
                "spent_cents": 0,
            })
            for _ in range(rng.randint(0, 3)):
                self.add_order(f"c-{number}", rng.randint(500, 90_000))

    def _put(self, table, key, fields):
        # Strictly rising times: (updated_at, id) is a total order that a cursor can rely on.
        self._clock += datetime.timedelta(minutes=7)
        now = self._clock.isoformat().replace("+00:00", "Z")
        old = self.tables[table].get(key, {"id": key, "created_at": now})
        self.tables[table][key] = {**old, **fields, "updated_at": now}
        return self.tables[table][key]

    def add_order(self, customer_id, total_cents):
        customer = self.tables["customers"].get(customer_id)
        if customer is None:
            raise Refused(422, f"there is no customer '{customer_id}'")
        if type(total_cents) is not int or not 0 < total_cents < 10**9:
            raise Refused(422, "'total_cents' must be a whole number above 0")
        order = self._put("orders", f"r-{len(self.tables['orders']) + 1}",
                          {"customer_id": customer_id, "total_cents": total_cents})
        self._put("customers", customer_id, {
            "orders": customer["orders"] + 1,
            "spent_cents": customer["spent_cents"] + total_cents,
        })
        return order

    def page(self, table, query):
        """Records after the cursor in (updated_at, id) order: nothing is missed or seen
        twice unless it changes meanwhile."""
        limit = int_field(query, "limit", default=50, low=1, high=200)
        after = tuple(query.get("cursor", "~").split("~", 1)) + ("",)
        since = query.get("since", "")
        records = sorted(self.tables[table].values(), key=lambda r: (r["updated_at"], r["id"]))
        rest = [r for r in records
                if (r["updated_at"], r["id"]) > after[:2] and r["updated_at"] >= since]
        items = rest[:limit]
        cursor = f"{items[-1]['updated_at']}~{items[-1]['id']}" if items else query.get("cursor", "")
        return {"items": items, "cursor": cursor, "has_more": len(rest) > limit}


class Crm:
    """Contacts and deals by the id the caller gives them: writing twice changes nothing."""

    def __init__(self, seed):
        self.key = "crm-" + hashlib.sha256(f"{seed}/crm/key".encode()).hexdigest()[:32]
        self.tables = {"contacts": {}, "deals": {}}
        self.results = collections.Counter()

    def upsert(self, table, key, record):
        if not isinstance(record, dict) or not isinstance(record.get("account"), str):
            raise Refused(422, "the record needs an 'account'")
        old = self.tables[table].get(key)
        result = "created" if old is None else "unchanged" if old == record else "updated"
        self.tables[table][key] = record
        self.results[result] += 1
        return {"id": key, "result": result}


def int_field(query, name, default, low, high):
    try:
        value = int(query.get(name, default))
    except ValueError:
        raise Refused(422, f"'{name}' must be a whole number") from None
    if not low <= value <= high:
        raise Refused(422, f"'{name}' must be from {low} to {high}")
    return value


class Partner:
    """All the data, one lock around it, and the table of routes."""

    def __init__(self, shops, seed, customers):
        self.lock = threading.Lock()
        self.shops = {name: Shop(name, seed, customers) for name in shops}
        self.crm = Crm(seed)
        self.calls = collections.Counter()
        self.faults = []

    def next_fault(self, path):
        with self.lock:
            for fault in self.faults:
                if fault["count"] > 0 and path.startswith(fault["path"]):
                    fault["count"] -= 1
                    return fault
        return None

    def answer(self, method, path, query, headers, body):
        with self.lock:
            parts = [urllib.parse.unquote(part) for part in path.strip("/").split("/")]
            self.calls[f"{method} /" + "/".join(parts[:1] + parts[2:3] if parts[0] == "shop"
                                                else parts[:2])] += 1
            if (method, parts) == ("GET", ["metrics"]):
                return 200, self.metrics()
            if (method, parts) == ("POST", ["faults"]):
                self.faults.append({"path": body["path"], "status": body.get("status", 0),
                                    "count": body.get("count", 1),
                                    "delay_ms": body.get("delay_ms", 0)})
                return 201, {}
            if parts[0] == "shop" and len(parts) == 3:
                return self.shop(method, parts[1], parts[2], query, headers, body)
            if parts[0] == "crm" and len(parts) in (2, 3):
                return self.crm_route(method, parts[1:], query, headers, body)
            raise Refused(404, f"there is no '{path}'")

    def shop(self, method, name, table, query, headers, body):
        shop = self.shops.get(name)
        # One answer for an unknown shop and a wrong key, in the same time.
        key = shop.key if shop else "none"
        if not hmac.compare_digest(headers.get("X-Api-Key", "").encode(), key.encode()) or not shop:
            raise Refused(401, "wrong API key")
        if table not in shop.tables:
            raise Refused(404, f"a shop has no '{table}'")
        if method == "GET":
            return 200, shop.page(table, query)
        if (method, table) == ("POST", "orders"):
            return 201, shop.add_order(body.get("customer_id"), body.get("total_cents"))
        raise Refused(405, f"'{table}' cannot be changed")

    def crm_route(self, method, parts, query, headers, body):
        given = headers.get("Authorization", "").encode()
        if not hmac.compare_digest(given, f"Bearer {self.crm.key}".encode()):
            raise Refused(401, "wrong token")
        if (method, parts) == ("GET", ["owners"]):
            return 200, {"items": [{"id": key, "name": name} for key, name in OWNERS]}
        if parts[0] not in self.crm.tables:
            raise Refused(404, f"the CRM has no '{parts[0]}'")
        if method == "GET" and len(parts) == 1:
            account = query.get("account")
            items = [{"id": key, **record} for key, record in self.crm.tables[parts[0]].items()
                     if account in (None, record["account"])]
            return 200, {"items": items}
        if method == "PUT" and len(parts) == 2:
            return 200, self.crm.upsert(parts[0], parts[1], body)
        raise Refused(405, "the CRM takes GET and PUT")

    def metrics(self):
        return {
            "calls": dict(sorted(self.calls.items())),
            "upserts": dict(sorted(self.crm.results.items())),
            "records": {table: len(rows) for table, rows in self.crm.tables.items()},
        }

    def info(self, port):
        base = f"http://127.0.0.1:{port}"
        return {
            "url": base,
            "shops": {name: {"url": f"{base}/shop/{name}", "api_key": shop.key}
                      for name, shop in self.shops.items()},
            "crm": {"url": f"{base}/crm", "api_key": self.crm.key},
        }


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30
    partner = None

    def handle_any(self):
        url = urllib.parse.urlsplit(self.path)
        try:
            body = self.read_body()
            fault = self.partner.next_fault(url.path)
            if fault:
                time.sleep(fault["delay_ms"] / 1000)
                if fault["status"]:
                    raise Refused(fault["status"], "out of order, as asked for by /faults")
            query = dict(urllib.parse.parse_qsl(url.query))
            status, answer = self.partner.answer(self.command, url.path, query, self.headers, body)
        except Refused as refused:
            status, answer = refused.status, {"message": str(refused)}
        except (KeyError, TypeError, ValueError) as wrong:
            status, answer = 400, {"message": f"unreadable request: {wrong}"}
        self.reply(status, answer)

    do_GET = do_POST = do_PUT = handle_any

    def read_body(self):
        length = int(self.headers.get("Content-Length", 0))
        if not 0 <= length <= MAX_BODY:
            self.close_connection = True
            raise Refused(413, "the body is too large")
        text = self.rfile.read(length)
        body = json.loads(text) if text else {}
        if not isinstance(body, dict):
            raise Refused(422, "the body must be a JSON object")
        return body

    def reply(self, status, answer):
        text = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        if status in (429, 503):
            self.send_header("Retry-After", "0")
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass  # /metrics counts; a line per call would drown the demo's own output


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--shop", action="append", metavar="NAME", help="a shop to serve; repeatable")
    parser.add_argument("--customers", type=int, default=25, help="customers in each shop")
    parser.add_argument("--seed", default="berth", help="same seed, same records and keys")
    parser.add_argument("--port", type=int, default=0, help="0: any free port")
    parser.add_argument("--info", metavar="FILE", help="write addresses and keys here, mode 0600")
    options = parser.parse_args()

    partner = Partner(options.shop or ["acme"], options.seed, options.customers)
    Handler.partner = partner
    server = http.server.ThreadingHTTPServer(("127.0.0.1", options.port), Handler)
    server.daemon_threads = True
    port = server.server_address[1]
    if options.info:
        # Written whole before it has its name: whoever sees the file can read it.
        temporary = f"{options.info}.{os.getpid()}"
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(partner.info(port), file, indent=2)
        os.rename(temporary, options.info)
    print(f"port {port}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(main())
