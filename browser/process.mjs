// Child processes and scratch directories of one test run, all gone at its end.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

const STDERR_CHARS_MAX = 4000;
const STOP_MS_MAX = 5000;

/** What a test has started, undone in reverse order by `end`. */
export class Scope {
  #undo = [];

  /** What went wrong beside the test's own steps; any of it fails the test. */
  problems = [];

  defer(undo) {
    this.#undo.push(undo);
  }

  async end() {
    while (this.#undo.length) await this.#undo.pop()();
  }

  async directory() {
    const path = await mkdtemp(join(tmpdir(), "tidegate-browser-"));
    this.defer(() => rm(path, { recursive: true, force: true, maxRetries: 5 }));
    return path;
  }

  /** Starts a program that runs until the scope ends. `failure()` says why it is gone, if it is. */
  start(program, args, options = {}) {
    const child = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"], ...options });
    let said = "";
    let ended = null;
    child.stderr.on("data", (chunk) => {
      said = (said + chunk).slice(-STDERR_CHARS_MAX);
    });
    child.on("error", (error) => {
      ended ??= error.message;
    });
    child.on("exit", (code, signal) => {
      ended ??= `${program} ended (${signal ?? code}): ${said.trim()}`;
    });
    this.defer(() => (ended === null ? stop(child) : undefined));
    return { child, failure: () => ended };
  }
}

async function stop(child) {
  const gone = once(child, "exit");
  const killer = setTimeout(() => child.kill("SIGKILL"), STOP_MS_MAX);
  child.kill("SIGTERM");
  await gone;
  clearTimeout(killer);
}

/** Runs a program to its end and returns its standard output; a failure or 20 s without an end throws. */
export async function run(program, args, options = {}) {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], timeout: 20_000, ...options });
  const out = [];
  let said = "";
  child.stdout.on("data", (chunk) => out.push(chunk));
  child.stderr.on("data", (chunk) => {
    said = (said + chunk).slice(-STDERR_CHARS_MAX);
  });
  const [code, signal] = await once(child, "close");
  if (code !== 0) throw new Error(`${program} failed (${signal ?? code}): ${said.trim()}`);
  return Buffer.concat(out);
}

/** Repeats `check` until it returns something true; after `ms` throws what it was waiting for. */
export async function until(what, check, ms = 15_000) {
  const end = Date.now() + ms;
  for (;;) {
    const result = await check();
    if (result) return result;
    if (Date.now() > end)
      throw new Error(`not within ${ms / 1000} s: ${typeof what === "function" ? what() : what}`);
    await delay(50);
  }
}

/** A loopback port that nobody listened on a moment ago. */
export async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}
