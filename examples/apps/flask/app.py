"""Sales of a region by year, as a page with a form, and as JSON below /api."""

import csv
from collections import Counter

from flask import Flask, jsonify, redirect, render_template_string, request, url_for

PAGE = """<!doctype html>
<html lang="en">
<title>Sales</title>
<link rel="stylesheet" href="{{ url_for('static', filename='sales.css') }}">
<form action="{{ url_for('sales') }}">
  <label>Region
    <select name="region" onchange="this.form.submit()">
      {% for name in regions %}<option {{ 'selected' if name == region }}>{{ name }}</option>{% endfor %}
    </select>
  </label>
</form>
<table>
  {% for year, total in totals.items() %}<tr><th>{{ year }}</th><td>{{ total }}</td></tr>{% endfor %}
</table>
</html>"""

app = Flask(__name__)
with open("sales.csv", newline="", encoding="utf-8") as file:
    ROWS = list(csv.DictReader(file))
REGIONS = sorted({row["region"] for row in ROWS})


def totals_of(region):
    totals = Counter()
    for row in ROWS:
        if row["region"] == region:
            totals[row["year"]] += int(row["sales"])
    return dict(sorted(totals.items()))


@app.get("/")
def index():
    return redirect(url_for("sales", region=REGIONS[0]))


@app.get("/sales")
def sales():
    region = request.args.get("region", REGIONS[0])
    return render_template_string(PAGE, regions=REGIONS, region=region, totals=totals_of(region))


@app.get("/api/sales/<region>")
def sales_as_json(region):
    return jsonify(region=region, totals=totals_of(region), by=request.remote_addr)
