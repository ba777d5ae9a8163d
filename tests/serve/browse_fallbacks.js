// Visits a Shiny application with a real browser through a proxy that cuts connections.
// Arguments: scenario, address, protocol where the scenario wants one.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { createServer, connect } from "node:net";
import { launch } from "./browser.js";

const [scenario, address, protocol] = process.argv.slice(2);
const target = new URL(address);

// Passes bytes on; cuts what it is told to.
class Proxy {
  connections = new Set();
  isDown = false;
  hasWebsockets = true;

  async start() {
    this.server = createServer((visitor) => this.pass(visitor));
    await new Promise((done) => { this.server.listen(0, "127.0.0.1", done); });
    this.address = address.replace(target.host, `127.0.0.1:${this.server.address().port}`);
    return this;
  }

  pass(visitor) {
    if (this.isDown) return visitor.destroy();
    const server = connect(target.port, target.hostname);
    const both = { cut: () => [visitor, server].forEach((one) => one.destroy()) };
    this.connections.add(both);
    const over = () => {
      this.connections.delete(both);
      both.cut();
    };
    for (const [from, to] of [[visitor, server], [server, visitor]]) {
      from.on("data", (bytes) => {
        const asks = from === visitor && /^upgrade: *websocket/im.test(bytes.toString("latin1"));
        if (asks && !this.hasWebsockets) over();
        else to.write(bytes);
      });
      from.on("error", over);
      from.on("close", over);
    }
    return undefined;
  }

  cut() {
    [...this.connections].forEach((one) => one.cut());
  }

  async down(milliseconds) {
    this.isDown = true;
    this.cut();
    await new Promise((done) => { setTimeout(done, milliseconds); });
    this.isDown = false;
  }
}

const proxy = await new Proxy().start();
const browser = await launch();
const page = await browser.newPage();
const problems = [];
page.on("pageerror", (error) => problems.push(String(error)));

const text = (id, wanted) => page.waitForFunction(([id, wanted]) => document.getElementById(id)?.textContent === wanted, [id, wanted]);
const used = () => page.evaluate(() => document.documentElement.dataset.connection);
const isGrey = () => page.evaluate(() => Boolean(document.getElementById("shiny-disconnected-overlay")));
const tell = (name, value) => page.evaluate(([name, value]) => window.Shiny.setInputValue(name, value, { priority: "event" }), [name, value]);
const heard = (name) => page.evaluate((name) => window.heard[name], name);

async function works() {
  await page.goto(proxy.address);
  await text("count", "Count: 0");
  await page.getByRole("button", { name: "More" }).click();
  await text("count", "Count: 1");
  await page.getByLabel("Name").fill("ä </script> 100% \u{1f600}");
  await text("greeting", "Hello, ä </script> 100% \u{1f600}");
}

const scenarios = {
  // The protocol that is left is used.
  async forced() {
    await works();
    assert.equal(await used(), protocol);
    assert.equal(await isGrey(), false);
  },

  // Where WebSockets are cut, the next is used, at the same process.
  async killed() {
    proxy.hasWebsockets = false;
    await works();
    assert.equal(await used(), "xhr-streaming");
  },

  // And where they are cut later, what the session knows is kept.
  async killed_later() {
    await works();
    assert.equal(await used(), "websocket");
    proxy.hasWebsockets = false;
    proxy.cut();
    await page.getByRole("button", { name: "More" }).click();
    await text("count", "Count: 2");
    assert.equal(await used(), "xhr-streaming");
    assert.equal(await isGrey(), false);
  },

  // A connection that drops and comes back loses nothing and doubles nothing.
  async drops() {
    await works();
    assert.equal(await used(), protocol);
    await tell("ticks", 1);
    const said = [];
    const say = async () => {
      said.push(`said ${said.length}`);
      await tell("said", said.at(-1));
    };
    for (const pause of [0, 300, 1500, 0, 50, 0]) {
      for (let count = 0; count < 5; count += 1) await say();
      const down = proxy.down(pause);
      for (let count = 0; count < 5; count += 1) await say();
      await down;
      await page.waitForTimeout(200 + Math.random() * 1500);
    }
    await page.waitForFunction((last) => window.heard.echo.at(-1) === last, said.at(-1));
    assert.deepEqual(await heard("echo"), said);
    const ticks = await heard("tick");
    assert.ok(ticks.length > 100, `${ticks.length} ticks`);
    assert.deepEqual(ticks, ticks.map((_, number) => number));
    await text("count", "Count: 1");
    await page.getByRole("button", { name: "More" }).click();
    await text("count", "Count: 2");
    assert.equal(await isGrey(), false);
  },

  // One that stays away is over, and the visitor sees it.
  async stays_away() {
    await works();
    proxy.isDown = true;
    proxy.cut();
    await page.getByRole("status").waitFor();
    await page.locator("#shiny-disconnected-overlay").waitFor();
    assert.equal(await page.getByRole("status").count(), 0);
  },

  // Without time to come back a break is the end at once.
  async no_return() {
    await works();
    proxy.cut();
    await page.locator("#shiny-disconnected-overlay").waitFor();
  },

  // The visitor chooses, and the choice counts from the next page on.
  async chosen() {
    await works();
    await page.keyboard.press("Control+Alt+Shift+A");
    const dialog = page.getByRole("dialog", { name: "Connection" });
    for (const box of await dialog.getByRole("checkbox").all()) await box.setChecked((await box.inputValue()) === protocol);
    await dialog.getByRole("button", { name: "Save" }).click();
    await dialog.waitFor({ state: "detached" });
    await works();
    assert.equal(await used(), protocol);
    assert.equal(await page.evaluate(() => localStorage.getItem("shiny.whitelist")), JSON.stringify([protocol]));
  },

  // The library `sockjs-client` in a page, by each way that it has there.
  async library() {
    await works();
    const path = createRequire(import.meta.url).resolve("sockjs-client/dist/sockjs.min.js");
    await page.addScriptTag({ path });
    for (const transport of ["websocket", "xhr-streaming", "eventsource", "htmlfile", "iframe-eventsource", "iframe-htmlfile",
                             "xhr-polling", "iframe-xhr-polling", "jsonp-polling"]) {
      const heard = await page.evaluate(([base, transport]) => new Promise((resolve, reject) => {
        const socket = new window.SockJS(base, null, { transports: [transport], timeout: 20_000 });
        const heard = [];
        const tell = (method, data) => socket.send(JSON.stringify({ method, data }));
        socket.onopen = () => tell("init", {});
        socket.onclose = (event) => reject(new Error(`${transport}: ${event.code} ${event.reason}`));
        socket.onmessage = ({ data }) => {
          const { config, custom } = JSON.parse(data);
          if (config) for (let number = 0; number < 10; number += 1) tell("update", { said: `${number} ä\u2028%</script>` });
          if (!custom) return;
          heard.push(custom.echo);
          if (heard.length === 10) tell("update", { many: 200 });
          if (heard.length === 210) {
            socket.onclose = () => resolve(heard);
            socket.close();
          }
        };
      }), [`${proxy.address}__sockjs__`, transport]);
      assert.deepEqual(heard.slice(0, 10), Array.from({ length: 10 }, (_, number) => `${number} ä\u2028%</script>`));
      heard.slice(10).forEach((text, number) => assert.equal(parseInt(text, 10), number + 1));
      console.log("ok", transport);
    }
  },
};

try {
  await scenarios[scenario]();
  assert.deepEqual(problems, []);
  console.log("ok", scenario);
} catch (error) {
  console.log(problems, await page.evaluate(() => document.body?.innerText).catch(() => ""));
  throw error;
} finally {
  await browser.close();
}
process.exit(0);
