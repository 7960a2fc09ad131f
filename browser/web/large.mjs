// Messages around the sizes at which frames change their shape, and far above them.
import { createHash } from "node:crypto";
import { closed, echo } from "./backend.mjs";
import { ended } from "./check.mjs";
import "./pattern.js";

// 7, 16 and 64 bits of length (RFC 6455 §5.2), and the gateway's default limit, which is raised here.
const SIZES = [125, 126, 127, 65_535, 65_536, 65_537, 2 ** 20, 2 ** 20 + 1];
const LARGE = 2 ** 24;

const digest = (data) => createHash("sha256").update(data).digest("hex");

const patternDigest = (length, seed) => digest(globalThis.pattern(length, seed));

export const largeChecks = [
  {
    name: "messages of 125 bytes to 1 MiB come back with the same checksum, as text and as binary",
    backend: echo,
    given: { sizes: SIZES },
    bulk: async ({ server, sizes }) => {
      const { socket, opened, closed, message } = dial(server);
      socket.binaryType = "arraybuffer";
      await opened;
      const digests = [];
      for (const size of sizes) {
        socket.send(pattern(size, size));
        digests.push(await sha256(await message()));
        socket.send("t".repeat(size));
        digests.push(await sha256(await message()));
      }
      socket.close(1000);
      return { digests, end: (await closed).at(-1) };
    },
    standard: {
      page: {
        digests: SIZES.flatMap((size) => [patternDigest(size, size), digest("t".repeat(size))]),
        end: ended(1000),
      },
      backend: [{ code: 1000, reason: "" }],
    },
  },
  {
    name: "16 MiB arrive whole, from the page and from the server",
    backend: async (upgrade) => {
      const socket = upgrade.accept();
      const received = [];
      socket.on("message", (data) => {
        received.push(digest(data));
        socket.send(globalThis.pattern(LARGE, 2));
      });
      return { received, ...(await closed(socket)) };
    },
    given: { size: LARGE },
    bulk: async ({ server, size }) => {
      const { socket, opened, closed, message } = dial(server);
      socket.binaryType = "arraybuffer";
      await opened;
      socket.send(pattern(size, 1));
      const received = await sha256(await message());
      socket.close(1000);
      return { received, end: (await closed).at(-1) };
    },
    standard: {
      page: { received: patternDigest(LARGE, 2), end: ended(1000) },
      backend: [{ received: [patternDigest(LARGE, 1)], code: 1000, reason: "" }],
    },
  },
  {
    name: "4 MiB of text in characters of four bytes come back whole",
    backend: echo,
    bulk: async ({ server }) => {
      const wave = "🌊".repeat(2 ** 20);
      const { socket, opened, closed, message } = dial(server);
      await opened;
      socket.send(wave);
      const same = (await message()) === wave;
      socket.close(1000);
      return { same, end: (await closed).at(-1) };
    },
    standard: { page: { same: true, end: ended(1000) }, backend: [{ code: 1000, reason: "" }] },
  },
];
