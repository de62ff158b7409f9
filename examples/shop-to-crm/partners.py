"""The two partner APIs, over urllib. Busy answers (429, 5xx) and broken connections are
tried again with growing pauses; every call here may be repeated safely."""

import json
import random
import time
import urllib.error
import urllib.parse
import urllib.request

ATTEMPTS = 5
TIMEOUT_SECONDS = 30


class ApiError(Exception):
    """The partner refused, or could not be reached. Says which call, never a key."""


def call(method, url, headers, body=None):
    data = None if body is None else json.dumps(body).encode()
    what = f"{method} {urllib.parse.urlsplit(url).path}"
    for attempt in range(1, ATTEMPTS + 1):
        request = urllib.request.Request(url, data=data, method=method, headers=headers)
        if data is not None:
            request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as refusal:
            problem = f"{what} was answered with {refusal.code}: {refusal.read(200).decode(errors='replace')}"
            if refusal.code != 429 and refusal.code < 500:
                raise ApiError(problem) from None
        except (urllib.error.URLError, OSError) as broken:
            problem = f"{what} could not be sent: {getattr(broken, 'reason', broken)}"
        if attempt < ATTEMPTS:
            time.sleep(min(8, 0.2 * 2**attempt) * random.uniform(0.5, 1))
    raise ApiError(f"{problem} ({ATTEMPTS} attempts)")


class Shop:
    def __init__(self, url, key):
        self._url = url.rstrip("/")
        self._headers = {"X-Api-Key": key}

    def page(self, table, cursor, since, limit):
        query = {"limit": limit, **({"cursor": cursor} if cursor else {"since": since})}
        return call("GET", f"{self._url}/{table}?{urllib.parse.urlencode(query)}", self._headers)


class Crm:
    def __init__(self, url, key):
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {key}"}

    def owners(self):
        return call("GET", f"{self._url}/owners", self._headers)["items"]

    def upsert(self, table, record_id, record):
        path = f"{self._url}/{table}/{urllib.parse.quote(record_id, safe='')}"
        return call("PUT", path, self._headers, record)["result"]
