"""Customers and orders of a shop become contacts and deals of a CRM.

stdout: one JSON line, the state for the next run. stderr: the log, for people.
"""

import json
import sys
import time

from berth_run import Run
from partners import ApiError, Crm, Shop

DEADLINE_SECONDS = 540  # a run is cut off at 600 and then keeps nothing


def log(text):
    print(text, file=sys.stderr, flush=True)


def init(run, crm):
    """Options for the settings form. Prints the old cursor too: what an init run prints
    is the next run's state."""
    owners = [{"const": owner["id"], "title": owner["name"]} for owner in crm.owners()]
    log(f"found {len(owners)} owners in the CRM")
    return {**run.state, "crm_owners": owners}


def contact_of(run, customer):
    return {
        "account": run.tenant,
        "name": customer["name"],
        "email": customer["email"],
        "lifetime_value_cents": customer["spent_cents"],
        "owner": run.config("crm_owner", "o-1"),
        "stage": run.config("new_contact_stage", "customer") if customer["orders"] else "lead",
    }


def deal_of(run, order):
    return {
        "account": run.tenant,
        "contact": external_id(run, order["customer_id"]),
        "amount_cents": order["total_cents"],
        "closed_at": order["created_at"],
    }


def external_id(run, record_id):
    # The tenant is part of it: two shops may both have a customer c-1.
    return f"{run.tenant}.{record_id}"


def copy_table(run, shop, crm, source, target, convert, cursors, deadline):
    """Copies what changed since the cursor. The cursor moves with each page, so that a
    run that stops early has lost nothing. Says whether it reached the end."""
    counts = {}
    while time.monotonic() < deadline:
        page = shop.page(source, cursors.get(source), run.config("since", ""),
                         run.config("page_size", "50"))
        for record in page["items"]:
            result = crm.upsert(target, external_id(run, record["id"]), convert(run, record))
            counts[result] = counts.get(result, 0) + 1
        if page["items"]:
            cursors[source] = page["cursor"]
            log(f"{source}: {len(page['items'])} copied, up to {page['items'][-1]['updated_at']}")
        if not page["has_more"]:
            log(f"{source}: done {json.dumps(counts, sort_keys=True)}")
            return True
    log(f"{source}: stopped at the deadline; the next run goes on from here")
    return False


def sync(run, shop, crm, deadline):
    # A trigger may be presented twice and may come with others: it says "something
    # changed", and what changed is read from the shop.
    for trigger in run.triggers():
        log(f"trigger {trigger.id} from {trigger.source}: {trigger.summary()}")
    state = dict(run.state)
    cursors = dict(state.get("cursors", {}))
    done = True
    if run.flag("sync_customers"):
        done &= copy_table(run, shop, crm, "customers", "contacts", contact_of, cursors, deadline)
    if run.flag("sync_orders"):
        done &= copy_table(run, shop, crm, "orders", "deals", deal_of, cursors, deadline)
    return {**state, "cursors": cursors, "complete": done}


def drill(kind):
    if kind == "fail":
        log("drill: failing on purpose")
        sys.exit(3)
    if kind == "hang":
        log("drill: hanging until the time limit")
        while True:
            time.sleep(3600)
    if kind == "flood":
        line = "drill: flooding the log " + "." * 1000
        for _ in range(24 * 1024):
            print(line, file=sys.stderr)


def main():
    deadline = time.monotonic() + DEADLINE_SECONDS
    run = Run.from_environment()
    log(f"{run.mode} run for tenant '{run.tenant}'")
    drill(run.config("drill", "none"))
    shop = Shop(run.config("shop_url"), run.secret("shop", "api_key"))
    crm = Crm(run.config("crm_url"), run.secret("crm", "api_key"))
    state = init(run, crm) if run.mode == "init" else sync(run, shop, crm, deadline)
    print(json.dumps(state, sort_keys=True))


if __name__ == "__main__":
    try:
        main()
    except (ApiError, LookupError, ValueError) as failure:
        log(f"failed: {failure}")
        sys.exit(1)
