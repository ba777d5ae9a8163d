"""An ASGI application without any framework, which does what the other side asks for."""

import asyncio
import hashlib
import json
from urllib.parse import parse_qs

CLOSED = []


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
    elif scope["type"] == "websocket":
        await websocket(scope, receive, send)
    else:
        await PATHS.get(path_of(scope), missing)(scope, receive, send)


def path_of(scope):
    """The path below the application's own, whichever way the server hands the prefix over."""
    path, root = scope["path"], scope.get("root_path", "")
    return path[len(root):] if root and path.startswith(root + "/") else path


async def lifespan(receive, send):
    while True:
        kind = (await receive())["type"]
        await send({"type": f"{kind}.complete"})
        if kind == "lifespan.shutdown":
            return


async def websocket(scope, receive, send):
    await receive()
    offered = scope["subprotocols"]
    await send({"type": "websocket.accept", "subprotocol": offered[-1] if offered else None})
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            CLOSED.append(message["code"])
            return
        text = message.get("text")
        if text and text.startswith("close "):
            _, code, reason = text.split(" ", 2)
            await send({"type": "websocket.close", "code": int(code), "reason": reason})
            return
        if text == "headers":
            await send({"type": "websocket.send", "text": json.dumps(pairs(scope))})
        elif text is not None:
            await send({"type": "websocket.send", "text": text})
        else:
            await send({"type": "websocket.send", "bytes": message["bytes"]})


async def answer(send, body, kind="application/json", status=200):
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def index(scope, receive, send):
    await answer(send, b"<!doctype html><title>Echo</title><p>echo", "text/html")


async def closed(scope, receive, send):
    await answer(send, CLOSED)


def pairs(scope):
    return [[name.decode("latin-1"), value.decode("latin-1")] for name, value in scope["headers"]]


async def heads(scope, receive, send):
    await answer(send, pairs(scope))


async def count(scope, receive, send):
    """Length and digest of what was sent, in constant memory."""
    size, digest, more = 0, hashlib.sha256(), True
    while more:
        message = await receive()
        chunk = message.get("body", b"")
        size, more = size + len(chunk), message.get("more_body", False)
        digest.update(chunk)
    await answer(send, {"bytes": size, "sha256": digest.hexdigest()})


async def big(scope, receive, send):
    """As many bytes as asked for, the same every time."""
    left = int(parse_qs(scope["query_string"].decode())["bytes"][0])
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/octet-stream")]})
    chunk = bytes(range(256)) * 256
    while left:
        part = chunk[:left]
        left -= len(part)
        await send({"type": "http.response.body", "body": part, "more_body": bool(left)})


async def events(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
    for number in range(5):
        await send({"type": "http.response.body", "body": f"data: {number}\n\n".encode(), "more_body": True})
        await asyncio.sleep(0.2)
    await send({"type": "http.response.body", "body": b""})


async def missing(scope, receive, send):
    await answer(send, {"missing": path_of(scope)}, status=404)


PATHS = {"/": index, "/closed": closed, "/headers": heads, "/count": count, "/big": big, "/events": events}
