// The page's side of SockJS: seven ways to receive, each with a way to send. Frames in it carry `eventsource`, `htmlfile`
// and `xhr-polling` for the page around them; they speak with it as frames of other clients of this protocol do.
(() => {
"use strict";

const script = document.currentScript;
// A new name for whatever is asked for by name.
const random = (length) => {
  const letters = "abcdefghijklmnopqrstuvwxyz0123456789";
  return Array.from(crypto.getRandomValues(new Uint8Array(length)), (byte) => letters[byte % 36]).join("");
};
// Sessions that were begun here are marked, so that another server does not take them for new ones. Each request has a mark of
// its own too: a browser that sends one twice, as they do after a break, may have lost the first answer.
const marked = (address, isKnown, query = "") => {
  const parts = [query, isKnown && "known", `m=${random(8)}`].filter(Boolean);
  return `${address}?${parts.join("&")}`;
};

// A frame may be asked for something before the rest of its page is there.
const place = () => document.body || document.documentElement;

// Sends quoted messages in their order, one request at a time.
class Sender {
  constructor(post, failed) {
    this.post = post;
    this.failed = failed;
    this.waiting = [];
    this.isBusy = false;
  }

  send(quoted) {
    this.waiting.push(quoted);
    if (!this.isBusy) this.next();
  }

  async next() {
    this.isBusy = true;
    while (this.waiting.length > 0) {
      const body = `[${this.waiting.join(",")}]`;
      this.waiting = [];
      try {
        await this.post(body);
      } catch {
        this.failed();
        return;
      }
    }
    this.isBusy = false;
  }
}

const xhrPost = (address) => async (body) => {
  const headers = { "Content-Type": "text/plain; charset=UTF-8" };
  const answer = await fetch(marked(`${address}/xhr_send`, true), { method: "POST", body, headers });
  if (!answer.ok) throw new Error(answer.statusText);
};

// A form in a frame of its own, for pages that can send nothing else.
const formPost = (address) => (body) => new Promise((resolve, reject) => {
  const frame = document.createElement("iframe");
  const form = document.createElement("form");
  const field = document.createElement("textarea");
  frame.name = `offhost-${random(8)}`;
  frame.hidden = form.hidden = true;
  Object.assign(form, { method: "POST", action: marked(`${address}/jsonp_send`, true), target: frame.name });
  form.acceptCharset = "UTF-8";
  Object.assign(field, { name: "d", value: body });
  form.append(field);
  document.body.append(frame, form);
  const timer = setTimeout(() => done(false), 20000);
  const done = (isSent) => {
    clearTimeout(timer);
    form.remove();
    setTimeout(() => frame.remove(), 0);
    if (isSent) resolve();
    else reject(new Error("not sent"));
  };
  form.submit();
  // The first that is loaded may be the empty frame itself.
  frame.onload = () => {
    let said;
    try {
      if (frame.contentWindow.location.href !== "about:blank") said = frame.contentDocument.body.textContent;
    } catch {
      // The page of an error is of no origin.
      said = "";
    }
    if (said !== undefined) done(said.trim() === "ok");
  };
});

// Each way to receive takes an address, a query of whether the session is known, and what is told of frames; it tells whether
// its answer ended as it should, and gives a function that ends it.
const receivers = {
  xhr(address, isKnown, frame, ended, name = "xhr") {
    const request = new XMLHttpRequest();
    let at = 0;
    const read = () => {
      let end;
      while ((end = request.responseText.indexOf("\n", at)) >= 0) {
        const line = request.responseText.slice(at, end);
        at = end + 1;
        frame(line);
      }
    };
    request.open("POST", marked(`${address}/${name}`, isKnown));
    request.onprogress = () => request.status === 200 && read();
    request.onload = () => {
      if (request.status === 200) read();
      ended(request.status === 200);
    };
    request.onerror = () => ended(false);
    request.send();
    return () => {
      request.onprogress = request.onload = request.onerror = null;
      request.abort();
    };
  },

  streaming(address, isKnown, frame, ended) {
    return receivers.xhr(address, isKnown, frame, ended, "xhr_streaming");
  },

  eventsource(address, isKnown, frame, ended) {
    const source = new EventSource(marked(`${address}/eventsource`, isKnown));
    let count = 0;
    source.onmessage = (event) => {
      count += 1;
      frame(decodeURI(event.data));
    };
    source.onerror = () => {
      source.close();
      ended(count > 0);
    };
    return () => source.close();
  },

  htmlfile(address, isKnown, frame, ended) {
    const name = `_offhost${random(8)}`;
    const element = document.createElement("iframe");
    let count = 0;
    const end = () => {
      window[name] = { start() {}, message() {}, stop() {} };
      element.onload = element.onerror = null;
      setTimeout(() => {
        element.remove();
        delete window[name];
      }, 0);
    };
    const over = () => {
      end();
      ended(count > 0);
    };
    window[name] = {
      start() {},
      stop() { over(); },
      message(text) {
        count += 1;
        frame(text);
      },
    };
    element.hidden = true;
    element.onload = element.onerror = over;
    element.src = marked(`${address}/htmlfile`, isKnown, `c=${name}`);
    place().append(element);
    return end;
  },

  jsonp(address, isKnown, frame, ended) {
    const name = `_offhost${random(8)}`;
    const element = document.createElement("script");
    let has = false;
    const end = () => {
      window[name] = () => {};
      element.onload = element.onerror = null;
      element.remove();
    };
    window[name] = (text) => {
      has = true;
      frame(text);
    };
    element.onload = () => {
      delete window[name];
      element.remove();
      ended(has);
    };
    element.onerror = () => {
      end();
      ended(false);
    };
    element.src = marked(`${address}/jsonp`, isKnown, `c=${name}`);
    document.head.append(element);
    return end;
  },
};

// Receives again and again.
class Requests {
  constructor(address, receive, post, frame, lost) {
    this.sender = new Sender(post(address), lost);
    this.end = () => {};
    let isKnown = false;
    let isOver = false;
    const one = (text) => {
      if (isOver || /^h*$/.test(text)) return frame("h");
      // What opens once more is another session under the same name.
      if (text === "o" && isKnown) return over();
      isKnown = true;
      frame(text);
      return undefined;
    };
    const over = () => {
      if (isOver) return;
      this.close();
      lost();
    };
    const next = () => {
      this.end = receive(address, isKnown, one, (isWhole) => {
        if (isOver) return;
        if (isWhole) next();
        else over();
      });
    };
    this.close = () => {
      isOver = true;
      this.end();
    };
    next();
  }

  send(quoted) {
    this.sender.send(quoted);
  }
}

class Socket {
  constructor(address, frame, lost) {
    this.socket = new WebSocket(`${address.replace(/^http/, "ws")}/websocket`);
    this.socket.onmessage = (event) => frame(event.data);
    this.socket.onclose = this.socket.onerror = () => {
      this.close();
      lost();
    };
  }

  send(quoted) {
    this.socket.send(`[${quoted}]`);
  }

  close() {
    this.socket.onmessage = this.socket.onclose = this.socket.onerror = null;
    this.socket.close();
  }
}

// A frame that receives and sends for this page.
class Framed {
  constructor(address, name, base, frame, lost) {
    const id = random(8);
    this.frame = document.createElement("iframe");
    this.tell = (type, data) => {
      const { contentWindow } = this.frame;
      if (contentWindow) contentWindow.postMessage(JSON.stringify({ windowId: id, type, data }), location.origin);
    };
    this.heard = (event) => {
      if (event.source !== this.frame.contentWindow || event.origin !== location.origin) return;
      const told = JSON.parse(event.data);
      if (told.windowId !== id) return;
      this.hasSpoken = true;
      clearTimeout(this.timer);
      if (told.type === "s") this.tell("s", JSON.stringify(["offhost", name, address, base]));
      if (told.type === "t") frame(told.data);
      if (told.type === "c") {
        this.close();
        lost();
      }
    };
    addEventListener("message", this.heard);
    this.frame.hidden = true;
    this.frame.src = `${base}/iframe.html#${id}`;
    // It speaks as soon as it runs, unless another page is there in its place.
    this.frame.onload = () => {
      this.frame.onload = null;
      if (!this.hasSpoken) this.timer = setTimeout(lost, 500);
    };
    document.body.append(this.frame);
  }

  send(quoted) {
    this.tell("m", quoted);
  }

  close() {
    removeEventListener("message", this.heard);
    clearTimeout(this.timer);
    this.tell("c");
    setTimeout(() => this.frame.remove(), 0);
  }
}

// By the names that settings use, in the order in which they are tried.
const transports = {
  websocket: (base, address, frame, lost) => new Socket(address, frame, lost),
  "xhr-streaming": (base, address, frame, lost) => new Requests(address, receivers.streaming, xhrPost, frame, lost),
  "iframe-eventsource": (base, address, frame, lost) => new Framed(address, "eventsource", base, frame, lost),
  "iframe-htmlfile": (base, address, frame, lost) => new Framed(address, "htmlfile", base, frame, lost),
  "xhr-polling": (base, address, frame, lost) => new Requests(address, receivers.xhr, xhrPost, frame, lost),
  "iframe-xhr-polling": (base, address, frame, lost) => new Framed(address, "xhr-polling", base, frame, lost),
  "jsonp-polling": (base, address, frame, lost) => new Requests(address, receivers.jsonp, formPost, frame, lost),
};

// Says something while the page goes away: requests that have begun are cut off then.
const sayLast = (protocol, address, connection, quoted) => {
  if (protocol === "websocket") connection.send(quoted);
  else {
    const name = protocol === "jsonp-polling" ? "jsonp_send" : "xhr_send";
    navigator.sendBeacon(marked(`${address}/${name}`, true), `[${quoted}]`);
  }
};

// This page is such a frame: it does what the page around it asks.
const serveAsFrame = () => {
  const windowId = location.hash.slice(1);
  const names = { eventsource: receivers.eventsource, htmlfile: receivers.htmlfile, "xhr-polling": receivers.xhr };
  const tell = (type, data = "") => parent.postMessage(JSON.stringify({ windowId, type, data }), location.origin);
  let requests;
  const isOwn = (address) => new URL(address, location.href).origin === location.origin;
  addEventListener("message", (event) => {
    if (event.source !== parent || event.origin !== location.origin) return;
    const told = JSON.parse(event.data);
    if (told.windowId !== windowId) return;
    if (told.type === "s" && !requests) {
      const [, name, address] = JSON.parse(told.data);
      if (!names[name] || !isOwn(address)) return;
      const lost = () => tell("c", JSON.stringify([1006, "Connection lost"]));
      requests = new Requests(address, names[name], xhrPost, (text) => tell("t", text), lost);
    }
    if (told.type === "m" && requests) requests.send(told.data);
    if (told.type === "c" && requests) requests.close();
  });
  tell("s");
};
