"""Acts against the limits, named by the payload of the trigger: {"acts": ["heap"], "mib": 200}.
The last line of stdout says how far they got, as JSON; limits.sh says what that must be."""

import errno
import json
import os
import time

MIB = 1 << 20
KEPT = []  # what an act takes must not be given back before its end


def heap(mib):
    """Plain memory of one process."""
    KEPT.extend(bytearray(b"h" * MIB) for _ in range(mib))
    return {"held": mib}


def files(mib):
    """Memory that is no process's own, half in memfds, half in scratch space: only a group
    counts both."""
    for number in range(mib // 20):
        file = os.memfd_create(f"part-{number}")
        KEPT.append(file)
        os.write(file, b"m" * 10 * MIB)
    with open("/tmp/fill", "wb", buffering=0) as file:
        for _ in range(mib // 2):
            file.write(b"t" * MIB)
    return {"in_files": mib}


def forks(_):
    """Children that stay, until one is refused."""
    children = 0
    while True:
        try:
            if os.fork() == 0:
                time.sleep(3600)
            children += 1
        except OSError as refusal:
            return {"refused": errno.errorcode[refusal.errno], "children": children}


def spin(_):
    """All of one processor for two seconds of the clock."""
    began = time.process_time()
    end = time.monotonic() + 2
    while time.monotonic() < end:
        pass
    return {"used_ms": int((time.process_time() - began) * 1000)}


def disk(_):
    """Writes 6 MiB to a disk and reads them back from there, not from memory."""
    began = time.monotonic()
    file = os.open("/data/file", os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    for _ in range(6):
        os.write(file, b"d" * MIB)
    os.fsync(file)
    written = time.monotonic()
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    os.lseek(file, 0, os.SEEK_SET)
    while os.read(file, MIB):
        pass
    read = time.monotonic()
    # What the next one writes back would be charged to the group that wrote this file first.
    os.unlink("/data/file")
    return {"write_ms": int((written - began) * 1000), "read_ms": int((read - written) * 1000)}


def tree(_):
    """A grandchild in a session of its own, whose parent is gone; and the script waits."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(3600)
        os._exit(0)
    os.wait()
    print("the tree stands", flush=True)
    time.sleep(3600)
    return {}


ACTS = {act.__name__: act for act in (heap, files, forks, spin, disk, tree)}

if __name__ == "__main__":
    with open(json.loads(os.environ["PAN_CTX_RUN_TRIGGERS"])[0]["payload"]["file"]) as body:
        given = json.load(body)
    said = {}
    for act in given["acts"]:
        said.update(ACTS[act](given.get("mib", 0)))
    print(json.dumps(said), flush=True)
