"""Sales of a region by year."""

import csv
from collections import Counter
from pathlib import Path

from shiny import App, Inputs, render, ui

with open(Path(__file__).parent / "sales.csv", newline="", encoding="utf-8") as file:
    ROWS = list(csv.DictReader(file))
REGIONS = sorted({row["region"] for row in ROWS})

app_ui = ui.page_fluid(
    ui.h1("Sales"),
    ui.input_select("region", "Region", REGIONS),
    ui.output_text("summary"),
    ui.output_text_verbatim("years"),
)


def server(input: Inputs):
    def totals():
        found = Counter()
        for row in ROWS:
            if row["region"] == input.region():
                found[row["year"]] += int(row["sales"])
        return found

    @render.text
    def summary():
        return f"{input.region()}: {sum(totals().values())} in all"

    @render.text
    def years():
        return "\n".join(f"{year} {total}" for year, total in sorted(totals().items()))


app = App(app_ui, server)
