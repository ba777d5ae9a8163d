// Speaks WebSocket through the server with the library `ws`. Arguments: address of the echo application.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import WebSocket from "ws";

const address = `${process.argv[2].replace(/\/$/, "").replace("http:", "ws:")}/socket`;

async function open(protocols, options) {
  const socket = new WebSocket(address, protocols, options);
  await once(socket, "open");
  return socket;
}

async function exchange(socket, message, options) {
  const answer = once(socket, "message");
  socket.send(message, options);
  const [data, isBinary] = await answer;
  return isBinary ? data : data.toString();
}

const tests = {
  async echoes() {
    const socket = await open();
    for (const text of ["", "ä".repeat(200), "y".repeat(100_000)]) assert.equal(await exchange(socket, text), text);
    const bytes = randomBytes(4_000_000);
    assert.deepEqual(await exchange(socket, bytes), bytes);
    socket.terminate();
  },
  async fragments() {
    const socket = await open();
    const answer = once(socket, "message");
    for (const part of ["a", "b", "c"]) socket.send(part, { fin: part === "c" });
    assert.equal((await answer)[0].toString(), "abc");
    socket.terminate();
  },
  async pings() {
    const socket = await open();
    socket.ping("hello");
    assert.equal((await once(socket, "pong"))[0].toString(), "hello");
    socket.terminate();
  },
  async closes() {
    const socket = await open(["first", "second"]);
    assert.equal(socket.protocol, "second");
    socket.send("close 4444 that is all");
    const [code, reason] = await once(socket, "close");
    assert.deepEqual([code, reason.toString()], [4444, "that is all"]);
  },
  async backpressure() {
    const socket = await open();
    const part = Buffer.alloc(1_000_000, 7);
    let received = 0;
    const all = new Promise((done) => socket.on("message", (data) => (received += data.length) === 60_000_000 && done()));
    for (let n = 0; n < 60; n += 1) socket.send(part);
    await all;
    socket.terminate();
  },
};

for (const [name, test] of Object.entries(tests)) {
  const limit = setTimeout(() => { throw new Error(`${name} takes too long`); }, 60_000);
  await test();
  clearTimeout(limit);
  console.log("ok", name);
}
process.exit(0);
