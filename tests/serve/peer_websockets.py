"""Speaks WebSocket through the server with the library `websockets`. Arguments: address of the echo application."""

import asyncio
import json
import sys
import urllib.request

import websockets
from websockets.exceptions import ConnectionClosed, InvalidStatus

HTTP = sys.argv[1].rstrip("/")
ADDRESS = HTTP.replace("http://", "ws://") + "/socket"


async def echoes():
    async with websockets.connect(ADDRESS, max_size=None) as socket:
        for message in ["", "grüße", "x" * 70_000, b"", bytes(range(256)) * 40_000]:
            await socket.send(message)
            assert await socket.recv() == message, len(message)


async def fragments():
    async with websockets.connect(ADDRESS) as socket:
        await socket.send(iter(["one, ", "two, ", "three"]))
        assert await socket.recv() == "one, two, three"
        await socket.send(iter([b"\0" * 3, b"\1" * 70_000]))
        assert await socket.recv() == b"\0" * 3 + b"\1" * 70_000


async def pings():
    async with websockets.connect(ADDRESS, ping_interval=None) as socket:
        waiter = await socket.ping(b"are you there")
        await asyncio.wait_for(waiter, 5)


async def subprotocol():
    async with websockets.connect(ADDRESS, subprotocols=["one", "two"]) as socket:
        assert socket.subprotocol == "two", socket.subprotocol


async def closed_by_the_application():
    async with websockets.connect(ADDRESS) as socket:
        await socket.send("close 4321 enough of it")
        try:
            await socket.recv()
        except ConnectionClosed as closed:
            assert (closed.rcvd.code, closed.rcvd.reason) == (4321, "enough of it"), closed
        else:
            raise AssertionError("it is not closed")


async def closed_by_the_visitor():
    async with websockets.connect(ADDRESS) as socket:
        await socket.send("one")
        await socket.recv()
        await socket.close(4001, "bye")
    await told(4001)


async def broken_off():
    async with websockets.connect(ADDRESS) as socket:
        await socket.send("one")
        await socket.recv()
        socket.transport.abort()
    await told(1006, 1005)


async def told(*codes):
    """Waits until the application has been told one of these codes."""
    last = None
    for _ in range(50):
        with urllib.request.urlopen(f"{HTTP}/closed", timeout=10) as answer:
            last = json.load(answer)
        if last and last[-1] in codes:
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"{last} does not end in one of {codes}")


async def foreign_origin():
    try:
        async with websockets.connect(ADDRESS, origin="https://elsewhere.example"):
            raise AssertionError("a foreign page was let in")
    except InvalidStatus as refused:
        assert refused.response.status_code == 403, refused


async def compression():
    async with websockets.connect(ADDRESS, compression="deflate") as socket:
        await socket.send("again and " * 10_000)
        assert await socket.recv() == "again and " * 10_000


async def many():
    async def one(number):
        async with websockets.connect(ADDRESS, open_timeout=30) as socket:
            await socket.send(str(number))
            assert await socket.recv() == str(number)

    await asyncio.gather(*(one(number) for number in range(15)))


for test in (echoes, fragments, pings, subprotocol, closed_by_the_application, closed_by_the_visitor, broken_off,
             foreign_origin, compression, many):
    asyncio.run(asyncio.wait_for(test(), 60))
    print("ok", test.__name__, flush=True)
