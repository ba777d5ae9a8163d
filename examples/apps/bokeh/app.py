"""Sales of a region by year, redrawn on the server whenever another region is chosen."""

import csv
import os
from collections import Counter

from bokeh.io import curdoc
from bokeh.layouts import column
from bokeh.models import ColumnDataSource, Div, Select
from bokeh.plotting import figure

with open(os.path.join(os.path.dirname(__file__), "sales.csv"), newline="", encoding="utf-8") as file:
    rows = list(csv.DictReader(file))
regions = sorted({row["region"] for row in rows})
years = sorted({row["year"] for row in rows})

source = ColumnDataSource({"year": years, "sales": [0] * len(years)})
select = Select(title="Region", value=regions[0], options=regions)
summary = Div()
plot = figure(x_range=years, height=300, title="Sales by year")
plot.vbar(x="year", top="sales", width=0.8, source=source)


def show(region):
    totals = Counter()
    for row in rows:
        if row["region"] == region:
            totals[row["year"]] += int(row["sales"])
    source.data = {"year": years, "sales": [totals[year] for year in years]}
    summary.text = f"{region}: {sum(totals.values())} in all"


select.on_change("value", lambda attr, old, new: show(new))
show(select.value)
curdoc().add_root(column(select, summary, plot))
curdoc().title = "Sales"
