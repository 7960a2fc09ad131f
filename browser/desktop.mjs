// A real desktop: noVNC served by the gateway, on the same port as the route to the VNC server.
import assert from "node:assert/strict";
import { cp } from "node:fs/promises";
import { join } from "node:path";
import { coloursOf, difference, untilPainted } from "./canvas.mjs";
import { openTab } from "./chromium.mjs";
import { serveDesktop } from "./gateway.mjs";
import { until } from "./process.mjs";
import { startDesktop } from "./xserver.mjs";

const CANVAS = "#screen canvas";
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
  const canvas = tab.locator(CANVAS);
  await canvas.hover({ position: { x: 400, y: 500 } });

  const plain = await untilPainted(tab, CANVAS, desktop);
  assert(coloursOf(plain) > 8, "the desktop has too little on it to compare anything");

  await desktop.repaint();
  const repainted = await untilPainted(tab, CANVAS, desktop);
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
  const typed = await untilPainted(tab, CANVAS, desktop);
  assert.notEqual(difference(typed, repainted), null, "what was typed is not on the canvas");

  if (screenshots && listener === "plain") {
    const path = join(import.meta.dirname, "../docs/images/vnc.png");
    await canvas.screenshot({ path });
  }
  await tab.evaluate(() => globalThis.rfb.disconnect());
  await state(tab, "disconnected");
}

/** Our page and noVNC's modules in one directory. */
export async function webRoot(scope) {
  const root = await scope.directory();
  await cp(join(import.meta.dirname, "desktop"), root, { recursive: true });
  await cp(join(process.env.TIDEGATE_BROWSER_MODULES, "node_modules/@novnc/novnc"), join(root, "novnc"), {
    recursive: true,
  });
  return root;
}

export async function state(tab, wanted) {
  let found;
  await until(
    () => `noVNC is ${wanted} (it is ${found})`,
    async () => {
      found = await tab.evaluate(() => document.body.dataset.state);
      return found === wanted;
    },
  );
}
