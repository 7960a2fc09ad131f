// Messages of every type and kind, there and back.
import { closed, echo, frame } from "./backend.mjs";
import { ended, opened, text } from "./check.mjs";

/** Resolves to what was received, each message as its type and bytes, when the page has closed. */
async function collect(upgrade) {
  const socket = upgrade.accept();
  const received = [];
  socket.on("message", (data, binary) =>
    received.push(`${binary ? "binary" : "text"} ${data.toString("hex")}`),
  );
  await closed(socket);
  return received;
}

const hexOf = (content) => Buffer.from(content).toString("hex");

const CONTENTS = [
  "",
  "Hello",
  "naïve – 潮汐 – 🌊𝄞",
  "before\u0000after",
  "\ufeffwith a byte order mark",
  "\u2028\u2029 \r\n \u{10ffff} \uffff",
];

export const messageChecks = [
  {
    name: "text of every kind comes back as it was sent",
    backend: echo,
    given: { contents: CONTENTS },
    page: async ({ server, contents }) => {
      const { socket, opened, closed } = dial(server);
      await opened;
      for (const content of contents) socket.send(content);
      socket.addEventListener("message", ({ data }) => data === contents.at(-1) && socket.close(1000));
      return closed;
    },
    standard: {
      page: [opened, ...CONTENTS.map(text), ended(1000)],
      backend: [{ code: 1000, reason: "" }],
    },
  },
  {
    name: "lone surrogates are sent as U+FFFD",
    backend: collect,
    page: async ({ server }) => {
      const { socket, opened, closed } = dial(server);
      await opened;
      for (const content of ["\ud800", "a\udc00b", "\udc00\ud800", "\ud83c\udf0a\ud83c"])
        socket.send(content);
      socket.close();
      await closed;
    },
    standard: {
      backend: [
        ["\ufffd", "a\ufffdb", "\ufffd\ufffd", "🌊\ufffd"].map((content) => `text ${hexOf(content)}`),
      ],
    },
  },
  {
    name: "send takes strings, Blobs, buffers, views and anything else as text, in order",
    backend: collect,
    page: async ({ server }) => {
      const { socket, opened, closed } = dial(server);
      await opened;
      const bytes = Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7);
      socket.send(new Blob(["blob ", Uint8Array.of(255)]));
      socket.send(bytes.buffer);
      socket.send(bytes.subarray(2, 5));
      socket.send(new Uint16Array(bytes.buffer, 2, 1));
      socket.send(new Float64Array([1]));
      socket.send(new DataView(bytes.buffer, 6));
      socket.send(new Blob([]));
      socket.send(new ArrayBuffer(0));
      socket.send("");
      socket.send(42);
      socket.send(null);
      socket.send(new URLSearchParams({ a: 1 }));
      bytes.fill(9); // send has taken its copy
      socket.close();
      await closed;
    },
    standard: {
      backend: [
        [
          `binary ${hexOf("blob ")}ff`,
          "binary 0001020304050607",
          "binary 020304",
          "binary 0203",
          "binary 000000000000f03f",
          "binary 0607",
          "binary ",
          "binary ",
          "text ",
          `text ${hexOf("42")}`,
          `text ${hexOf("null")}`,
          `text ${hexOf("a=1")}`,
        ],
      ],
    },
  },
  {
    name: "binaryType decides, at each message, between Blob and ArrayBuffer",
    backend: echo,
    page: async ({ server }) => {
      const { socket, events, opened, closed, message } = dial(server);
      await opened;
      const bytes = Uint8Array.of(0, 127, 128, 255);
      const blobs = [];
      for (const type of ["blob", "arraybuffer", "neither", "blob"]) {
        socket.binaryType = type; // a value that is not one of the two is ignored
        socket.send(bytes);
        const data = await message();
        if (data instanceof Blob) blobs.push(hex(await data.arrayBuffer()), data.type);
        socket.send(new Uint8Array(0));
        await message();
      }
      socket.close(1000);
      await closed;
      return { blobs, events };
    },
    standard: {
      page: {
        blobs: ["007f80ff", "", "007f80ff", ""],
        events: [
          opened,
          ...[
            { blob: 4 },
            { blob: 0 },
            { hex: "007f80ff" },
            { hex: "" },
            { hex: "007f80ff" },
            { hex: "" },
          ].map((data) => ({ event: "message", state: 1, ...data })),
          { event: "message", state: 1, blob: 4 },
          { event: "message", state: 1, blob: 0 },
          ended(1000),
        ],
      },
      backend: [{ code: 1000, reason: "" }],
    },
  },
  {
    name: "many small messages come back complete and in order",
    backend: echo,
    bulk: async ({ server }) => {
      const count = 3000;
      const { socket, opened, closed } = dial(server);
      await opened;
      let [next, wrong] = [0, 0];
      socket.addEventListener("message", ({ data }) => {
        if (data !== `message ${next}`) wrong += 1;
        next += 1;
        if (next === count) socket.close(1000);
      });
      for (let number = 0; number < count; number += 1) socket.send(`message ${number}`);
      const events = await closed;
      return { next, wrong, end: events.at(-1), total: events.length };
    },
    standard: {
      page: { next: 3000, wrong: 0, end: ended(1000), total: 3002 },
      backend: [{ code: 1000, reason: "" }],
    },
  },
  {
    name: "a message in fragments, split inside a character and with pings between them, arrives as one",
    backend: async (upgrade) => {
      upgrade.acceptByHand();
      const wave = Buffer.from("🌊");
      const frames = [
        frame(0x01, "tide "),
        frame(0x89, "ping"),
        frame(0x00, wave.subarray(0, 1)),
        frame(0x00, ""),
        frame(0x8a, "a pong nobody asked for"),
        frame(0x00, wave.subarray(1)),
        frame(0x89, ""),
        frame(0x80, ""),
      ];
      for (const each of frames) upgrade.socket.write(each);
      upgrade.socket.write(frame(0x02, [1, 2]));
      upgrade.socket.write(frame(0x80, [3]));
      upgrade.socket.end(frame(0x88, [0x03, 0xe8]));
      await upgrade.gone();
    },
    page: ({ server }) => untilClosed(server),
    standard: {
      page: [opened, text("tide 🌊"), { event: "message", state: 1, blob: 3 }, ended(1000)],
      backend: [null],
    },
  },
];
