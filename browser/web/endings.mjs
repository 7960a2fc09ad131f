// Closed by the server, with a Close frame or without.
//
// Two things that Chromium does its own way, whoever the server is: where the TCP connection is lost without a Close
// (RFC 6455 §7.2.1) it fires no error event before its close event with 1006, and text that is not UTF-8 it answers
// with a Close 1002 rather than 1007.
import { closeCodeFrom, closed, frame, sendByHand } from "./backend.mjs";
import { broken, ended, failed, opened, text } from "./check.mjs";

const REGISTERED = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014];
const FOR_APPLICATIONS = [3000, 3999, 4000, 4999];

const BROKE_OFF = {
  why: "the gateway says 1011 for a backend that broke off",
  page: [opened, text("before"), ended(1011)],
};

/** One connection for each ending; the page asks for it by its place in the list. */
const each = (endings, end) => ({
  backend: (upgrade) => end(upgrade, endings[Number(upgrade.request.url.slice(1))]),
  given: { count: endings.length },
  page: async ({ server, count }) => {
    const lists = [];
    for (let index = 0; index < count; index += 1) {
      const { socket, closed } = dial(`${server}/${index}`);
      socket.addEventListener("message", () => socket.send("go on"));
      lists.push(await closed);
    }
    return lists;
  },
});

function closeWith(upgrade, how) {
  const socket = upgrade.accept();
  socket.close(...how);
  return closed(socket);
}

export const endingChecks = [
  {
    name: "every registered code of the server's Close arrives",
    ...each(
      REGISTERED.map((code) => [code]),
      closeWith,
    ),
    standard: {
      page: REGISTERED.map((code) => [opened, ended(code)]),
      backend: REGISTERED.map((code) => ({ code, reason: "" })),
    },
  },
  {
    name: "the server's own codes and reasons arrive",
    ...each(
      FOR_APPLICATIONS.map((code) => [code, `because ${code} – 潮`]),
      closeWith,
    ),
    standard: {
      page: FOR_APPLICATIONS.map((code) => [opened, ended(code, `because ${code} – 潮`)]),
      backend: FOR_APPLICATIONS.map((code) => ({ code, reason: `because ${code} – 潮` })),
    },
    byDesign: {
      why: "the gateway answers a backend's Close at once, with the code alone",
      backend: FOR_APPLICATIONS.map((code) => ({ code, reason: "" })),
    },
  },
  {
    name: "the server's Close without a code is 1005 and clean",
    backend: (upgrade) => closeWith(upgrade, []),
    page: ({ server }) => untilClosed(server),
    standard: { page: [opened, ended(1005)], backend: [{ code: 1005, reason: "" }] },
  },
  {
    name: "messages before the server's Close are all delivered",
    backend: (upgrade) => {
      const socket = upgrade.accept();
      for (let number = 1; number <= 50; number += 1) socket.send(`${number}`);
      socket.send("x".repeat(300_000));
      socket.close(4000);
      return closed(socket);
    },
    page: ({ server }) => untilClosed(server),
    standard: {
      page: [
        opened,
        ...Array.from({ length: 50 }, (_, index) => text(`${index + 1}`)),
        { event: "message", state: 1, characters: 300_000 },
        ended(4000),
      ],
      backend: [{ code: 4000, reason: "" }],
    },
  },
  {
    name: "page and server close at the same moment",
    backend: (upgrade) => {
      upgrade.acceptByHand();
      // The server's Close leaves when the page's has arrived, but is not the answer to it.
      upgrade.socket.once("data", () => upgrade.socket.end(frame(0x88, [0x0f, 0xa1])));
      return closeCodeFrom(upgrade);
    },
    page: async ({ server }) => {
      const { socket, opened, closed } = dial(server);
      await opened;
      socket.close(4000);
      return closed;
    },
    standard: { page: [opened, ended(4001)], backend: [4000] },
  },
  {
    name: "the server ends its TCP connection instead of answering the page's Close",
    backend: (upgrade) => {
      upgrade.acceptByHand();
      upgrade.socket.once("data", () => upgrade.socket.end());
      return closeCodeFrom(upgrade);
    },
    page: async ({ server }) => {
      const { socket, opened, closed } = dial(server);
      await opened;
      socket.close(4000, "bye");
      return closed;
    },
    standard: { page: [opened, broken], backend: [4000] },
    byDesign: {
      why: "the gateway answers a client's Close where the backend ends without an answer",
      page: [opened, ended(4000)],
    },
  },
  {
    name: "the server ends its TCP connection without a Close",
    backend: (upgrade) => {
      upgrade.acceptByHand();
      upgrade.socket.end(frame(0x81, "before"));
      return closeCodeFrom(upgrade);
    },
    page: ({ server }) => untilClosed(server),
    standard: { page: [opened, text("before"), broken], backend: ["no Close"] },
    byDesign: BROKE_OFF,
  },
  {
    name: "the server resets its TCP connection",
    backend: async (upgrade) => {
      const socket = upgrade.accept();
      socket.on("message", () => upgrade.reset());
      socket.send("before");
      return closed(socket);
    },
    page: async ({ server }) => {
      const { socket, message, closed } = dial(server);
      await message();
      socket.send("now");
      return closed;
    },
    standard: {
      page: [opened, text("before"), broken],
      backend: [{ code: 1006, reason: "" }],
    },
    byDesign: BROKE_OFF,
  },
  {
    name: "a message that the server breaks off between two frames is never delivered",
    backend: (upgrade) => {
      upgrade.acceptByHand();
      upgrade.socket.end(Buffer.concat([frame(0x81, "before"), frame(0x01, "unfinished")]));
      return closeCodeFrom(upgrade);
    },
    page: ({ server }) => untilClosed(server),
    standard: { page: [opened, text("before"), broken], backend: ["no Close"] },
    byDesign: BROKE_OFF,
  },
  {
    name: "a message that the server breaks off inside a frame is never delivered",
    backend: (upgrade) => {
      upgrade.acceptByHand();
      upgrade.socket.end(
        Buffer.concat([frame(0x81, "before"), frame(0x81, "x".repeat(1000)).subarray(0, 500)]),
      );
      return closeCodeFrom(upgrade);
    },
    page: ({ server }) => untilClosed(server),
    standard: { page: [opened, text("before"), broken], backend: ["no Close"] },
  },
  {
    name: "text that is not UTF-8 fails the connection",
    ...each([Buffer.from([0xff]), Buffer.from([0x61, 0xc3])], (upgrade, bytes) =>
      sendByHand(upgrade, frame(0x81, bytes)),
    ),
    standard: {
      page: Array(2).fill([opened, text("before"), failed, broken]),
      backend: [1002, 1002],
    },
  },
  {
    name: "frames that the protocol forbids fail the connection, and the server is told 1002",
    ...each(
      [
        frame(0x81, "masked", { mask: true }),
        frame(0xc1, "reserved bit"),
        frame(0x83, "reserved opcode"),
        frame(0x80, "continues nothing"),
        Buffer.concat([frame(0x01, "a message"), frame(0x81, "inside another")]),
        frame(0x09, "fragmented ping"),
        frame(0x89, "x".repeat(126)),
        frame(0x88, [3]),
        frame(0x88, [0x03, 0xee]), // 1006
      ],
      sendByHand,
    ),
    standard: {
      page: Array(9).fill([opened, text("before"), failed, broken]),
      backend: Array(9).fill(1002),
    },
    byDesign: {
      why: "the gateway says 1014 for a backend that broke the protocol",
      page: Array(9).fill([opened, text("before"), ended(1014)]),
    },
  },
];
