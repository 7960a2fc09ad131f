// Runs the browser tests in order; one line for each, and one that counts them.
import { parseArgs } from "node:util";
import { makeCertificate } from "./certificate.mjs";
import { startBrowser } from "./chromium.mjs";
import { desktopTests } from "./desktop.mjs";
import { harTests } from "./har.mjs";
import { novncTests } from "./novnc.mjs";
import { pageTests } from "./page.mjs";
import { Scope } from "./process.mjs";
import { prepareGround } from "./web/ground.mjs";
import { allWebTests } from "./web/all.mjs";

const TEST_MS_MAX = 90_000;
const RUN_MS_MAX = 10 * 60_000;
const REASON_CHARS_MAX = 1000;

const { values: options } = parseArgs({
  options: {
    "update-screenshots": { type: "boolean", default: false },
    only: { type: "string", default: "" },
  },
});

const whole = new Scope();
let [passed, failed] = [0, 0];
setTimeout(() => {
  console.log("not ok browser tests — the whole run took too long");
  process.exit(1);
}, RUN_MS_MAX).unref();
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, () => whole.end().finally(() => process.exit(1)));
}

try {
  const certificate = await makeCertificate(await whole.directory());
  const browser = await startBrowser(whole, certificate);
  let prepared;
  const ground = () => (prepared ??= prepareGround(whole, browser, certificate));
  const shared = { browser, certificate, ground, screenshots: options["update-screenshots"] };
  const tests = [...pageTests, ...desktopTests, ...novncTests, ...harTests, ...allWebTests].filter(([name]) =>
    name.includes(options.only),
  );
  if (tests.length === 0) throw new Error(`no test has “${options.only}” in its name`);
  for (const [name, test] of tests) await runTest(name, test, shared);
} catch (error) {
  report("browser tests", [error.message]);
} finally {
  await whole.end();
}
console.log(`${passed} passed, ${failed} failed, 0 skipped`);
process.exit(failed ? 1 : 0);

async function runTest(name, test, shared) {
  const scope = new Scope();
  whole.defer(() => scope.end());
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done within ${TEST_MS_MAX / 1000} s`)), TEST_MS_MAX);
  });
  try {
    await Promise.race([test({ ...shared, scope }), late]);
  } catch (error) {
    scope.problems.unshift(error.message);
  } finally {
    clearTimeout(timer);
    await scope.end();
  }
  report(name, scope.problems);
}

function report(name, problems) {
  if (problems.length === 0) {
    passed += 1;
    return console.log(`ok ${name}`);
  }
  failed += 1;
  const reason = problems
    .join("; ")
    .replace(/\x1b\[\d+m/g, "")
    .replace(/\s*\n\s*/g, " ");
  console.log(`not ok ${name} — ${reason.slice(0, REASON_CHARS_MAX)}`);
}
