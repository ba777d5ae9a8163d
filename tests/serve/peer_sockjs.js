// Speaks with a Shiny application through the library `sockjs-client`, by each way that it has outside browsers.
// Argument: address of the application.
import assert from "node:assert/strict";
import SockJS from "sockjs-client";

const base = `${process.argv[2]}__sockjs__`;
const ODD = "ä \u2028\u200d\ufeff 100% </script> \\ \" 😀";

function visit(transport) {
  return new Promise((resolve, reject) => {
    const socket = new SockJS(base, null, { transports: [transport], timeout: 20_000 });
    const limit = setTimeout(() => reject(new Error(`${transport} takes too long`)), 60_000);
    const tell = (method, data) => socket.send(JSON.stringify({ method, data }));
    const said = Array.from({ length: 30 }, (_, number) => `${number} ${ODD}`);
    const heard = [];
    socket.onopen = () => tell("init", {});
    socket.onmessage = ({ data }) => {
      const { config, custom } = JSON.parse(data);
      if (config) said.forEach((text) => tell("update", { said: text }));
      if (!custom) return;
      heard.push(custom.echo);
      // More than one answer of a stream holds.
      if (heard.length === said.length) tell("update", { many: 300 });
      if (heard.length === said.length + 300) {
        assert.deepEqual(heard.slice(0, said.length), said);
        heard.slice(said.length).forEach((text, number) => assert.equal(parseInt(text, 10), number + 1));
        assert.equal(socket.transport, transport);
        socket.onclose = () => {
          clearTimeout(limit);
          resolve();
        };
        socket.close();
      }
    };
    socket.onclose = (event) => reject(new Error(`${transport} was closed: ${event.code} ${event.reason}`));
  });
}

for (const transport of ["websocket", "xhr-streaming", "eventsource", "xhr-polling"]) {
  await visit(transport);
  console.log("ok", transport);
}
process.exit(0);
