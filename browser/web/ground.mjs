// Where the web checks take place: the pages, one backend, the gateway in front of it, and the ways to reach it.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { openTab } from "../chromium.mjs";
import { serveRelay } from "../gateway.mjs";
import { Scope } from "../process.mjs";
import { Backend } from "./backend.mjs";
import { listen } from "./listen.mjs";

const HTML = `<!doctype html>
<meta charset="utf-8"><title>Web check</title><link rel="icon" href="data:,">
<script src="/pattern.js"></script>
<script src="/recorder.js"></script>
`;

/**
 * Starts everything. `ways` are the four ways to the backend: directly and through the gateway, each with ws from an
 * http page and with wss from an https page. (Schemes are not mixed: a cookie's site has a scheme too.)
 */
export async function prepareGround(scope, browser, certificate) {
  const backend = await Backend.start(scope, certificate);
  const pages = await servePages(scope, certificate);
  const origins = [pages.ws, pages.wss].flatMap((origin) => [origin, otherSite(origin)]);
  const gateway = await serveRelay(scope, certificate, backend.ports.ws, [...origins, "null"]);
  const way = (scheme, via, port) => ({
    name: `${via === "direct" ? "direct" : "through the gateway"} over ${scheme}`,
    scheme,
    via,
    server: `${scheme}://127.0.0.1:${port}`,
    page: pages[scheme],
    otherSite: otherSite(pages[scheme]),
  });
  const ways = ["ws", "wss"].flatMap((scheme) => [
    way(scheme, "direct", backend.ports[scheme]),
    way(scheme, "gateway", gateway.ports[scheme]),
  ]);
  return { backend, ways, tabs: new Tabs(scope, browser), gatewayFailure: gateway.failure };
}

/** The same page as one of another site: a name and an address are never of one site. */
const otherSite = (origin) => origin.replace("127.0.0.1", "localhost");

/** A tab for each page, loaded anew for each visit: much faster than a new one. */
class Tabs {
  #browser;
  #scope = new Scope();
  #open = new Map();

  constructor(scope, browser) {
    this.#browser = browser;
    scope.defer(() => this.#scope.end());
  }

  async visit(url) {
    const tab = this.#open.get(url);
    if (tab) {
      await tab.goto(url);
      return tab;
    }
    // Chromium writes every failed WebSocket to the console.
    const opened = await openTab(this.#scope, this.#browser, url, { expectedErrors: [/^WebSocket /] });
    this.#open.set(url, opened);
    return opened;
  }

  /** Uncaught errors of all pages since this was last asked for. */
  problems() {
    return this.#scope.problems.splice(0);
  }
}

/** One page at every path, over http and https; its origins, by the scheme of its WebSockets. */
async function servePages(scope, certificate) {
  const scripts = new Map();
  for (const name of ["pattern.js", "recorder.js"])
    scripts.set(`/${name}`, await readFile(join(import.meta.dirname, name)));
  const answer = ({ url }, response) => {
    response.setHeader("Content-Type", scripts.has(url) ? "text/javascript" : "text/html");
    response.end(scripts.get(url) ?? HTML);
  };
  const ports = await listen(scope, certificate, (server) => server.on("request", answer));
  return { ws: `http://127.0.0.1:${ports.ws}`, wss: `https://127.0.0.1:${ports.wss}` };
}
