# Tries every path it is given, plain and by detours, and the environment.
import os
import sys

for path in sys.argv[1:]:
    for way in (path, "../../../.." + path, "/proc/self/root" + path, "/proc/1/root" + path):
        try:
            with open(way, "rb") as file:
                print("READ", way, file.read(200))
        except OSError as error:
            print("refused", way, error.__class__.__name__)
for name, value in os.environ.items():
    print("ENV", name, value)
