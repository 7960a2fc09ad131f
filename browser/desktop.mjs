// A real desktop: noVNC served by the gateway, on the same port as the route to the VNC server. What the
// browser has painted is compared with what the X server says is on its screen.
import assert from "node:assert/strict";
import { cp } from "node:fs/promises";
import { join } from "node:path";
import { openTab } from "./chromium.mjs";
import { serveDesktop } from "./gateway.mjs";
import { until } from "./process.mjs";
import { startDesktop } from "./xserver.mjs";

const TYPED = "Hello from the browser.";

export const desktopTests = [
  ["noVNC shows a desktop over ws", (shared) => desktopTest(shared, "plain")],
  ["noVNC shows a desktop over wss", (shared) => desktopTest(shared, "secure")],
];

async function desktopTest({ scope, browser, certificate, screenshots }, listener) {
  const desktop = await startDesktop(scope);
  const gateway = await serveDesktop(scope, certificate, await webRoot(scope), desktop.port);
  const tab = await openTab(scope, browser, `${gateway[listener]}/index.html`);
  await state(tab, "connected");
  // Until a client has moved the pointer, the server paints it into the picture; afterwards the client draws it.
  const canvas = tab.locator("#screen canvas");
  await canvas.hover({ position: { x: 400, y: 500 } });

  const plain = await untilPainted(tab, desktop);
  assert(coloursOf(plain) > 8, "the desktop has too little on it to compare anything");

  await desktop.repaint();
  const repainted = await untilPainted(tab, desktop);
  // The comparison itself must be able to fail: the canvas is no longer what the screen was before.
  assert.match(difference(repainted, plain) ?? "none", /^\d{5,} of 480000 pixels differ/);

  // Without a window manager the keyboard follows the pointer.
  await canvas.click({ position: { x: 200, y: 200 } });
  await tab.keyboard.type(`${TYPED}\n`);
  let received = "";
  await until(
    () => `the desktop receives what was typed (${JSON.stringify(received)})`,
    async () => {
      received = await desktop.typed();
      return received === `${TYPED}\n`;
    },
  );
  const typed = await untilPainted(tab, desktop);
  assert.notEqual(difference(typed, repainted), null, "what was typed is not on the canvas");

  if (screenshots && listener === "plain") {
    const path = join(import.meta.dirname, "../docs/images/vnc.png");
    await canvas.screenshot({ path });
  }
  await tab.evaluate(() => globalThis.rfb.disconnect());
  await state(tab, "disconnected");
}

/** Our page and noVNC's modules in one directory. */
async function webRoot(scope) {
  const root = await scope.directory();
  await cp(join(import.meta.dirname, "desktop"), root, { recursive: true });
  await cp(join(process.env.TIDEGATE_BROWSER_MODULES, "node_modules/@novnc/novnc"), join(root, "novnc"), {
    recursive: true,
  });
  return root;
}

async function state(tab, wanted) {
  let found;
  await until(
    () => `noVNC is ${wanted} (it is ${found})`,
    async () => {
      found = await tab.evaluate(() => document.body.dataset.state);
      return found === wanted;
    },
  );
}

/** Waits until the canvas and the X server's screen are equal in every pixel; that picture. */
async function untilPainted(tab, desktop) {
  let found;
  return until(
    () => `the canvas equals the screen (${found})`,
    async () => {
      const screen = await desktop.pixels();
      const canvas = await canvasPixels(tab);
      found = difference(canvas, screen);
      return found === null && canvas;
    },
  );
}

/** Null if two pictures are equal, else where and how much they differ. */
function difference(found, wanted) {
  const size = ({ width, height }) => `${width}x${height}`;
  if (size(found) !== size(wanted)) return `${size(found)} instead of ${size(wanted)}`;
  const pixel = ({ rgb }, index) => `#${rgb.toString("hex", index * 3, index * 3 + 3)}`;
  const total = found.width * found.height;
  let [count, first] = [0, null];
  for (let index = 0; index < total; index += 1) {
    if (found.rgb.compare(wanted.rgb, index * 3, index * 3 + 3, index * 3, index * 3 + 3) === 0) continue;
    count += 1;
    const place = `${index % found.width},${Math.floor(index / found.width)}`;
    first ??= `at ${place} ${pixel(found, index)} instead of ${pixel(wanted, index)}`;
  }
  return count ? `${count} of ${total} pixels differ, first ${first}` : null;
}

function coloursOf({ rgb }) {
  const colours = new Set();
  for (let at = 0; at < rgb.length; at += 3) colours.add(rgb.readUIntBE(at, 3));
  return colours.size;
}

async function canvasPixels(tab) {
  const { width, height, data } = await tab.evaluate(async () => {
    const canvas = document.querySelector("#screen canvas");
    if (!canvas) throw new Error("noVNC has removed its canvas");
    const { data: rgba } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const rgb = new Uint8Array((rgba.length / 4) * 3);
    for (let from = 0, to = 0; from < rgba.length; from += 4, to += 3)
      rgb.set(rgba.subarray(from, from + 3), to);
    const reader = new FileReader();
    await new Promise((done) => {
      reader.onload = done;
      reader.readAsDataURL(new Blob([rgb]));
    });
    return { width: canvas.width, height: canvas.height, data: reader.result.split(",")[1] };
  });
  return { width, height, rgb: Buffer.from(data, "base64") };
}
