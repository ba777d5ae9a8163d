"""Sales of a region by year."""

import csv
from collections import Counter

import streamlit as st

with open("sales.csv", newline="", encoding="utf-8") as file:
    rows = list(csv.DictReader(file))

st.title("Sales")
region = st.selectbox("Region", sorted({row["region"] for row in rows}))
totals = Counter()
for row in rows:
    if row["region"] == region:
        totals[row["year"]] += int(row["sales"])
st.write(f"{region}: {sum(totals.values())} in all")
st.bar_chart(dict(totals))
