// WebSocketStream, the same protocol with streams in place of events.
import { closed, echo } from "./backend.mjs";

export const streamChecks = [
  {
    name: "WebSocketStream opens, echoes and closes",
    backend: (upgrade) => echo(upgrade, { protocol: "chat", deflate: true }),
    page: async ({ server }) => {
      const stream = new WebSocketStream(server, { protocols: ["chat", "superchat"] });
      const { readable, writable, protocol, extensions } = await stream.opened;
      const [reader, writer] = [readable.getReader(), writable.getWriter()];
      const chunks = [];
      for (const chunk of ["tide 🌊", "", Uint8Array.of(0, 255)]) {
        await writer.write(chunk);
        const { value } = await reader.read();
        chunks.push(typeof value === "string" ? value : hex(value));
      }
      stream.close({ closeCode: 4000, reason: "ebb" });
      const { closeCode, reason } = await stream.closed;
      return { protocol, extensions, chunks, closeCode, reason, done: (await reader.read()).done };
    },
    standard: {
      page: {
        protocol: "chat",
        extensions: "permessage-deflate",
        chunks: ["tide 🌊", "", "00ff"],
        closeCode: 4000,
        reason: "ebb",
        done: true,
      },
      backend: [{ code: 4000, reason: "ebb" }],
    },
  },
  {
    name: "WebSocketStream ends with what the server closes with",
    backend: (upgrade) => {
      const socket = upgrade.accept();
      socket.send("last words");
      socket.close(4001, "flood");
      return closed(socket).then(({ code }) => code);
    },
    page: async ({ server }) => {
      const stream = new WebSocketStream(server);
      const { readable } = await stream.opened;
      const chunks = [];
      for await (const chunk of readable) chunks.push(chunk);
      const { closeCode, reason } = await stream.closed;
      return { chunks, closeCode, reason };
    },
    standard: {
      page: { chunks: ["last words"], closeCode: 4001, reason: "flood" },
      backend: [4001],
    },
  },
  {
    name: "WebSocketStream that is refused rejects both of its promises",
    backend: async (upgrade) => {
      await upgrade.refuse("403 Forbidden");
    },
    page: async ({ server }) => {
      const stream = new WebSocketStream(server);
      const reasons = await Promise.allSettled([stream.opened, stream.closed]);
      return reasons.map(({ status, reason }) => [status, reason?.name]);
    },
    standard: {
      page: Array(2).fill(["rejected", "WebSocketError"]),
      backend: [null],
    },
  },
];
