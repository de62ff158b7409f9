"""The load of 8-series, from inside the guest: RUNS runs of 'flood', one for each tenant.

    series.py begin RUNS     starts them, and waits until all are running
    series.py running RUNS   waits until exactly those are running, as after a restart
    series.py end RUNS       lets them end, and compares each log with what its run says that it
                             printed, byte by byte; prints the figures, and fails for any of
                             killed, run twice, bytes lost
"""
import glob
import http.client
import json
import os
import socket
import sys
import time

STATE = "/run/ring-series.json"
DEADLINE_S = 600  # for what never comes


class Api(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(DEADLINE_S)
        self.sock.connect("/run/berth/control.sock")


def ask(method, path, body=None):
    api = Api("berth")
    api.request(method, path, None if body is None else json.dumps(body))
    answer = api.getresponse()
    data = answer.read()
    if answer.status in (301, 302):
        return ask("GET", answer.headers["Location"])
    if answer.status >= 400:
        sys.exit(f"{method} {path}: {answer.status} {data[:300]!r}")
    return data


def ask_json(*request):
    return json.loads(ask(*request))


def flood():
    return next(i["id"] for i in ask_json("GET", "/v2/integrations?limit=100") if i["name"] == "flood")


def runs_since(last):
    found = ask_json("GET", f"/v2/runs?integration_id={flood()}&limit=500&sort_by=id__DESC")
    return [run for run in found if run["id"] > last]


def until(done, what):
    deadline = time.monotonic() + DEADLINE_S
    while not done():
        if time.monotonic() > deadline:
            sys.exit(f"not within {DEADLINE_S} s: {what}")
        time.sleep(0.05)


def all_running(begun, wanted):
    states = [run["state"] for run in runs_since(begun["last"])]
    return states == ["running"] * wanted


def begin(wanted):
    integration = flood()
    tenants = {t["name"]: t["id"] for t in ask_json("GET", f"/v2/tenants?integration_id={integration}&limit=500")}
    for number in range(wanted):
        name = f"t{number}"
        if name not in tenants:
            tenants[name] = ask_json("POST", "/v2/tenants", {"name": name, "integration_id": integration})["id"]
    begun = {"last": max((run["id"] for run in runs_since(0)), default=0), "at": time.time()}
    for number in range(wanted):
        ask("POST", f"/v2/tenants/{tenants[f't{number}']}/sync?mode=normal", {})
    until(lambda: all_running(begun, wanted), f"{wanted} running runs")
    with open(STATE, "w") as file:
        json.dump(begun, file)


def lines(count):
    return "".join(f"{line:09d} ".ljust(99, "x") + "\n" for line in range(1, count + 1)).encode()


def end(begun, wanted):
    releases = glob.glob("/var/lib/berth/releases/*/")
    for release in releases:
        open(release + "go", "w").close()
    live = ("queued", "preparing", "starting", "running")
    until(lambda: not any(run["state"] in live for run in runs_since(begun["last"])), "the end of every run")
    seconds = time.time() - begun["at"]
    for release in releases:
        os.unlink(release + "go")
    runs = runs_since(begun["last"])
    killed = sum(run["state"] != "succeeded" for run in runs)
    twice = sum(run["attempt"] != 1 for run in runs) + max(0, len(runs) - wanted)
    total = lost = 0
    for run in runs:
        printed = json.loads(ask("GET", f"/v2/runs/{run['id']}/log?stream=stdout"))["lines"]
        log = ask("GET", f"/v2/runs/{run['id']}/log?stream=stderr")
        total += printed * 100
        if log != lines(printed):
            lost += max(1, printed * 100 - len(log))
            print(f"run {run['id']} printed {printed} lines, its log differs: {log[-300:]!r}")
    print(f"{len(runs)} runs, {total} bytes in {seconds:.0f} s: {killed} killed, {twice} twice, {lost} bytes lost")
    return len(runs) == wanted and killed == 0 and twice == 0 and lost == 0


def main():
    what, wanted = sys.argv[1], int(sys.argv[2])
    if what == "begin":
        return begin(wanted) or True
    with open(STATE) as file:
        begun = json.load(file)
    if what == "running":
        until(lambda: all_running(begun, wanted), f"{wanted} running runs")
        return True
    return end(begun, wanted)


sys.exit(0 if main() else 1)
