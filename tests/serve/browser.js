// A browser with a profile of its own, which goes with it.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

// Milliseconds that anything may take.
export const LONG = 90_000;

export async function launch(options = {}) {
  const profile = mkdtempSync(join(tmpdir(), "offhost-browser-"));
  const browser = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    headless: true,
    ...options,
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
           "--disable-component-update", "--disable-sync"],
  });
  browser.setDefaultTimeout(LONG);
  // Not before: parts of a browser that was closed still write for a moment.
  process.on("exit", () => rmSync(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 }));
  return browser;
}
