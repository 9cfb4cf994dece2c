import sys

line = "the same line again and again, without end\n" * 100
for _ in range(4_000):
    sys.stdout.write(line)
