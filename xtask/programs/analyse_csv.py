import collections
import csv
import os

totals = collections.Counter()
with open("sales.csv", newline="") as source:
    for row in csv.DictReader(source):
        totals[row["region"]] += int(row["units"]) * int(row["cents"])

os.makedirs("out", exist_ok=True)
with open("out/by_region.csv", "w", newline="") as target:
    writer = csv.writer(target, lineterminator="\n")
    writer.writerow(["region", "cents"])
    writer.writerows(sorted(totals.items()))
print("regions", len(totals), "cents", sum(totals.values()))
