// A recording as Chromium's own developer tools open it: their network panel takes the file and shows its messages.
import assert from "node:assert/strict";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openDeveloperTools, openTab } from "./chromium.mjs";
import { serveRecorded } from "./gateway.mjs";
import { until } from "./process.mjs";

const TEXT = "Ahoy, tide. Ünïcödé too.";
const BYTES = [0, 1, 2, 255];
const LONG_CHARS = 100_000; // more than an entry of a recording has
const ENTRY_CHARS_MAX = 65_536;

export const harTests = [["Chromium's developer tools open a HAR recording", recordingTest]];

async function recordingTest({ scope, browser }) {
  const [root, recordings] = [await scope.directory(), await scope.directory()];
  await writeFile(join(root, "index.html"), "<!doctype html><title>recorded</title><link rel=icon href=data:,>");
  const base = await serveRecorded(scope, root, recordings);
  const tab = await openTab(scope, browser, `${base}/index.html`);
  const ended = await tab.evaluate(converse, { text: TEXT, bytes: BYTES, long: LONG_CHARS });
  assert.deepEqual(ended, { code: 1000, heard: 3 });
  const har = await finished(recordings);

  const tools = await openDeveloperTools(scope);
  // The file chooser is the system's; behind it the panel is handed a file, as here.
  await until("the network panel is there", () => tools.getByRole("tab", { name: "Network" }).isVisible());
  const requests = await tools.evaluate(openFile, har);
  const frame = (type, opCode, text) => ({ type, opCode, mask: type === "send", text });
  const pair = (opCode, text) => [frame("send", opCode, text), frame("receive", opCode, text)];
  const long = ["send", "receive"].flatMap((type) => [
    frame(type, 1, "x".repeat(ENTRY_CHARS_MAX)),
    frame(type, 0, "x".repeat(LONG_CHARS - ENTRY_CHARS_MAX)),
  ]);
  assert.deepEqual(requests, [
    {
      url: `${base.replace("http", "ws")}/echo`,
      type: "websocket",
      status: 101,
      frames: [...pair(1, TEXT), ...pair(2, Buffer.from(BYTES).toString("base64")), ...long],
    },
  ]);

  // And as a person sees it.
  await tools.locator("td.name-column", { hasText: "echo" }).click();
  await tools.getByRole("tab", { name: "Messages" }).click();
  const cells = tools.locator("td.data-column");
  await until("the messages are shown", async () => (await cells.count()) === 8);
  const shown = await cells.allInnerTexts();
  assert.deepEqual(shown.slice(0, 4), [TEXT, TEXT, "Binary message", "Binary message"]);
}

/** In the page: a text, some bytes and a long text are said and heard, and the WebSocket is closed. */
function converse({ text, bytes, long }) {
  return new Promise((resolve) => {
    const socket = new WebSocket(`ws://${location.host}/echo`);
    let heard = 0;
    socket.onopen = () => {
      socket.send(text);
      socket.send(new Uint8Array(bytes));
      socket.send("x".repeat(long));
    };
    socket.onmessage = () => {
      heard += 1;
      if (heard === 3) socket.close(1000);
    };
    socket.onclose = ({ code }) => resolve({ code, heard });
  });
}

/** The only recording there, once it is complete: it is written beside its session. */
async function finished(recordings) {
  let text = "";
  await until("the recording is complete", async () => {
    const [name] = await readdir(recordings);
    text = name ? await readFile(join(recordings, name), "utf8") : "";
    return text.trimEnd().endsWith("}]}}");
  });
  return text;
}

/** In the developer tools: what their network panel makes of the file. */
async function openFile(har) {
  const { NetworkPanel } = await import("/devtools/panels/network/network.js");
  const { NetworkLog } = await import("/devtools/models/logs/logs.js");
  await NetworkPanel.NetworkPanel.instance().networkLogView.onLoadFromFile(new File([har], "1.har"));
  return NetworkLog.NetworkLog.instance()
    .requests()
    .map((request) => ({
      url: request.url(),
      type: request.resourceType().name(),
      status: request.statusCode,
      frames: request.frames().map(({ type, opCode, mask, text }) => ({ type, opCode, mask, text })),
    }));
}
