
// How long a way to receive may take to open, and how long nothing may come of one that is open.
const OPENING = 4000;
const SILENCE = 70000;
// What is confirmed at once, and how long what is less may wait.
const CONFIRM_BYTES = 65536;
const CONFIRM_AFTER = 500;
// Pauses before a broken connection is opened again.
const PAUSES = [0, 1000, 2000, 3000, 5000];
// One that breaks so soon is not tried again first.
const SHORT = 3000;

const hex = (number) => number.toString(16).toUpperCase();
const toBase64 = (bytes) => btoa(Array.from(new Uint8Array(bytes), (byte) => String.fromCharCode(byte)).join(""));
const fromBase64 = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer;

// A connection that outlives what carries it: messages are numbered and kept until the other side has them, and what it
// does not have is sent again after a break. Looks like a WebSocket.
class Line {
  constructor(base, protocols, reconnect, told) {
    Object.assign(this, { base, protocols, reconnect, told, id: random(18), readyState: 0, allowReconnect: true });
    Object.assign(this, { kept: [], first: 0, sent: 0, expected: 0, confirmed: 0, bytes: 0 });
    Object.assign(this, { at: 0, tries: 0, hasOpened: false, awaitsContinue: false });
    // Whoever made it has yet to say what it is told.
    setTimeout(() => this.open(false), 0);
  }

  get isNumbered() {
    return this.reconnect > 0;
  }

  // Opens it by the next way.
  open(isBack) {
    if (this.readyState > 1) return;
    this.protocol = this.protocols[this.at];
    const name = this.isNumbered ? `/${isBack ? "o" : "n"}=${this.id}` : "";
    const base = `${this.base}__sockjs__${name}`;
    const server = String(Math.floor(Math.random() * 1000)).padStart(3, "0");
    this.address = `${base}/${server}/${random(12)}`;
    const own = {};
    this.carrier = own;
    const lost = () => own === this.carrier && this.lost(isBack);
    own.timer = setTimeout(lost, OPENING);
    const frame = (text) => own === this.carrier && this.frame(text, own, isBack);
    try {
      own.connection = transports[this.protocol](base, this.address, frame, lost);
    } catch {
      setTimeout(lost, 0);
    }
  }

  frame(text, own, isBack) {
    clearTimeout(own.timer);
    own.timer = setTimeout(() => own === this.carrier && this.lost(isBack), own.opened ? SILENCE : OPENING);
    const first = text[0];
    if (first === "o") this.opened(own, isBack);
    if (first === "a") JSON.parse(text.slice(1)).forEach((packet) => this.packet(packet));
    if (first === "c") {
      const [code, reason] = JSON.parse(text.slice(1));
      // One that is not known may be known to another server of several, to which the next try may lead.
      const mayReturn = [2010, 3000].includes(code) || (code >= 4600 && code < 4700) || (isBack && code === 4705);
      if (this.isNumbered && mayReturn) this.lost(isBack, true);
      else this.finish(code, reason);
    }
  }

  opened(own, isBack) {
    own.opened = Date.now();
    clearTimeout(own.timer);
    own.timer = setTimeout(() => own === this.carrier && this.lost(true), SILENCE);
    if (isBack) {
      this.awaitsContinue = true;
      this.post(`CONTINUE ${hex(this.expected)}`);
      this.confirmed = this.expected;
    } else {
      this.ready();
    }
  }

  ready() {
    this.carrier.isReady = true;
    this.told("open", this.protocol);
    delete this.since;
    if (!this.hasOpened) {
      this.hasOpened = true;
      this.readyState = 1;
      if (this.onopen) this.onopen({ type: "open" });
    }
    this.flush();
  }

  packet(packet) {
    if (!this.isNumbered) return this.message(packet);
    if (packet.startsWith("CONTINUE ")) {
      this.awaitsContinue = false;
      this.drop(parseInt(packet.slice(9), 16));
      this.sent = this.first;
      return this.ready();
    }
    if (packet.startsWith("ACK ")) return this.drop(parseInt(packet.slice(4), 16));
    const mark = packet.search(/[#*]/);
    const number = parseInt(packet.slice(0, mark), 16);
    if (number < this.expected) return undefined;
    // What is missing is sent again over the next connection.
    if (number > this.expected) return this.lost(true);
    this.expected += 1;
    this.bytes += packet.length;
    this.confirmSoon();
    const payload = packet.slice(mark + 1);
    return this.message(packet[mark] === "#" ? payload : fromBase64(payload));
  }

  message(data) {
    try {
      if (this.onmessage) this.onmessage({ type: "message", data });
    } catch (error) {
      // What the page does with a message is not a matter of the next one.
      setTimeout(() => { throw error; }, 0);
    }
  }

  confirmSoon() {
    if (this.bytes >= CONFIRM_BYTES) this.confirm();
    else if (!this.confirming) this.confirming = setTimeout(() => this.confirm(), CONFIRM_AFTER);
  }

  confirm() {
    clearTimeout(this.confirming);
    delete this.confirming;
    this.bytes = 0;
    if (this.expected === this.confirmed || this.awaitsContinue || !this.carrier || !this.carrier.opened) return;
    this.confirmed = this.expected;
    this.post(`ACK ${hex(this.expected)}`);
  }

  // The other side has all before this number.
  drop(number) {
    this.kept.splice(0, number - this.first);
    this.first = Math.max(this.first, number);
    this.sent = Math.max(this.sent, this.first);
  }

  send(data) {
    if (this.readyState !== 1) throw new DOMException("The connection is not open.", "InvalidStateError");
    if (!this.isNumbered) return this.post(String(data));
    this.kept.push(typeof data === "string" ? `#${data}` : `*${toBase64(data.buffer || data)}`);
    return this.flush();
  }

  flush() {
    if (!this.isNumbered || this.awaitsContinue || !this.carrier || !this.carrier.opened) return;
    while (this.sent < this.first + this.kept.length) {
      this.post(hex(this.sent) + this.kept[this.sent - this.first]);
      this.sent += 1;
    }
  }

  post(packet) {
    try {
      this.carrier.connection.send(JSON.stringify(packet));
    } catch {
      this.lost(true);
    }
  }

  // What carries it is broken, or never opened; where the server has said so, the protocol is not to blame.
  lost(isBack, isTold = false) {
    const { carrier } = this;
    if (!carrier) return;
    this.carrier = undefined;
    clearTimeout(carrier.timer);
    if (carrier.connection) carrier.connection.close();
    const { opened, isReady } = carrier;
    if (!isTold && (!opened || Date.now() - opened < SHORT)) this.at = (this.at + 1) % this.protocols.length;
    if (!this.hasOpened) {
      // Each way is tried once.
      this.tries += 1;
      if (this.tries >= this.protocols.length) this.finish(1006, "No way to the application is open.");
      else this.open(false);
      return;
    }
    if (!this.isNumbered) {
      this.finish(1006, "The connection was lost.");
      return;
    }
    if (isReady || !this.since) {
      this.since = Date.now();
      this.tries = 0;
    }
    const pause = PAUSES[Math.min(this.tries, PAUSES.length - 1)];
    this.tries += 1;
    if (Date.now() + pause - this.since > this.reconnect) {
      this.finish(1006, "The connection was lost and did not come back.");
      return;
    }
    this.told("lost");
    this.retry = setTimeout(() => this.open(true), pause);
  }

  finish(code, reason) {
    if (this.readyState === 3) return;
    const { carrier } = this;
    this.readyState = 3;
    this.carrier = undefined;
    [this.retry, this.confirming, carrier && carrier.timer].forEach(clearTimeout);
    if (carrier && carrier.connection) carrier.connection.close();
    this.told("closed");
    if (this.onclose) this.onclose({ type: "close", code, reason, wasClean: code !== 1006 });
  }

  close(code = 1000, reason = "") {
    this.leave();
    setTimeout(() => this.finish(code, reason), 0);
  }

  // The page goes away: nobody waits for it.
  leave() {
    const { carrier } = this;
    if (!this.isNumbered || !carrier || !carrier.opened) return;
    try {
      sayLast(this.protocol, this.address, carrier.connection, JSON.stringify("BYE"));
    } catch {
      // It is found out after a while.
    }
  }
}
