# Forks for ever, or as often as it is told.
import os
import sys

times = int(sys.argv[1]) if len(sys.argv) > 1 else None
count = 0
while times is None or count < times:
    if os.fork() == 0 and times is not None:
        os._exit(0)
    count += 1
    print("FORKED", count, flush=True)
