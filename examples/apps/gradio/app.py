"""Sales of a region by year."""

import csv
from collections import Counter

import gradio as gr

with open("sales.csv", newline="", encoding="utf-8") as file:
    ROWS = list(csv.DictReader(file))
REGIONS = sorted({row["region"] for row in ROWS})


def sales(region):
    totals = Counter()
    for row in ROWS:
        if row["region"] == region:
            totals[row["year"]] += int(row["sales"])
    return f"{region}: {sum(totals.values())} in all", dict(totals)


demo = gr.Interface(
    sales,
    gr.Dropdown(REGIONS, label="Region"),
    [gr.Textbox(label="Summary"), gr.JSON(label="By year")],
    title="Sales",
    api_name="sales",
)

if __name__ == "__main__":
    demo.launch()
