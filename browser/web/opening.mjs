// From the constructor to the open event, and what a page may do before it.
import { closed, echo } from "./backend.mjs";
import { broken, ended, failed, opened, text } from "./check.mjs";

export const openingChecks = [
  {
    name: "open, message and close come once, in order, each with its readyState",
    backend: echo,
    page: async ({ server }) => {
      const { socket, events, opened, closed, message } = dial(`${server}/`);
      const states = [socket.readyState];
      await opened;
      socket.send("tide");
      await message();
      states.push(socket.readyState);
      socket.close();
      states.push(socket.readyState);
      await closed;
      states.push(socket.readyState);
      return { states, events, url: socket.url, kind: socket.binaryType };
    },
    standard: {
      page: {
        states: [0, 1, 2, 3],
        events: [opened, text("tide"), ended(1005)],
        url: "<server>/",
        kind: "blob",
      },
      backend: [{ code: 1005, reason: "" }],
    },
  },
  {
    name: "what the server sends with its 101 comes after open",
    backend: (upgrade) => {
      const socket = upgrade.accept();
      for (const word of ["one", "two"]) socket.send(word);
      socket.close(1000);
      return closed(socket);
    },
    page: ({ server }) => untilClosed(server),
    standard: {
      page: [opened, text("one"), text("two"), ended(1000)],
      backend: [{ code: 1000, reason: "" }],
    },
  },
  {
    name: "send before open throws, and the connection opens nevertheless",
    backend: echo,
    page: async ({ server }) => {
      const { socket, events, opened, closed, message } = dial(server);
      const thrown = thrownBy(() => socket.send("too early"));
      await opened;
      socket.send("in time");
      await message();
      socket.close();
      await closed;
      return { thrown, events };
    },
    standard: {
      page: { thrown: "InvalidStateError", events: [opened, text("in time"), ended(1005)] },
      backend: [{ code: 1005, reason: "" }],
    },
  },
  {
    name: "close before open fails the connection, and the server sees the request abandoned",
    backend: async (upgrade) => {
      await upgrade.gone(); // never answered
      return "gone";
    },
    drive: async ({ tab, server, arrived }) => {
      await tab.evaluate((server) => {
        globalThis.dialled = dial(server);
      }, server);
      await arrived;
      return tab.evaluate(() => {
        const { socket, closed } = globalThis.dialled;
        socket.close(1000, "changed my mind");
        return Promise.all([socket.readyState, closed]);
      });
    },
    standard: { page: [2, [failed, broken]], backend: ["gone"] },
  },
  {
    name: "two WebSockets to one host at once do not see each other's messages",
    backend: (upgrade) => {
      const socket = upgrade.accept();
      socket.on("message", (data) => socket.send(`${upgrade.request.url} ${data}`));
      return closed(socket);
    },
    page: async ({ server }) => {
      const both = [dial(`${server}/left`), dial(`${server}/right`)];
      await Promise.all(both.map(({ opened }) => opened));
      for (const word of ["one", "two"]) for (const { socket } of both) socket.send(word);
      for (const { message } of both) await message().then(message);
      both[0].socket.close(1000);
      await both[0].closed;
      both[1].socket.send("still here");
      await both[1].message();
      both[1].socket.close(1000);
      await both[1].closed;
      return both.map(({ events }) => events);
    },
    standard: {
      page: [
        [opened, text("/left one"), text("/left two"), ended(1000)],
        [opened, text("/right one"), text("/right two"), text("/right still here"), ended(1000)],
      ],
      backend: [
        { code: 1000, reason: "" },
        { code: 1000, reason: "" },
      ],
    },
  },
];
