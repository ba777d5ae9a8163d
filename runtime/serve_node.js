// Preloaded into a Node.js application, which is otherwise started as its publisher starts it:
//   OFFHOST_LISTEN=fd:3|unix:PATH|tcp:PORT OFFHOST_READY_FILE=FILE node --require serve_node.js ENTRYPOINT
// The first server that begins to listen gets the place that the variable names, whatever it asked for, and the ready
// file is made when it has it. The variables are taken away, so that no child and no thread of the application does the
// same. Node.js 14 or later, nothing but its own modules.

'use strict';

const cluster = require('cluster');
const fs = require('fs');
const http = require('http');
const https = require('https');
const net = require('net');

// How long requests that are being answered may take after SIGTERM, in milliseconds.
const GRACE = 8000;

const place = process.env.OFFHOST_LISTEN;
const readyFile = process.env.OFFHOST_READY_FILE;
for (const name of Object.keys(process.env)) {
  if (name.startsWith('OFFHOST_')) delete process.env[name];
}

const listen = net.Server.prototype.listen;
const address = net.Server.prototype.address;

// A socket of the file system has no port, and many applications print theirs without looking.
net.Server.prototype.address = function () {
  const found = address.call(this);
  if (found !== null || !this.listening) return found;
  return { address: '127.0.0.1', family: 'IPv4', port: Number(process.env.PORT) || 0 };
};

if (place) serve(readPlace(place));

function readPlace(text) {
  const at = text.indexOf(':');
  const [kind, value] = [text.slice(0, at), text.slice(at + 1)];
  if (kind === 'fd' && /^\d+$/.test(value)) return { fd: Number(value) };
  if (kind === 'unix' && value.startsWith('/')) return { path: value };
  if (kind === 'tcp' && /^\d+$/.test(value)) return { port: Number(value), host: '0.0.0.0' };
  process.stderr.write(`Error: OFFHOST_LISTEN is '${text}', which is neither fd:N nor unix:PATH nor tcp:PORT.\n`);
  process.exit(1);
}

function serve(where) {
  // Applications that read these find something that can be; what they ask for does not matter.
  if (!process.env.PORT) process.env.PORT = '8000';
  if (!process.env.HOST) process.env.HOST = '127.0.0.1';
  let served = null;
  net.Server.prototype.listen = function (...args) {
    if (served !== null || !isApplication(this, args)) return listen.apply(this, args);
    served = this;
    // What is made in place of an older one would fail on the file that it left.
    if (where.path && fs.existsSync(where.path)) fs.unlinkSync(where.path);
    const options = args[0] !== null && typeof args[0] === 'object' ? args[0] : {};
    const callback = args[args.length - 1];
    this.once('listening', () => begin(this));
    return listen.call(
      this,
      Object.assign({}, where, options.signal ? { signal: options.signal } : {}),
      typeof callback === 'function' ? callback : undefined
    );
  };
}

// Whether this is the server that visitors come for: one that speaks HTTP; that of a cluster's workers; or one that asks
// for PORT and takes connections, which those that only try whether a port is free do not.
function isApplication(server, args) {
  if (server instanceof http.Server || server instanceof https.Server) return true;
  // The classes of HTTP/2 are not exported.
  if (/^Http2(Secure)?Server$/.test(server.constructor.name) || hasWorkers()) return true;
  const first = args[0] !== null && typeof args[0] === 'object' ? args[0].port : args[0];
  return String(first) === process.env.PORT && server.listenerCount('connection') > 0;
}

function hasWorkers() {
  return Object.keys(cluster.workers || {}).length > 0;
}

function begin(server) {
  const requests = countRequests(server);
  let ending = false;
  process.on('SIGTERM', () => {
    // An application with a handler of its own says itself how it ends.
    if (ending || process.listenerCount('SIGTERM') > 1) return;
    ending = true;
    const end = () => process.exit(0);
    if (hasWorkers()) cluster.disconnect(end);
    else server.close(end);
    requests.whenNone(end);
    setTimeout(end, GRACE);
  });
  if (!readyFile) return;
  try {
    fs.writeFileSync(readyFile, '');
  } catch (error) {
    process.stderr.write(`warning: the file that says that this process is ready could not be made: ${error.message}\n`);
  }
}

// Counts the requests that are being answered. Open WebSockets are none: nothing says when they would end.
function countRequests(server) {
  let open = 0;
  let done = () => {};
  const counted = server instanceof http.Server || server instanceof https.Server;
  if (counted) {
    server.on('request', (_request, response) => {
      open += 1;
      response.once('close', () => {
        open -= 1;
        if (open === 0) setImmediate(done);
      });
    });
  }
  return {
    whenNone(callback) {
      if (!counted) return;
      if (open === 0) callback();
      else done = callback;
    },
  };
}
