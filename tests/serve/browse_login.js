// Logs in at dex through oauth2-proxy with a real browser, sees an application, tries to be somebody else, logs out.
// Arguments: the server's address, the address of dex.
import assert from "node:assert/strict";
import https from "node:https";
import { launch } from "./browser.js";

const [address, dex] = process.argv.slice(2);
const asked = `${address}/content/echo/headers?region=east&x=%2F`;
const ANN = { user: "ann@example.org", groups: ["sales", "staff"] };
const browser = await launch({ ignoreHTTPSErrors: true });
const page = browser.pages()[0] ?? (await browser.newPage());

function said(headers, name) {
  return headers.filter(([own]) => own === name).map(([, value]) => value);
}

// What the application was told: who it is, and nothing of how it is known.
function isAnn(headers) {
  const [credentials, ...more] = said(headers, "rstudio-connect-credentials");
  assert.deepEqual(JSON.parse(credentials), ANN);
  assert.deepEqual(more, []);
  assert.deepEqual(said(headers, "x-forwarded-proto"), ["https"]);
  for (const [name, value] of headers) {
    assert.doesNotMatch(name, /email|forwarded.groups|forwarded.user|preferred|authorization|auth.request/);
    if (name !== "rstudio-connect-credentials") assert.doesNotMatch(value, /ann@|mallory|wheel/);
    if (name === "cookie") assert.doesNotMatch(value, /offhost|oauth2|proxy/);
  }
}

async function type(user, password) {
  await page.waitForURL((url) => url.href.startsWith(dex));
  await page.locator("#login").fill(user);
  await page.locator("#password").fill(password);
  await page.locator("#submit-login").click();
}

// Logs in, and allows dex to say who it is.
async function logIn(user) {
  await type(user, "password");
  await page.getByRole("button", { name: "Grant Access" }).click();
  await page.waitForURL(asked);
}

// A request that no browser would send.
async function forged(path, headers) {
  const cookies = (await browser.cookies(address)).map(({ name, value }) => `${name}=${value}`);
  const options = { rejectUnauthorized: false, headers: [...headers.flat(), "Host", new URL(address).host, "Cookie", cookies.join("; ")] };
  return new Promise((resolve, reject) => {
    https.get(`${address}${path}`, options, async (answer) => {
      const parts = await answer.toArray();
      resolve({ status: answer.statusCode, body: Buffer.concat(parts).toString() });
    }).on("error", reject);
  });
}

function socket(path) {
  return page.evaluate((address) => new Promise((resolve, reject) => {
    const socket = new WebSocket(address);
    socket.onopen = () => socket.send("headers");
    socket.onmessage = (message) => (resolve(message.data), socket.close());
    socket.onclose = () => reject(new Error("closed"));
  }), `${address.replace("https", "wss")}${path}`);
}

try {
  await page.goto(asked);
  await type("ann@example.org", "wrong");
  await page.locator("#login-error").waitFor();
  await logIn("ann@example.org");
  isAnn(JSON.parse(await page.locator("body").innerText()));
  console.log("ok logged in");

  const cookies = await browser.cookies(address);
  const own = cookies.filter(({ name }) => name.startsWith("__Host-offhost"));
  assert.ok(own.length > 0 && own.every((cookie) => cookie.httpOnly && cookie.secure && cookie.sameSite === "Lax"), JSON.stringify(cookies));
  console.log("ok cookie");

  isAnn(JSON.parse(await socket("/content/echo/ws")));
  console.log("ok WebSocket");

  for (const name of ["X-Forwarded-Email", "x_forwarded_email", "X-Forwarded_Email"]) {
    const fields = [[name, "mallory@example.org"], ["X-Forwarded-Groups", "wheel"], ["X_Forwarded_Groups", "wheel"]];
    for (const headers of [fields, [...fields, ...fields], [...fields, ["RStudio-Connect-Credentials", '{"user":"mallory"}']]]) {
      const answer = await forged("/content/echo/headers", headers);
      assert.equal(answer.status, 200, answer.body);
      isAnn(JSON.parse(answer.body));
    }
  }
  // Who lets the proxy lose the name is nobody, not somebody else.
  const lost = await forged("/content/echo/headers", [["Connection", "X-Forwarded-Email"], ["X-Forwarded-Email", "mallory@example.org"]]);
  if (lost.status === 200) isAnn(JSON.parse(lost.body));
  else assert.equal(lost.status, 401, lost.body);
  console.log("ok nobody else");

  assert.equal((await page.goto(`${address}/content/sales/`)).status(), 200);
  assert.equal((await page.goto(`${address}/content/bobs/`)).status(), 403);
  console.log("ok access");

  await page.goto(`${address}/oauth2/sign_out?rd=https%3A%2F%2Fevil.example%2F`);
  assert.ok(!page.url().includes("evil.example"), page.url());
  assert.deepEqual((await browser.cookies(address)).filter(({ name }) => /^__Host-offhost-login(_\d+)?$/.test(name)), []);
  await page.goto(asked);
  await logIn("bob@example.org");
  const [credentials] = said(JSON.parse(await page.locator("body").innerText()), "rstudio-connect-credentials");
  assert.deepEqual(JSON.parse(credentials), { user: "bob@example.org", groups: [] });
  console.log("ok logged out");
} catch (error) {
  console.log(page.url(), await page.locator("body").innerText());
  throw error;
} finally {
  await browser.close();
}
