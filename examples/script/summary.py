#!/usr/bin/env python3
"""Prints the total of each region for one year: python3 summary.py --year 2024."""

import argparse
import csv
from collections import Counter

parser = argparse.ArgumentParser()
parser.add_argument("--year", required=True)
year = parser.parse_args().year

totals = Counter()
with open("sales.csv", newline="", encoding="utf-8") as file:
    for row in csv.DictReader(file):
        if row["year"] == year:
            totals[row["region"]] += int(row["sales"])

if not totals:
    raise SystemExit(f"no sales in {year}")
for region, total in totals.most_common():
    print(f"{region:6} {total:6}")
