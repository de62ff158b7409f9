# Prints numbered lines of 100 bytes at an even rate until its release has a file 'go', or so
# many seconds have passed: main.py SECONDS BYTES_PER_SECOND. A line that is lost, doubled or
# out of order shows in the log.
import os
import sys
import time

seconds, rate = float(sys.argv[1]), float(sys.argv[2])
begin = time.monotonic()
line = 0
while not os.path.exists("go") and (passed := time.monotonic() - begin) < seconds:
    due = int(passed * rate / 100)
    lines = []
    while line < due:
        line += 1
        lines.append(f"{line:09d} ".ljust(99, "x") + "\n")
    sys.stderr.write("".join(lines))
    sys.stderr.flush()
    time.sleep(0.02)
print('{"lines": %d}' % line)
