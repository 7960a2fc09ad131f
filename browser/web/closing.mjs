// Closed by the page.
import { closed, echo } from "./backend.mjs";
import { ended, opened, text } from "./check.mjs";

const REASON_123 = `${"ü".repeat(61)}x`;

export const closingChecks = [
  {
    name: "close without arguments is 1005 and clean on both sides",
    backend: echo,
    page: async ({ server }) => {
      const { socket, opened, closed } = dial(server);
      await opened;
      socket.close();
      socket.close(); // no second Close
      return closed;
    },
    standard: { page: [opened, ended(1005)], backend: [{ code: 1005, reason: "" }] },
  },
  {
    name: "close with 1000, 3000 to 4999 and reasons arrives, and its answer",
    backend: echo,
    page: async ({ server }) => {
      const endings = [];
      for (const how of [[1000], [1000, "done"], [3000, "three"], [3999], [4000, "four"], [4999, "ebb 🌊"]]) {
        const { socket, opened, closed } = dial(server);
        await opened;
        socket.close(...how);
        endings.push((await closed).at(-1));
      }
      return endings;
    },
    standard: {
      page: [
        ended(1000),
        ended(1000, "done"),
        ended(3000, "three"),
        ended(3999),
        ended(4000, "four"),
        ended(4999, "ebb 🌊"),
      ],
      backend: [
        { code: 1000, reason: "" },
        { code: 1000, reason: "done" },
        { code: 3000, reason: "three" },
        { code: 3999, reason: "" },
        { code: 4000, reason: "four" },
        { code: 4999, reason: "ebb 🌊" },
      ],
    },
  },
  {
    name: "a reason of 123 bytes is whole, and a lone surrogate in it is replaced",
    backend: echo,
    page: async ({ server }) => {
      const endings = [];
      for (const reason of [`${"ü".repeat(61)}x`, "a\ud800b"]) {
        const { socket, opened, closed } = dial(server);
        await opened;
        socket.close(4000, reason);
        endings.push((await closed).at(-1));
      }
      return endings;
    },
    standard: {
      page: [ended(4000, REASON_123), ended(4000, "a\ufffdb")],
      backend: [
        { code: 4000, reason: REASON_123 },
        { code: 4000, reason: "a\ufffdb" },
      ],
    },
  },
  {
    name: "close refuses other codes and longer reasons, and the connection goes on",
    backend: echo,
    page: async ({ server }) => {
      const { socket, events, opened, closed, message } = dial(server);
      await opened;
      const thrown = [0, 999, 1001, 1005, 1006, 2999, 5000].map((code) => thrownBy(() => socket.close(code)));
      thrown.push(thrownBy(() => socket.close(1000, "ü".repeat(62))));
      socket.send("still open");
      await message();
      socket.close(1000);
      await closed;
      return { thrown, events };
    },
    standard: {
      page: {
        thrown: [...Array(7).fill("InvalidAccessError"), "SyntaxError"],
        events: [opened, text("still open"), ended(1000)],
      },
      backend: [{ code: 1000, reason: "" }],
    },
  },
  {
    name: "what is sent right before close arrives, what is sent after it does not",
    backend: async (upgrade) => {
      const socket = upgrade.accept();
      const received = [];
      socket.on("message", (data) => received.push(data.toString()));
      return { received, ...(await closed(socket)) };
    },
    page: async ({ server }) => {
      const { socket, opened, closed } = dial(server);
      await opened;
      socket.send("first");
      socket.send(new Blob(["second"])); // read asynchronously, and still before the Close
      socket.send("third");
      socket.close(1000);
      socket.send("late");
      return closed;
    },
    standard: {
      page: [opened, ended(1000)],
      backend: [{ received: ["first", "second", "third"], code: 1000, reason: "" }],
    },
  },
  {
    name: "a message that arrives after close was called is not delivered",
    backend: (upgrade) => {
      const socket = upgrade.accept();
      // `ws` answers a Close at once, so the message overtakes it here, before the Close is read.
      upgrade.socket.prependOnceListener("data", () => socket.send("too late"));
      return closed(socket);
    },
    page: async ({ server }) => {
      const { socket, opened, closed } = dial(server);
      await opened;
      socket.close(1000);
      return closed;
    },
    standard: { page: [opened, ended(1000)], backend: [{ code: 1000, reason: "" }] },
  },
  {
    name: "close from within the open event and from within a message event",
    backend: echo,
    page: async ({ server }) => {
      const first = dial(server);
      first.socket.addEventListener("open", () => first.socket.close(4001));
      const second = dial(server);
      second.socket.addEventListener("open", () => {
        for (const word of ["one", "two"]) second.socket.send(word);
      });
      second.socket.addEventListener("message", () => second.socket.close(4002));
      return [await first.closed, await second.closed];
    },
    standard: {
      page: [
        [opened, ended(4001)],
        [opened, text("one"), ended(4002)],
      ],
      backend: [
        { code: 4001, reason: "" },
        { code: 4002, reason: "" },
      ],
    },
  },
];
