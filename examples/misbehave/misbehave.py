"""Does one wrong thing, chosen by the setting `behaviour`, to show what Berth makes of it.
The README says what to expect of each. Not for running outside a sandbox."""

import base64
import errno
import itertools
import json
import os
import signal
import sys
import time

MIB = 1 << 20


def log(text):
    print(text, file=sys.stderr, flush=True)


def state(**fields):
    print(json.dumps(fields), flush=True)


def mebibytes():
    return int(os.environ.get("PAN_CFG_MEBIBYTES") or 24)


def ok():
    log("behaving for once")
    state(ok=True)


def fail():
    log("failing on purpose: the partner's answer made no sense")
    sys.exit(3)


def crash():
    log("crashing")
    os.kill(os.getpid(), signal.SIGSEGV)


def hang():
    log("hanging")
    while True:
        time.sleep(3600)


def ignore_term():
    signal.signal(signal.SIGTERM, lambda *_: log("SIGTERM? not me"))
    hang()


def flood():
    line = "flooding " + "." * 1014
    for _ in range(mebibytes() * 1024):
        print(line, file=sys.stderr)
    state(flooded_mib=mebibytes())


def long_line():
    piece = b"x" * MIB
    for _ in range(mebibytes()):
        write_all(1, piece)
    write_all(1, b"\n")
    state(line_mib=mebibytes())


def write_all(fd, data):
    while data:
        data = data[os.write(fd, data):]


def binary():
    every_byte = bytes(range(256))
    write_all(2, every_byte + b"\xff\xfe\x00\x1b[31mred?\x1b[0m\n")
    write_all(1, every_byte + b"\n")
    state(binary=True)


def big_state():
    print("s" * 128 * 1024)


def close_outputs():
    log("closing stdout and stderr, then working on for a second")
    state(closed=True)
    for fd in (1, 2):
        os.close(fd)
    time.sleep(1)
    os._exit(0)


def grandchild():
    """A daemon as they are made in books: it holds stdout open and outlives its parents."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            while True:
                time.sleep(3600)
        os._exit(0)
    os.wait()
    state(left_behind=1)


def fork_bomb():
    """Every process forks on; the first one reports when the limit holds."""
    first, children = os.getpid(), 0
    while True:
        try:
            if os.fork() != 0:
                children += 1
        except OSError as refusal:
            if os.getpid() == first:
                log(f"fork was refused: {errno.errorcode[refusal.errno]}")
                state(refused=errno.errorcode[refusal.errno], children=children)
                return
            time.sleep(0.05)


def fill_tmp():
    written = 0
    try:
        # Several files, since one alone has a size limit of its own (EFBIG).
        for number in itertools.count():
            with open(f"/tmp/full-{number}", "wb", buffering=0) as file:
                for _ in range(64):
                    written += file.write(b"f" * MIB)
    except OSError as refusal:
        log(f"write was refused after {written // MIB} MiB: {errno.errorcode[refusal.errno]}")
        state(refused=errno.errorcode[refusal.errno], mib=written // MIB)


def eat_memory():
    eaten = []
    try:
        while True:
            eaten.append(b"m" * (16 * MIB))
    except MemoryError:
        held = len(eaten) * 16
        eaten.clear()
        log(f"no more memory after {held} MiB")
        sys.exit(1)


def leak_secret():
    secret = os.environ.get("PAN_SEC_DRILL_TOKEN", "")
    if not secret:
        log("the connector 'drill' is not connected; there is nothing to leak")
        sys.exit(1)
    log(f"plain {secret}")
    log(f"base64 {base64.b64encode(secret.encode()).decode()}")
    log(f"hex {secret.encode().hex()}")
    log(f"reversed {secret[::-1]}")
    half = len(secret) // 2
    write_all(2, f"in two writes {secret[:half]}".encode())
    time.sleep(0.1)
    write_all(2, f"{secret[half:]}\n".encode())
    state(token=secret)


BEHAVIOURS = {f.__name__: f for f in (
    ok, fail, crash, hang, ignore_term, flood, long_line, binary, big_state, close_outputs,
    grandchild, fork_bomb, fill_tmp, eat_memory, leak_secret)}

if __name__ == "__main__":
    if os.environ.get("PAN_CTX_RUN_MODE") == "init":
        ok()
    else:
        BEHAVIOURS[os.environ.get("PAN_CFG_BEHAVIOUR") or "ok"]()
