// Visits an application with a real browser: sees what the server computed, asks for something else, sees that.
// Arguments: scenario (the kind of application, or `tabs`), address.
import assert from "node:assert/strict";
import { LONG, launch } from "./browser.js";

const [scenario, address] = process.argv.slice(2);
const browser = await launch();

// The examples all say how much was sold: `east: 1234 in all`, or `Total: 1234` in R.
const SUMMARY = /^(?:Total: \d+|\S+: \d+ in all)/;

async function summary(page, other) {
  const place = page.getByText(SUMMARY).first();
  const until = Date.now() + LONG;
  while (Date.now() < until) {
    const [found] = (await place.textContent()).trim().match(SUMMARY) ?? [];
    if (found && found !== other) return found;
    await page.waitForTimeout(100);
  }
  throw new Error(`the page still says ${other}`);
}

async function pickFromSelect(page) {
  await page.locator("select").first().selectOption({ index: 1 });
}

// A list of Shiny for R: its select is hidden behind one made of other elements.
async function pickFromSelectize(page) {
  await page.locator(".selectize-input").first().click();
  await page.locator(".selectize-dropdown-content .option").nth(1).click();
}

async function pickFromList(page, opener) {
  await opener.click();
  await page.getByRole("option").nth(1).click();
}

const picks = {
  shiny: pickFromSelectize,
  "rmd-shiny": pickFromSelectize,
  bokeh: pickFromSelect,
  panel: pickFromSelect,
  voila: pickFromSelect,
  "shiny-python": pickFromSelect,
  dash: (page) => pickFromList(page, page.locator("#region")),
  streamlit: (page) => pickFromList(page, page.getByRole("combobox").first()),
};

async function changes(page) {
  await page.goto(address);
  const before = await summary(page);
  await picks[scenario](page);
  const after = await summary(page, before);
  console.log("ok", scenario, before, "->", after);
}

async function flask(page) {
  await page.goto(address);
  const numbers = () => page.locator("table").innerText();
  assert.match(page.url(), /\/content\/flask\/sales\?region=/);
  const before = await numbers();
  await Promise.all([page.waitForURL(/region=/), page.locator("select").selectOption({ index: 1 })]);
  await page.waitForFunction((old) => document.querySelector("table").innerText !== old, before);
  const styled = await page.evaluate(() => [...document.styleSheets].length);
  assert.equal(styled, 1, "its style sheet is found below its path");
}

async function gradio(page) {
  await page.goto(address);
  await page.getByRole("button", { name: "Submit" }).click();
  await page.waitForFunction(() => [...document.querySelectorAll("textarea, input")].some((one) => / in all/.test(one.value)));
}

// Two tabs have sessions of their own in one process; a reload and a broken connection begin anew, and both work.
async function tabs(page) {
  const second = await browser.newPage();
  await Promise.all([page.goto(address), second.goto(address)]);
  const first = await summary(page);
  assert.equal(await summary(second), first);
  await pickFromSelectize(page);
  const changed = await summary(page, first);
  await second.waitForTimeout(500);
  assert.equal(await summary(second), first, "the other tab keeps its own");
  await browser.setOffline(true);
  await page.waitForTimeout(1000);
  await browser.setOffline(false);
  await page.reload();
  assert.equal(await summary(page), first);
  await pickFromSelectize(page);
  assert.equal(await summary(page, first), changed);
}

try {
  const page = browser.pages()[0] ?? (await browser.newPage());
  const faults = [];
  page.on("pageerror", (error) => faults.push(String(error)));
  await ({ flask, gradio, tabs }[scenario] ?? changes)(page);
  assert.deepEqual(faults, []);
  console.log("ok", scenario);
} finally {
  await browser.close();
}
