// Debian's Chromium, headless, with a profile of its own.
import { createRequire } from "node:module";
import { join } from "node:path";
import { freePort } from "./process.mjs";

// The npm packages live outside the source tree, so a bare import would not find them.
const { chromium } = createRequire(join(process.env.TIDEGATE_BROWSER_MODULES, "main.cjs"))("playwright-core");

const ACTION_MS_MAX = 15_000;

export async function startBrowser(scope, certificate) {
  const browser = await chromium.launchPersistentContext(await scope.directory(), {
    executablePath: "/usr/bin/chromium",
    headless: true,
    viewport: { width: 1200, height: 800 },
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      `--ignore-certificate-errors-spki-list=${certificate.pin}`,
    ],
  });
  scope.defer(() => browser.close());
  browser.setDefaultTimeout(ACTION_MS_MAX);
  return browser;
}

/**
 * Chromium's own developer tools, as a page of a browser that serves them: looking at an empty page of that browser, with
 * the network panel in front.
 */
export async function openDeveloperTools(scope) {
  const port = await freePort();
  const origin = `http://127.0.0.1:${port}`;
  const browser = await chromium.launch({
    executablePath: "/usr/bin/chromium",
    headless: true,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--no-first-run",
      "--disable-background-networking",
      `--remote-debugging-port=${port}`,
      `--remote-allow-origins=${origin}`,
    ],
  });
  scope.defer(() => browser.close());
  const { id } = await (await fetch(`${origin}/json/new?about:blank`, { method: "PUT" })).json();
  const page = await browser.newPage({ viewport: { width: 1600, height: 900 } });
  page.setDefaultTimeout(ACTION_MS_MAX);
  await page.goto(`${origin}/devtools/devtools_app.html?ws=127.0.0.1:${port}/devtools/page/${id}&panel=network`);
  return page;
}

/** A tab whose uncaught errors and console errors (blocked by policy, not found, …) fail the test. */
export async function openTab(scope, browser, url, { expectedErrors = [] } = {}) {
  const tab = await browser.newPage();
  scope.defer(() => tab.close());
  tab.on("pageerror", (error) => scope.problems.push(error.message));
  tab.on("console", (message) => {
    if (message.type() !== "error" || expectedErrors.some((known) => known.test(message.text()))) return;
    scope.problems.push(`${message.text()} (${message.location().url})`);
  });
  const answer = await tab.goto(url);
  if (answer.status() !== 200) throw new Error(`${url} answered ${answer.status()}`);
  return tab;
}
