"""What Berth tells a run, read from PAN_* variables. Copy this file into your own
integration; it needs nothing but Python."""

import json
import os


class Trigger:
    """One reason for this run. Its body, if it had one, lies in a file."""

    def __init__(self, fields):
        self.id = str(fields.get("id", "?"))
        self.source = fields.get("source", "?")
        self._payload = fields.get("payload") or {}

    def body(self):
        path = self._payload.get("file")
        if not path:
            return None
        with open(path, "rb") as file:
            return file.read()

    def summary(self):
        body = self.body()
        return "no payload" if not body else f"{len(body)} bytes of payload"


class Run:
    def __init__(self, environment):
        self._environment = environment
        self.mode = environment.get("PAN_CTX_RUN_MODE", "normal")
        self.tenant = environment.get("PAN_CTX_TENANT_NAME", "unknown")
        self.state = self._last_state()

    @classmethod
    def from_environment(cls):
        return cls(os.environ)

    def _last_state(self):
        text = self._environment.get("PAN_CTX_LAST_SUCCESSFUL_RUN_STD_OUT", "")
        try:
            state = json.loads(text) if text else {}
        except ValueError:
            state = {}  # somebody printed something else last time: start over, upserts repeat safely
        return state if isinstance(state, dict) else {}

    def config(self, name, default=None):
        value = self._environment.get(f"PAN_CFG_{name.upper()}", "")
        if value:
            return value
        if default is None:
            raise LookupError(f"the setting '{name}' is missing")
        return default

    def flag(self, name):
        return self.config(name, "false").lower() in ("true", "1", "t", "y", "yes")

    def secret(self, connector, field):
        name = f"PAN_SEC_{connector}_{field}".upper()
        value = self._environment.get(name, "")
        if not value:
            raise LookupError(f"the connector '{connector}' is not connected ({name} is absent)")
        return value

    def triggers(self):
        """Each trigger once, in order: a bundle may present one twice."""
        text = self._environment.get("PAN_CTX_RUN_TRIGGERS", "")
        found = {}
        for fields in json.loads(text) if text else []:
            trigger = Trigger(fields)
            found.setdefault(trigger.id, trigger)
        return list(found.values())
