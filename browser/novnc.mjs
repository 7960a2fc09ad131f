// Debian's noVNC with its own start script, which takes whatever is called websockify in PATH: here a link to
// tidegate. And the newest noVNC, behind websockify's command line as it is.
import assert from "node:assert/strict";
import { readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { coloursOf, difference, untilPainted } from "./canvas.mjs";
import { openTab } from "./chromium.mjs";
import { state, webRoot } from "./desktop.mjs";
import { listens } from "./gateway.mjs";
import { freePort, until } from "./process.mjs";
import { startDesktop } from "./xserver.mjs";

const CANVAS = "#noVNC_container canvas";
const TYPED = "Hello through the start script.";
const TOKEN = "desk-1";
const CREDENTIALS = { username: "viewer", password: "let:me:in" };
// The page asks for a file that Debian does not package, and the browser for an icon where there is no page.
const expectedErrors = [/Failed to load resource.*404/, /Couldn't fetch package.json/];

export const novncTests = [
  ["Debian's noVNC script starts tidegate", (shared) => scriptTest(shared, {})],
  [
    "Debian's noVNC script starts tidegate with a token file",
    (shared) => scriptTest(shared, { token: true }),
  ],
  [
    "Debian's noVNC script starts tidegate with a token file and TLS",
    (shared) => scriptTest(shared, { token: true, secure: true }),
  ],
  [
    "Debian's noVNC script starts tidegate with a password",
    (shared) => scriptTest(shared, { credentials: CREDENTIALS }),
  ],
  ["npm's noVNC through tidegate websockify with TLS, a token file and a password", packagedTest],
];

async function scriptTest({ scope, browser, certificate }, { token, secure, credentials }) {
  const desktop = await startDesktop(scope);
  const directory = await scope.directory();
  const port = await freePort();
  const options = [];
  const target = `127.0.0.1:${desktop.port}`;
  if (token) {
    const tokens = join(directory, "tokens");
    await writeFile(tokens, `${TOKEN}: ${target}\n`);
    // The script passes its words on without quotes, as its users know.
    options.push("--vnc", `--token-plugin TokenFile --token-source ${tokens}`);
  } else {
    options.push("--vnc", target);
  }
  if (secure) {
    const both = join(directory, "both.pem");
    await writeFile(both, Buffer.concat([await readFile(certificate.cert), await readFile(certificate.key)]));
    options.push("--cert", both, "--ssl-only");
  }
  if (credentials) {
    const pair = `${credentials.username}:${credentials.password}`;
    options.push("--heartbeat", `30 --web-auth --auth-plugin BasicHTTPAuth --auth-source ${pair}`);
  }
  await startScript(scope, directory, port, options);

  const path = encodeURIComponent(token ? `websockify?token=${TOKEN}` : "websockify");
  const scheme = secure ? "https" : "http";
  const query = `reconnect=false&path=${path}`;
  const gateway = `${scheme}://127.0.0.1:${port}`;
  if (credentials) await showPassword(scope, browser, new URL(gateway), credentials);
  const tab = await openTab(scope, browser, `${gateway}/vnc.html?${query}`, { expectedErrors });
  await tab.evaluate(withoutJpeg);
  await tab.click("#noVNC_connect_button");
  await until("noVNC is connected", () =>
    tab.evaluate(() => document.documentElement.classList.contains("noVNC_connected")),
  );
  const canvas = tab.locator(CANVAS);
  await canvas.hover({ position: { x: 400, y: 500 } });
  const shown = await untilPainted(tab, CANVAS, desktop);
  assert(coloursOf(shown) > 8, "the desktop has too little on it to compare anything");
  await canvas.click({ position: { x: 200, y: 200 } });
  await tab.keyboard.type(`${TYPED}\n`);
  await until("the desktop receives what was typed", async () => (await desktop.typed()) === `${TYPED}\n`);
  assert.notEqual(difference(await untilPainted(tab, CANVAS, desktop), shown), null, "nothing was typed");
}

async function packagedTest({ scope, browser, certificate }) {
  const desktop = await startDesktop(scope);
  const directory = await scope.directory();
  const port = await freePort();
  const tokens = join(directory, "tokens");
  await writeFile(tokens, `${TOKEN}: 127.0.0.1:${desktop.port}\n`);
  const { username, password } = CREDENTIALS;
  const gateway = scope.start(process.env.TIDEGATE, [
    ...["websockify", "--web", await webRoot(scope), "--web-auth"],
    ...["--cert", certificate.cert, "--key", certificate.key, "--ssl-only"],
    ...["--token-plugin", "TokenFile", "--token-source", tokens],
    ...["--auth-plugin", "BasicHTTPAuth", "--auth-source", `${username}:${password}`, String(port)],
  ]);
  await untilListening("websockify", gateway, port);

  const origin = `https://127.0.0.1:${port}`;
  const unauthorized = { expectedErrors: [/Failed to load resource.*401/] };
  const stranger = openTab(scope, browser, `${origin}/index.html`, unauthorized);
  await assert.rejects(stranger, /answered 401|ERR_INVALID_AUTH_CREDENTIALS/);
  // From here on the browser sends the password by itself, with the WebSocket too.
  const known = Object.assign(new URL(origin), { username, password, pathname: "/novnc/package.json" });
  await openTab(scope, browser, known.href, { expectedErrors });
  const tab = await openTab(scope, browser, `${origin}/index.html?token=${TOKEN}`);
  await state(tab, "connected");
  const canvas = tab.locator("#screen canvas");
  await canvas.hover({ position: { x: 400, y: 500 } });
  const shown = await untilPainted(tab, "#screen canvas", desktop);
  assert(coloursOf(shown) > 8, "the desktop has too little on it to compare anything");
  await canvas.click({ position: { x: 200, y: 200 } });
  await tab.keyboard.type(`${TYPED}\n`);
  await until("the desktop receives what was typed", async () => (await desktop.typed()) === `${TYPED}\n`);

  const lost = await openTab(scope, browser, `${origin}/index.html?token=unknown`, {
    expectedErrors: [/WebSocket connection to .* failed/, /Failed when connecting/],
  });
  await state(lost, "lost");
}

/** What the browser was shown once it sends again by itself, with the WebSocket too. */
async function showPassword(scope, browser, url, { username, password }) {
  const stranger = await fetch(new URL("vnc.html", url));
  assert.equal(stranger.status, 401, "the page is there for everybody");
  Object.assign(url, { username, password, pathname: "/app/images/connect.svg" });
  await openTab(scope, browser, url.href, { expectedErrors });
}

/** As our own page does it (desktop/index.html), so that the canvas can be compared pixel by pixel. */
async function withoutJpeg() {
  const { default: RFB } = await import(new URL("core/rfb.js", location));
  const { clientEncodings } = RFB.messages;
  RFB.messages.clientEncodings = (socket, encodings) =>
    clientEncodings(
      socket,
      encodings.filter((encoding) => encoding < -32 || encoding > -23),
    );
}

/** The script as the package has it; it looks for websockify in PATH. */
async function startScript(scope, directory, port, options) {
  await symlink(process.env.TIDEGATE, join(directory, "websockify"));
  const program = join(process.env.TIDEGATE_NOVNC_DEBIAN, "utils/novnc_proxy");
  const script = scope.start(program, ["--listen", String(port), ...options], {
    cwd: directory,
    env: { ...process.env, PATH: `${directory}:${process.env.PATH}` },
  });
  await untilListening("the script's gateway", script, port);
}

async function untilListening(name, program, port) {
  await until(`${name} listens on port ${port}`, async () => {
    if (program.failure()) throw new Error(program.failure());
    return listens(port);
  });
}
