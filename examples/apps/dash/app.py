"""Sales of a region by year, computed on the server whenever another region is chosen."""

import csv
from collections import Counter

from dash import Dash, Input, Output, dcc, html

with open("sales.csv", newline="", encoding="utf-8") as file:
    ROWS = list(csv.DictReader(file))
REGIONS = sorted({row["region"] for row in ROWS})

app = Dash(__name__, title="Sales")
app.layout = html.Main(
    [
        html.H1("Sales"),
        dcc.Dropdown(REGIONS, REGIONS[0], id="region", clearable=False),
        html.P(id="summary"),
        dcc.Graph(id="years"),
    ]
)


@app.callback(Output("summary", "children"), Output("years", "figure"), Input("region", "value"))
def show(region):
    totals = Counter()
    for row in ROWS:
        if row["region"] == region:
            totals[row["year"]] += int(row["sales"])
    bars = {"type": "bar", "x": sorted(totals), "y": [totals[year] for year in sorted(totals)]}
    return f"{region}: {sum(totals.values())} in all", {"data": [bars]}
