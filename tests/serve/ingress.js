// Stands for an Ingress controller: ends TLS, overwrites what visitors say of the way, passes each request on to the next of
// those behind it.
// Arguments: port; HOST:PORT of each that is behind it, with commas; directory with one.crt and one.key, or nothing for http.
import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import net from "node:net";

const [port, behind, keys] = process.argv.slice(2);
const all = behind.split(",").map((place) => ({ host: place.split(":")[0], port: Number(place.split(":")[1]) }));
let turn = 0;

function next() {
  return all[turn++ % all.length];
}

function way(request) {
  return {
    "x-forwarded-for": request.socket.remoteAddress,
    "x-forwarded-host": request.headers.host,
    "x-forwarded-proto": keys ? "https" : "http",
  };
}

// The visitor's fields as they were sent, twice where they were, without those of the way.
function fields(request) {
  const own = way(request);
  const kept = [];
  for (let at = 0; at < request.rawHeaders.length; at += 2) {
    if (!(request.rawHeaders[at].toLowerCase() in own)) kept.push(request.rawHeaders[at], request.rawHeaders[at + 1]);
  }
  return [...kept, ...Object.entries(own).flat()];
}

function pass(request, response) {
  const { method, url: path } = request;
  const passed = http.request({ ...next(), method, path, headers: fields(request) }, (answer) => {
    response.writeHead(answer.statusCode, answer.rawHeaders);
    answer.pipe(response);
  });
  passed.on("error", () => response.destroy());
  // Who goes away in the middle of an answer is gone behind it too.
  response.on("close", () => passed.destroy());
  request.pipe(passed);
}

function tls() {
  return { key: readFileSync(`${keys}/one.key`), cert: readFileSync(`${keys}/one.crt`) };
}

const server = keys ? https.createServer(tls(), pass) : http.createServer(pass);
server.on("upgrade", (request, socket, first) => {
  const passed = net.connect(next(), () => {
    const said = fields(request);
    const lines = [`${request.method} ${request.url} HTTP/1.1`];
    for (let at = 0; at < said.length; at += 2) lines.push(`${said[at]}: ${said[at + 1]}`);
    passed.write(`${lines.join("\r\n")}\r\n\r\n`);
    passed.write(first);
    socket.pipe(passed).pipe(socket);
  });
  for (const end of [passed, socket]) end.on("error", () => (passed.destroy(), socket.destroy()));
});
server.listen(Number(port), "127.0.0.1", () => console.log(server.address().port));
