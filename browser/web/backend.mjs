// A WebSocket backend, plain and TLS, that does with each upgrade whatever the check under way says.
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createRequire } from "node:module";
import { join } from "node:path";
import { listen } from "./listen.mjs";

const { WebSocketServer } = createRequire(join(process.env.TIDEGATE_BROWSER_MODULES, "main.cjs"))("ws");

const KEY_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const MESSAGE_BYTES_MAX = 64 * 1024 * 1024;

export class Backend {
  /** The TCP connections by their ports; below TLS, where there is TLS. */
  #connections = new Map();
  #behaviour = null;
  #visits = [];
  #arrived = null;

  /** Listens on two loopback ports, `ports.ws` and `ports.wss`, until the scope ends. */
  static async start(scope, certificate) {
    const backend = new Backend();
    backend.ports = await listen(scope, certificate, (server) => {
      server.on("connection", (socket) => backend.#keep(socket));
      server.on("upgrade", (...upgrade) => backend.#begin(new Upgrade(...upgrade, backend.#connections)));
    });
    scope.defer(() => backend.drop());
    return backend;
  }

  /**
   * From now on every upgrade is `behaviour`'s. `visits` are its promises, one for each upgrade in the order of
   * arrival: what it resolves to is what the backend saw. `arrived` resolves to the first upgrade.
   */
  serve(behaviour) {
    this.#behaviour = behaviour;
    this.#visits = [];
    const arrived = new Promise((resolve) => {
      this.#arrived = resolve;
    });
    return { visits: this.#visits, arrived };
  }

  /** Ends whatever a failed check has left open. */
  drop() {
    for (const socket of this.#connections.values()) socket.destroy();
  }

  #keep(socket) {
    const key = portsOf(socket);
    this.#connections.set(key, socket);
    socket.on("close", () => this.#connections.delete(key));
  }

  #begin(upgrade) {
    upgrade.socket.on("error", () => {}); // a reset by the far side; the behaviour sees the end itself
    const visit = (async () => this.#behaviour(upgrade))();
    visit.catch(() => upgrade.socket.destroy());
    this.#visits.push(visit);
    this.#arrived(upgrade);
  }
}

const portsOf = ({ localPort, remotePort }) => `${localPort} ${remotePort}`;

/** One upgrade request that has not been answered yet. */
class Upgrade {
  #head;
  #connections;

  constructor(request, socket, head, connections) {
    this.request = request;
    this.socket = socket;
    this.#head = head;
    this.#connections = connections;
  }

  header(name) {
    return this.request.headers[name];
  }

  /** What proves that this very request was read (RFC 6455 §4.2.2). */
  acceptKey() {
    return createHash("sha1")
      .update(`${this.header("sec-websocket-key")}${KEY_GUID}`)
      .digest("base64");
  }

  /** Answers 101 with the `ws` library; `headers` are added lines, `deflate` its permessage-deflate options. */
  accept({ protocol, headers = [], deflate = false } = {}) {
    const server = new WebSocketServer({
      noServer: true,
      perMessageDeflate: deflate,
      handleProtocols: () => protocol ?? false,
      maxPayload: MESSAGE_BYTES_MAX,
    });
    server.on("headers", (lines) => lines.push(...headers));
    let accepted;
    server.handleUpgrade(this.request, this.socket, this.#head, (socket) => {
      accepted = socket;
    });
    accepted.on("error", () => {}); // its close event follows, with 1006
    return accepted;
  }

  /** Answers 101 by hand, for what no library would send; `lines` are added to those of the standard. */
  acceptByHand(lines = []) {
    this.answer("101 Switching Protocols", [
      "Upgrade: websocket",
      "Connection: Upgrade",
      `Sec-WebSocket-Accept: ${this.acceptKey()}`,
      ...lines,
    ]);
  }

  /** Any answer, with exactly these header lines. */
  answer(status, lines, body = "") {
    this.socket.write([`HTTP/1.1 ${status}`, ...lines, "", body].join("\r\n"));
  }

  /** Any answer but 101, after which the connection ends. */
  async refuse(status, lines = [], body = "") {
    this.answer(status, [`Content-Length: ${body.length}`, "Connection: close", ...lines], body);
    this.socket.end();
    await this.gone();
  }

  /** Ends the TCP connection with a RST. */
  reset() {
    this.#connections.get(portsOf(this.socket)).resetAndDestroy();
  }

  /** Resolves once the connection is over in both directions. */
  async gone() {
    this.socket.on("end", () => this.socket.end());
    this.socket.resume();
    if (!this.socket.closed) await new Promise((resolve) => this.socket.on("close", resolve));
  }
}

/** How a connection ended for the backend: 1005 is a Close without a code, 1006 no Close at all. */
export function closed(socket) {
  return new Promise((resolve) =>
    socket.on("close", (code, reason) => resolve({ code, reason: reason.toString() })),
  );
}

/** Sends every message back as it came. */
export function echo(upgrade, options) {
  const socket = upgrade.accept(options);
  socket.on("message", (data, binary) => socket.send(data, { binary }));
  return closed(socket);
}

/** Sends one text message, and these bytes when the page has answered it; resolves to the page's Close code. */
export async function sendByHand(upgrade, bytes, lines) {
  upgrade.acceptByHand(lines);
  upgrade.socket.write(frame(0x81, "before"));
  await once(upgrade.socket, "data");
  upgrade.socket.write(bytes);
  return closeCodeFrom(upgrade);
}

/** The code of the Close frame that is all the page still sends. */
export async function closeCodeFrom(upgrade) {
  const received = [];
  upgrade.socket.on("data", (chunk) => {
    received.push(chunk);
    upgrade.socket.end();
  });
  await upgrade.gone();
  const bytes = Buffer.concat(received);
  if (bytes.length === 0) return "no Close";
  // Two bytes of head, four of mask.
  if (bytes[0] !== 0x88 || (bytes[1] & 0x7f) < 2) return bytes.toString("hex");
  return Buffer.from([bytes[6] ^ bytes[2], bytes[7] ^ bytes[3]]).readUInt16BE();
}

/** A server's frame: unmasked, whatever its first byte. `mask` adds the mask that a server must not use. */
export function frame(firstByte, payload, { mask = false } = {}) {
  const bytes = Buffer.from(payload);
  if (bytes.length > 0xffff) throw new Error("made for small frames");
  const long = bytes.length > 125;
  const head = Buffer.from([firstByte, (mask ? 0x80 : 0) | (long ? 126 : bytes.length)]);
  const length = long ? Buffer.from([bytes.length >> 8, bytes.length & 0xff]) : Buffer.alloc(0);
  // A mask of zeros leaves the payload as it is.
  return Buffer.concat([head, length, mask ? Buffer.alloc(4) : Buffer.alloc(0), bytes]);
}
