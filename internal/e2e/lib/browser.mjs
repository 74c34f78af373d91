// Chromium with a fresh profile, and what its pages complained about.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { PATIENCE } from "./wait.mjs";

const ARGS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];

/** A browser: open(url) gives a page, stop() ends it and removes its profile. */
export class Browser {
  static async start() {
    const browser = new Browser();
    browser.profile = mkdtempSync(join(tmpdir(), "chromium-e2e-"));
    browser.context = await chromium.launchPersistentContext(browser.profile, {
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      headless: true,
      args: ARGS,
      ignoreHTTPSErrors: true,
    });
    browser.context.setDefaultTimeout(PATIENCE);
    return browser;
  }

  /** A page that has loaded; `complaints` are the errors of its scripts and of its console. */
  async open(url) {
    const page = await this.context.newPage();
    page.complaints = [];
    page.on("pageerror", (error) => page.complaints.push(String(error)));
    page.on("console", (line) => line.type() === "error" && page.complaints.push(line.text()));
    await page.goto(url);
    return page;
  }

  async stop() {
    await this.context?.close();
    rmSync(this.profile, { recursive: true, force: true });
  }
}

/** Waits until the element's text is as wanted. */
export async function shows(page, selector, text) {
  await page.locator(selector).filter({ hasText: text }).first().waitFor();
}

/** How a bare WebSocket of the page to the URL fares: "open" or "refused". */
export function bareWebSocket(page, url) {
  return page.evaluate((target) => new Promise((resolve) => {
    const ws = new WebSocket(target);
    ws.onopen = () => (resolve("open"), ws.close());
    ws.onerror = () => resolve("refused");
  }), url);
}
