// permessage-deflate between page and server, and extensions that a browser refuses.
import { echo, frame, sendByHand } from "./backend.mjs";
import { broken, ended, failed, opened, text } from "./check.mjs";

/** The page sends text that compresses well and gets it back. */
const exchange = async ({ server }) => {
  const content = "high tide, low tide; ".repeat(10_000);
  const { socket, opened, closed, message } = dial(server);
  await opened;
  const same = [];
  for (let round = 0; round < 3; round += 1) {
    socket.send(content);
    same.push((await message()) === content);
  }
  socket.close(1000);
  return { extensions: socket.extensions, same, end: (await closed).at(-1) };
};

/** Echoes; saw what was offered, and whether 600 KB came in as less than a tenth of that. */
const deflating = (deflate) => async (upgrade) => {
  const ending = await echo(upgrade, { deflate });
  const offered = upgrade.header("sec-websocket-extensions");
  return { offered, compressed: upgrade.socket.bytesRead < 60_000, ...ending };
};

const OFFERED = "permessage-deflate; client_max_window_bits";

const fine = (extensions, compressed) => ({
  page: { extensions, same: [true, true, true], end: ended(1000) },
  backend: [{ offered: OFFERED, compressed, code: 1000, reason: "" }],
});

export const extensionChecks = [
  {
    name: "permessage-deflate is negotiated, named and used",
    backend: deflating({ threshold: 0 }),
    page: exchange,
    standard: fine("permessage-deflate", true),
  },
  {
    name: "permessage-deflate with parameters is negotiated, named and used",
    backend: deflating({
      threshold: 0,
      serverNoContextTakeover: true,
      clientNoContextTakeover: true,
      serverMaxWindowBits: 10,
      clientMaxWindowBits: 10,
    }),
    page: exchange,
    standard: fine(
      "permessage-deflate; client_max_window_bits=10; " +
        "server_no_context_takeover; client_no_context_takeover; server_max_window_bits=10",
      true,
    ),
  },
  {
    name: "permessage-deflate is offered, but not forced upon a server",
    backend: deflating(false),
    page: exchange,
    standard: fine("", false),
  },
  {
    name: "an extension that was not offered, or with unknown parameters, is refused",
    backend: async (upgrade) => {
      const line = new URL(upgrade.request.url, "ws://server").searchParams.get("select");
      upgrade.acceptByHand([`Sec-WebSocket-Extensions: ${line}`]);
      await upgrade.gone();
      return line;
    },
    page: async ({ server }) => {
      const lists = [];
      for (const line of ["x-tide", "permessage-deflate; tide=1", "permessage-deflate, permessage-deflate"])
        lists.push(await untilClosed(`${server}/?select=${encodeURIComponent(line)}`));
      return lists;
    },
    standard: {
      page: Array(3).fill([failed, broken]),
      backend: ["x-tide", "permessage-deflate; tide=1", "permessage-deflate, permessage-deflate"],
    },
  },
  {
    name: "a compressed message that cannot be inflated fails the connection",
    backend: (upgrade) =>
      sendByHand(upgrade, frame(0xc1, [0xff, 0xff, 0xff]), ["Sec-WebSocket-Extensions: permessage-deflate"]),
    page: async ({ server }) => {
      const { socket, closed, message } = dial(server);
      await message();
      socket.send("go on");
      return closed;
    },
    standard: { page: [opened, text("before"), failed, broken], backend: [1002] },
  },
];
