// One behaviour of the web platform: what a page and a backend see of it, directly and through the gateway.
import { judge } from "./compare.mjs";

const WAY_MS_MAX = 20_000;

/**
 * The tests of a list of checks. A check is
 * - `name`;
 * - `backend(upgrade)`: what the backend does with each upgrade; resolves to what it saw;
 * - `page({ server })`: runs in the page, is passed what `given` holds besides, and resolves to what it saw; or `bulk`,
 *   the same in a shared worker of the page; or `drive`, from here with the tab;
 * - `standard`: what both must have seen, `{ page, backend }`;
 * - `byDesign`: where the gateway differs on purpose: `why`, and what replaces parts of `standard` there;
 * - `from`: `"otherSite"` for a page of another site than the server's.
 */
export function webTests(checks) {
  return checks.map((check) => [
    `web: ${check.name}`,
    async (shared) => {
      shared.scope.problems.push(...(await problemsOf(check, shared)));
    },
  ]);
}

export async function problemsOf(check, { browser, ground }) {
  const { backend, ways, tabs, gatewayFailure } = await ground();
  const observed = {};
  for (const way of ways) {
    try {
      await browser.clearCookies();
      const tab = await tabs.visit(way[check.from ?? "page"]);
      (observed[way.scheme] ??= {})[way.via] = anonymous(await observe(check, way, tab, backend), way);
    } catch (error) {
      throw new Error(`${way.name}: ${error.message}`);
    } finally {
      backend.drop();
    }
    const failures = [gatewayFailure(), ...tabs.problems()].filter(Boolean);
    if (failures.length) throw new Error(`${way.name}: ${failures.join("; ")}`);
  }
  return Object.entries(observed).flatMap(([scheme, both]) => {
    return judge(both, check.standard, check.byDesign).map((problem) => `over ${scheme}, ${problem}`);
  });
}

/** What page and backend saw on one way. */
async function observe(check, way, tab, backend) {
  const { visits, arrived } = backend.serve(check.backend);
  const { server } = way;
  const parameters = { server, ...check.given };
  const seen = async () => {
    let page;
    if (check.drive) page = await check.drive({ tab, server, arrived });
    else if (check.bulk) page = await inSharedWorker(tab, check.bulk, parameters);
    else page = await tab.evaluate(check.page, parameters);
    return { page, backend: await Promise.all(visits) };
  };
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done within ${WAY_MS_MAX / 1000} s`)), WAY_MS_MAX);
  });
  try {
    return await Promise.race([seen(), late]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Runs a function as in the page, but faster by far where megabytes are sent: playwright wants to be told of every
 * message of a page or its workers, content and all, but knows nothing of shared workers.
 */
function inSharedWorker(tab, work, parameters) {
  return tab.evaluate(
    ({ source, parameters }) => {
      const script = `
        importScripts(${["pattern.js", "recorder.js"].map((name) => `"${location.origin}/${name}"`)});
        const work = ${source};
        onconnect = async ({ ports: [port] }) => {
          try {
            port.postMessage({ result: await work(${JSON.stringify(parameters)}) });
          } catch (error) {
            port.postMessage({ problem: error.message });
          }
        };`;
      const worker = new SharedWorker(URL.createObjectURL(new Blob([script])));
      return new Promise((resolve, reject) => {
        worker.onerror = () => reject(new Error("the shared worker does not start"));
        worker.port.onmessage = ({ data: { result, problem } }) =>
          problem ? reject(new Error(problem)) : resolve(result);
      });
    },
    { source: String(work), parameters },
  );
}

/** The same as JSON, without what is particular to the way or to this run. */
function anonymous(seen, way) {
  const text = JSON.stringify(seen)
    .replaceAll(way.server, "<server>")
    .replaceAll(way.page, "<page>")
    .replaceAll(way.otherSite, "<other site>");
  return JSON.parse(text);
}

// ---- words for `standard`

export const opened = { event: "open", state: 1 };
export const failed = { event: "error", state: 3 };
export const text = (content) => ({ event: "message", state: 1, text: content });
export const ended = (code, reason = "") => ({ event: "close", state: 3, code, reason, clean: true });
/** Ended without a closing handshake. */
export const broken = { event: "close", state: 3, code: 1006, reason: "", clean: false };
