"""An API over the sales: totals of a region, an upload that is added up, a stream of events, and a WebSocket."""

import asyncio
import csv
import io
from collections import Counter

from fastapi import FastAPI, HTTPException, Request, UploadFile, WebSocket, WebSocketDisconnect
from fastapi.responses import StreamingResponse

app = FastAPI(title="Sales")
with open("sales.csv", newline="", encoding="utf-8") as file:
    ROWS = list(csv.DictReader(file))


def totals_of(rows, region):
    totals = Counter()
    for row in rows:
        if row["region"] == region:
            totals[row["year"]] += int(row["sales"])
    return dict(sorted(totals.items()))


@app.get("/")
async def index(request: Request):
    return {"regions": sorted({row["region"] for row in ROWS}), "docs": str(request.base_url) + "docs"}


@app.get("/sales/{region}", name="sales")
async def sales(region: str):
    totals = totals_of(ROWS, region)
    if not totals:
        raise HTTPException(404, f"no sales in {region}")
    return totals


@app.post("/total")
async def total(file: UploadFile):
    text = (await file.read()).decode("utf-8")
    return {"total": sum(int(row["sales"]) for row in csv.DictReader(io.StringIO(text)))}


@app.get("/events")
async def events():
    async def stream():
        for row in ROWS:
            yield f"data: {row['region']} {row['year']}-{row['month']}: {row['sales']}\n\n"
            await asyncio.sleep(0.5)

    return StreamingResponse(stream(), media_type="text/event-stream")


@app.websocket("/live")
async def live(socket: WebSocket):
    await socket.accept()
    try:
        while True:
            await socket.send_json(totals_of(ROWS, await socket.receive_text()))
    except WebSocketDisconnect:
        pass
