"""Sales of a region in a range of years, computed on the server."""

import csv
import os
from collections import Counter

import panel as pn

pn.extension()

with open(os.path.join(os.path.dirname(__file__), "sales.csv"), newline="", encoding="utf-8") as file:
    rows = list(csv.DictReader(file))
regions = sorted({row["region"] for row in rows})

region = pn.widgets.Select(name="Region", options=regions)
years = pn.widgets.IntRangeSlider(name="Years", start=2023, end=2025, value=(2023, 2025))


def summary(region, years):
    totals = Counter()
    for row in rows:
        if row["region"] == region and years[0] <= int(row["year"]) <= years[1]:
            totals[row["year"]] += int(row["sales"])
    table = "\n".join(f"| {year} | {total} |" for year, total in sorted(totals.items()))
    return f"{region}: {sum(totals.values())} in all\n\n| year | sales |\n|---|---|\n{table}"


pn.Column("# Sales", region, years, pn.panel(pn.bind(summary, region, years))).servable(title="Sales")
