// An X server that is also a VNC server, something to see on it, and its pixels as X itself reports them.
import { access, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { freePort, run, until } from "./process.mjs";

const GEOMETRY = "800x600";
const BANNER = `
  This desktop is an X server on a plain TCP port.
  The browser sees it through tidegate, as a WebSocket.

  Type here:
`;

/** Xvnc on loopback without a password, on the first free display. */
export async function startDesktop(scope) {
  const port = await freePort();
  const directory = await scope.directory();
  const server = scope.start(
    "Xvnc",
    [
      "-displayfd",
      "3",
      "-geometry",
      GEOMETRY,
      "-depth",
      "24",
      "-SecurityTypes",
      "None",
      "-localhost",
      "-rfbport",
      String(port),
      "-nolisten",
      "tcp",
    ],
    { stdio: ["ignore", "ignore", "pipe", "pipe"] },
  );
  let number = "";
  server.child.stdio[3].on("data", (chunk) => {
    number += chunk;
  });
  await until("the X server names its display", () => {
    if (server.failure()) throw new Error(server.failure());
    return number.endsWith("\n");
  });
  const desktop = new Desktop(scope, directory, `:${number.trim()}`, port);
  await desktop.furnish();
  return desktop;
}

class Desktop {
  #scope;
  #directory;
  #env;

  constructor(scope, directory, display, port) {
    this.#scope = scope;
    this.#directory = directory;
    this.#env = { ...process.env, DISPLAY: display };
    /** Where the VNC server listens. */
    this.port = port;
  }

  /** A plain background, a logo, and a terminal that writes what is typed into a file. */
  async furnish() {
    await this.#x("xsetroot", "-solid", "#8a3b52");
    await writeFile(join(this.#directory, "banner"), BANNER);
    this.#start("xlogo", "-geometry", "130x130+620+420", "-fg", "#0f8b8d", "-bg", "#f4f7f8");
    this.#start(
      "xterm",
      "-geometry",
      "70x16+40+40",
      "-fa",
      "DejaVu Sans Mono",
      "-fs",
      "11",
      "-bg",
      "#0e161a",
      "-fg",
      "#e3ecef",
      "-e",
      "sh",
      "-c",
      'cat "$1/banner"; exec cat >"$1/typed"',
      "sh",
      this.#directory,
    );
    await until("the terminal is ready", () =>
      access(join(this.#directory, "typed")).then(
        () => true,
        () => false,
      ),
    );
  }

  /** Another background, which changes most pixels of the screen: a grid in two colours. */
  async repaint() {
    await this.#x("xsetroot", "-mod", "16", "16", "-fg", "#2f6f86", "-bg", "#17465a");
  }

  /** All lines typed into the terminal so far. */
  async typed() {
    return readFile(join(this.#directory, "typed"), "utf8");
  }

  async pixels() {
    return parseXwd(await this.#x("xwd", "-root", "-silent"));
  }

  #x(program, ...args) {
    return run(program, args, { env: this.#env });
  }

  #start(program, ...args) {
    this.#scope.start(program, args, { env: this.#env });
  }
}

/** A dump of a 24-bit screen as { width, height, rgb }. The header is 25 big-endian words (X11/XWDFile.h). */
function parseXwd(dump) {
  const word = (index) => dump.readUInt32BE(index * 4);
  const [headerSize, width, height, byteOrder, bitsPerPixel, stride, colours] = [0, 4, 5, 7, 11, 12, 19].map(
    word,
  );
  if (byteOrder !== 0 || bitsPerPixel !== 32) throw new Error("the screen dump is not 32-bit little-endian");
  const start = headerSize + colours * 12;
  const rgb = Buffer.alloc(width * height * 3);
  for (let y = 0, to = 0; y < height; y += 1) {
    for (let x = 0, from = start + y * stride; x < width; x += 1, from += 4) {
      rgb[to++] = dump[from + 2];
      rgb[to++] = dump[from + 1];
      rgb[to++] = dump[from];
    }
  }
  return { width, height, rgb };
}
