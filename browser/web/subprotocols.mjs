// What a page offers, what a server selects, and which selections a browser refuses.
import { closed, echo } from "./backend.mjs";
import { broken, ended, failed, opened } from "./check.mjs";

/** Selects the name in the query by hand (`ws` refuses what was not offered), and sees what was offered. */
async function selectByHand(upgrade) {
  const lines = new URL(upgrade.request.url, "ws://server").searchParams.getAll("select");
  upgrade.acceptByHand(lines.map((name) => `Sec-WebSocket-Protocol: ${name}`));
  await upgrade.gone();
  return upgrade.header("sec-websocket-protocol") ?? null;
}

const offers = (protocol) => async (upgrade) => {
  const ending = await echo(upgrade, { protocol });
  return { offered: upgrade.header("sec-websocket-protocol"), ...ending };
};

export const subprotocolChecks = [
  {
    name: "one subprotocol, offered as a string and as a list",
    backend: offers("chat"),
    page: async ({ server }) => {
      const selected = [];
      for (const protocols of ["chat", ["chat"]]) {
        const { socket, opened, closed } = dial(server, protocols);
        const before = socket.protocol;
        await opened;
        socket.close(1000);
        await closed;
        selected.push([before, socket.protocol]);
      }
      return selected;
    },
    standard: {
      page: [
        ["", "chat"],
        ["", "chat"],
      ],
      backend: Array(2).fill({ offered: "chat", code: 1000, reason: "" }),
    },
  },
  {
    name: "of several subprotocols, offered in the page's order, the server selects the second",
    backend: offers("v2.chat"),
    page: async ({ server }) => {
      const { socket, opened, closed } = dial(server, ["v3.chat", "v2.chat", "!#$%&'*+-.^_`|~9"]);
      await opened;
      socket.close(1000);
      await closed;
      return socket.protocol;
    },
    standard: {
      page: "v2.chat",
      backend: [{ offered: "v3.chat, v2.chat, !#$%&'*+-.^_`|~9", code: 1000, reason: "" }],
    },
  },
  {
    name: "no subprotocol offered, none selected",
    backend: (upgrade) => {
      const socket = upgrade.accept();
      return closed(socket).then((ending) => ({
        offered: upgrade.header("sec-websocket-protocol") ?? null,
        ...ending,
      }));
    },
    page: async ({ server }) => {
      const lists = [];
      for (const protocols of [undefined, []]) {
        const { socket, opened, closed } = dial(server, protocols);
        await opened;
        socket.close(1000);
        lists.push([socket.protocol, await closed]);
      }
      return lists;
    },
    standard: {
      page: Array(2).fill(["", [opened, ended(1000)]]),
      backend: Array(2).fill({ offered: null, code: 1000, reason: "" }),
    },
  },
  {
    name: "a server that selects none of the offers is refused",
    backend: selectByHand,
    page: ({ server }) => untilClosed(server, ["chat", "superchat"]),
    standard: { page: [failed, broken], backend: ["chat, superchat"] },
  },
  {
    name: "a server that selects what was not offered, in another case, twice or in a list is refused",
    backend: selectByHand,
    page: async ({ server }) => {
      const lists = [];
      for (const query of [
        "select=other",
        "select=Chat",
        "select=chat&select=chat",
        "select=chat,%20superchat",
      ])
        lists.push(await untilClosed(`${server}/?${query}`, ["chat", "superchat"]));
      lists.push(await untilClosed(`${server}/?select=chat`));
      return lists;
    },
    standard: {
      page: Array(5).fill([failed, broken]),
      backend: [...Array(4).fill("chat, superchat"), null],
    },
  },
  {
    name: "duplicate and malformed subprotocols throw before anything is sent",
    backend: () => "was asked",
    page: ({ server }) =>
      [
        ["chat", "chat"],
        ["Chat", "chat", "Chat"],
        [""],
        "",
        "two words",
        "a,b",
        "ü",
        "a\u0000b",
        ["x", "(y)"],
      ].map((protocols) => thrownBy(() => new WebSocket(server, protocols))),
    standard: { page: Array(9).fill("SyntaxError"), backend: [] },
  },
];
