// Debian's Chromium, headless, with a profile of its own.
import { createRequire } from "node:module";
import { join } from "node:path";

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
