// bufferedAmount: what a page can know of how fast its messages leave.
import { closed } from "./backend.mjs";
import { ended, opened } from "./check.mjs";

/** Reads everything; saw how much it was. */
const swallow = (upgrade) => swallowed(upgrade.accept());

async function swallowed(socket) {
  let bytes = 0;
  socket.on("message", (data) => {
    bytes += data.length;
  });
  return { ...(await closed(socket)), bytes };
}

/** Reads nothing until another WebSocket comes for /release. */
function heldBack() {
  let held;
  return (upgrade) => {
    const socket = upgrade.accept();
    if (upgrade.request.url === "/release") {
      held.resume();
      socket.close(1000);
      return "released";
    }
    socket.pause();
    held = socket;
    return swallowed(socket);
  };
}

export const bufferedChecks = [
  {
    name: "bufferedAmount grows by the bytes of each send in a turn, and returns to 0",
    backend: swallow,
    page: async ({ server }) => {
      const { socket, opened, closed } = dial(server);
      const amounts = [socket.bufferedAmount];
      await opened;
      for (const data of ["", "ü🌊", new Uint8Array(1000), new ArrayBuffer(70_000), new Blob(["12345"])]) {
        socket.send(data);
        amounts.push(socket.bufferedAmount);
      }
      while (socket.bufferedAmount > 0) await new Promise((done) => setTimeout(done, 5));
      socket.close(1000);
      return { amounts, end: (await closed).at(-1) };
    },
    standard: {
      page: { amounts: [0, 0, 6, 1006, 71_006, 71_011], end: ended(1000) },
      backend: [{ code: 1000, reason: "", bytes: 71_011 }],
    },
  },
  {
    name: "bufferedAmount counts what is sent after close, and keeps it",
    backend: swallow,
    page: async ({ server }) => {
      const { socket, opened, closed } = dial(server);
      await opened;
      socket.close(1000);
      const amounts = [socket.bufferedAmount];
      socket.send(new Uint8Array(100));
      amounts.push(socket.bufferedAmount);
      const events = await closed;
      amounts.push(socket.bufferedAmount);
      socket.send("late");
      amounts.push(socket.bufferedAmount);
      return { amounts, events };
    },
    standard: {
      page: { amounts: [0, 100, 100, 104], events: [opened, ended(1000)] },
      backend: [{ code: 1000, reason: "", bytes: 0 }],
    },
  },
  {
    name: "bufferedAmount does not return to 0 while the server does not read",
    backend: heldBack(),
    bulk: async ({ server }) => {
      const { socket, opened, closed } = dial(server);
      await opened;
      socket.send(new Uint8Array(2 ** 25));
      // Far more than the sockets on the way may hold, so it cannot all leave, however long this looks.
      const pause = () => new Promise((done) => setTimeout(done, 3));
      for (let look = 0; look < 100 && socket.bufferedAmount > 0; look += 1) await pause();
      const held = socket.bufferedAmount > 0;
      await untilClosed(`${server}/release`);
      while (socket.bufferedAmount > 0) await pause();
      socket.close(1000);
      return { held, events: await closed };
    },
    standard: {
      page: { held: true, events: [opened, ended(1000)] },
      backend: [{ code: 1000, reason: "", bytes: 2 ** 25 }, "released"],
    },
  },
];
