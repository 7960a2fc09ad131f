// The gateway under test, as a process on loopback ports.
import { writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { freePort, until } from "./process.mjs";

/** `tidegate serve` with no configuration; the base URL of the page it serves. */
export async function serveDefault(scope, certificate) {
  const port = await freePort();
  const tls = certificate ? ["--tls-cert", certificate.cert, "--tls-key", certificate.key] : [];
  await serve(scope, ["--listen", `127.0.0.1:${port}`, ...tls], [port]);
  return `${certificate ? "https" : "http"}://127.0.0.1:${port}`;
}

/** One plain and one TLS listener: files of `directory`, and `/vnc` to a TCP port. */
export async function serveDesktop(scope, certificate, directory, vncPort) {
  const [plain, secure] = [await freePort(), await freePort()];
  const config = join(await scope.directory(), "tidegate.toml");
  await writeFile(
    config,
    `
[[listener]]
address = "127.0.0.1:${plain}"

[[listener]]
address = "127.0.0.1:${secure}"
tls = { cert = ${JSON.stringify(certificate.cert)}, key = ${JSON.stringify(certificate.key)} }

[[route]]
name = "vnc"
path = "/vnc"
backend = "tcp://127.0.0.1:${vncPort}"

[[route]]
name = "files"
path = "/*"
backend = ${JSON.stringify(`file:${directory}`)}
`,
  );
  await serve(scope, ["-c", config], [plain, secure]);
  return { plain: `http://127.0.0.1:${plain}`, secure: `https://127.0.0.1:${secure}` };
}

/**
 * One plain and one TLS listener, and everything relayed to the WebSocket backend on a TCP port: for these origins and
 * with raised limits, but below /same-origin only for pages of the gateway's own.
 */
export async function serveRelay(scope, certificate, backendPort, origins) {
  const [plain, secure] = [await freePort(), await freePort()];
  const config = join(await scope.directory(), "tidegate.toml");
  await writeFile(
    config,
    `
[[listener]]
address = "127.0.0.1:${plain}"

[[listener]]
address = "127.0.0.1:${secure}"
tls = { cert = ${JSON.stringify(certificate.cert)}, key = ${JSON.stringify(certificate.key)} }

[[route]]
name = "same-origin"
path = "/same-origin/*"
backend = "ws://127.0.0.1:${backendPort}"

[[route]]
name = "relay"
path = "/*"
backend = "ws://127.0.0.1:${backendPort}"
origins = ${JSON.stringify(origins)}
max_frame = "64MiB"
max_message = "64MiB"
`,
  );
  const { failure } = await serve(scope, ["-c", config], [plain, secure]);
  return { ports: { ws: plain, wss: secure }, failure };
}

/** Files of `directory`, and `/echo`, of which each WebSocket is recorded as `recordings/N.har`; the base URL. */
export async function serveRecorded(scope, directory, recordings) {
  const port = await freePort();
  const config = join(await scope.directory(), "tidegate.toml");
  await writeFile(
    config,
    `
[[listener]]
address = "127.0.0.1:${port}"

[[route]]
path = "/echo"
backend = "echo:"
record = { path = ${JSON.stringify(join(recordings, "%n.har"))}, format = "har" }

[[route]]
path = "/*"
backend = ${JSON.stringify(`file:${directory}`)}
`,
  );
  await serve(scope, ["-c", config], [port]);
  return `http://127.0.0.1:${port}`;
}

async function serve(scope, args, ports) {
  const gateway = scope.start(process.env.TIDEGATE, ["serve", ...args]);
  for (const port of ports) {
    await until(`tidegate listens on port ${port}`, async () => {
      if (gateway.failure()) throw new Error(gateway.failure());
      return listens(port);
    });
  }
  return gateway;
}

/** Whether anybody listens on a loopback port. */
export function listens(port) {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}
