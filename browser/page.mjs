// The page of `tidegate serve` without a configuration, used as a person would.
import assert from "node:assert/strict";
import { join } from "node:path";
import { openTab } from "./chromium.mjs";
import { serveDefault } from "./gateway.mjs";
import { until } from "./process.mjs";

export const pageTests = [
  ["page echoes over ws", (shared) => echoTest(shared, null)],
  ["page echoes over wss", (shared) => echoTest(shared, shared.certificate)],
  ["page explains a connection that never opened", refusedTest],
  ["page names wrong input", wrongInputTest],
  ["page keeps the last 500 entries", boundedLogTest],
  ["page fits 360 pixels", narrowTest],
];

async function echoTest({ scope, browser, certificate, screenshots }, tls) {
  const base = await serveDefault(scope, tls && certificate);
  const tab = await openTab(scope, browser, base);
  assert.equal(await tab.inputValue("#url"), `${base.replace("http", "ws")}/echo`);
  await tab.fill("#protocols", "chat, superchat");
  await connect(tab);
  assert.equal(await tab.textContent("#protocol"), "chat");
  assert.match(await tab.textContent("#open-time"), / ms$/);

  await tab.fill("#text", "Hello, tide. Ünïcödé too.");
  await tab.press("#text", "Enter");
  await echoed(tab, { type: "text", size: "29 B", content: "Hello, tide. Ünïcödé too." });
  await tab.check("#kind-hex");
  await tab.fill("#hex", "00 0x7f, ff:80");
  await tab.click("#send");
  await echoed(tab, { type: "binary", size: "4 B", content: "00 7f ff 80" });
  await tab.check("#kind-file");
  await tab.setInputFiles("#file", { name: "tide", mimeType: "", buffer: Buffer.from("tidegate") });
  await tab.click("#send");
  await echoed(tab, { type: "binary", size: "8 B", content: "74 69 64 65 67 61 74 65" });
  await tab.check("#kind-random");
  await tab.fill("#random-size", "200000");
  await tab.click("#send");
  await echoed(tab, { type: "binary", size: "195.3 KiB" });
  assert.deepEqual([await tab.textContent("#sent"), await tab.textContent("#received")], ["4", "4"]);
  if (screenshots && !tls) await takeScreenshots(tab);

  await tab.fill("#close-reason", "all done");
  await tab.click("#close");
  await ended(tab, { code: "1000", reason: "all done", clean: "true", meaning: /^Normal/ });
  await connect(tab); // the page is usable again
  await tab.fill("#close-code", "");
  await tab.fill("#close-reason", "");
  await tab.click("#close");
  await ended(tab, { code: "1005", reason: "", clean: "true", meaning: /no code/ });
}

async function refusedTest({ scope, browser }) {
  const base = await serveDefault(scope, null);
  const tab = await openTab(scope, browser, base, { expectedErrors: [/WebSocket connection to .* failed/] });
  await tab.fill("#url", "/nowhere");
  await tab.click("#connect");
  await ended(tab, { code: "1006", reason: "", clean: "false", meaning: /^No WebSocket was opened/ });
}

async function wrongInputTest({ scope, browser }) {
  const base = await serveDefault(scope, null);
  const tab = await openTab(scope, browser, base);
  await tab.fill("#protocols", "chat, chat");
  await tab.click("#connect");
  await complaint(tab, "connect", /chat/);
  await tab.fill("#protocols", "");
  await connect(tab);
  await tab.check("#kind-hex");
  for (const [hex, message] of [
    ["0g", /“g” is not a hex digit/],
    ["123", /3 digits leave one over/],
  ]) {
    await tab.fill("#hex", hex);
    await tab.click("#send");
    await complaint(tab, "send", message);
  }
  await tab.fill("#close-code", "1006");
  await tab.click("#close");
  await complaint(tab, "close", /not with “1006”/);
  await tab.fill("#close-code", "4000");
  await tab.fill("#close-reason", "ü".repeat(62));
  await tab.click("#close");
  await complaint(tab, "close", /124 bytes/);
  assert.equal(await tab.getAttribute("#state", "data-state"), "open");
  assert.equal(await tab.textContent("#sent"), "0");
}

async function boundedLogTest({ scope, browser }) {
  const base = await serveDefault(scope, null);
  const tab = await openTab(scope, browser, base);
  await connect(tab);
  const messages = 600;
  await tab.evaluate((count) => {
    const [text, send] = [document.getElementById("text"), document.getElementById("send")];
    for (let number = 1; number <= count; number += 1) {
      text.value = `message ${number}`;
      send.click();
    }
  }, messages);
  await until(
    "all echoes have come back",
    async () => (await tab.textContent("#received")) === String(messages),
  );
  await tab.locator(".entry[data-direction=received]", { hasText: `message ${messages}` }).waitFor();
  assert.equal(await tab.locator("#log > .entry").count(), 500);
}

async function narrowTest({ scope, browser }) {
  const base = await serveDefault(scope, null);
  const tab = await openTab(scope, browser, base);
  await tab.setViewportSize({ width: 360, height: 740 });
  await connect(tab);
  await tab.fill("#text", "w".repeat(400));
  await tab.press("#text", "Enter");
  await echoed(tab, { type: "text", size: "400 B" });
  const width = (selector) =>
    tab.locator(selector).evaluate((element) => [element.scrollWidth, element.clientWidth]);
  assert.deepEqual(await width("html"), [360, 360]);
  const [content, shown] = await width("#log");
  assert.equal(content, shown);
}

async function connect(tab) {
  await tab.click("#connect");
  await tab.locator("#state[data-state=open]").waitFor();
}

/** Waits until the newest entry is the echo of what was sent, and the one before it what was sent. */
async function echoed(tab, { type, size, content }) {
  const log = async () =>
    tab.locator("#log > .entry").evaluateAll((entries) =>
      entries.slice(-2).map((entry) => ({
        direction: entry.dataset.direction,
        type: entry.dataset.type,
        size: entry.querySelector(".size").textContent,
        content: entry.querySelector(".content").textContent,
        trip: entry.querySelector(".trip").textContent,
      })),
    );
  let found = [];
  await until(
    () => `a ${type} message of ${size} comes back (last entries: ${JSON.stringify(found)})`,
    async () => {
      found = await log();
      const [sent, received] = found;
      return (
        sent?.direction === "sent" &&
        received.direction === "received" &&
        received.type === type &&
        received.size === size
      );
    },
  );
  const [sent, received] = found;
  assert.deepEqual({ ...received, direction: "sent", trip: "" }, sent);
  assert.match(received.trip, / ms$/);
  if (content !== undefined) assert.equal(received.content, content);
}

async function ended(tab, { code, reason, clean, meaning }) {
  await tab.locator("#state[data-state=closed]").waitFor();
  assert.equal(await tab.textContent("#ending-code"), code);
  assert.equal(await tab.textContent("#ending-reason"), reason);
  assert.equal(await tab.getAttribute("#ending", "data-clean"), clean);
  assert.match(await tab.textContent("#ending-meaning"), meaning);
}

async function complaint(tab, form, message) {
  await tab.locator(`#${form}-error:visible`, { hasText: message }).waitFor();
}

async function takeScreenshots(tab) {
  for (const [scheme, file] of [
    ["light", "page.png"],
    ["dark", "page-dark.png"],
  ]) {
    await tab.emulateMedia({ colorScheme: scheme });
    await tab.screenshot({ path: join(import.meta.dirname, "../docs/images", file) });
  }
  await tab.emulateMedia({ colorScheme: null });
}
