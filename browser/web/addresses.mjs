// Which address a page's URL becomes, and which URLs are refused.
import { closed } from "./backend.mjs";

/** Path, and what the server is asked for (URL Standard, "path" and "query" percent-encode sets). */
const PATHS = [
  ["", "/"],
  ["/", "/"],
  ["?q", "/?q"],
  ["/?", "/?"],
  ["/chat/room?user=tide&x=1&x=2", "/chat/room?user=tide&x=1&x=2"],
  ["/päth/潮/🌊?q=ü 潮", "/p%C3%A4th/%E6%BD%AE/%F0%9F%8C%8A?q=%C3%BC%20%E6%BD%AE"],
  ['/a b/"<>`{}?a b"<>\'`{}', "/a%20b/%22%3C%3E%60%7B%7D?a%20b%22%3C%3E%27`{}"],
  ["/%20%C3%A9?%2f%2F%7e%zz%26%", "/%20%C3%A9?%2f%2F%7e%zz%26%"],
  ["/a/./b/../c/d/%2e%2E/e", "/a/c/e"],
  ["/;v=1/!$&()*+,-.:@_~^?;/?:@!$()*+,|^[]", "/;v=1/!$&()*+,-.:@_~%5E?;/?:@!$()*+,|^[]"],
  ["/back\\slash?back\\slash", "/back/slash?back\\slash"],
  [`/${"long/".repeat(300)}?${"q".repeat(1000)}`, `/${"long/".repeat(300)}?${"q".repeat(1000)}`],
];

/** Escapes of nothing, of a slash and of a control character: every reader may take them for another path. */
const AMBIGUOUS = ["/%zz", "/a%", "/a%2fb", "/a%2Fb", "/a%5cb", "/a%00b"];

/** The server's answer is a Close 1000; it saw the request targets, and the page its own URLs and the codes. */
const asking = (paths) => ({
  backend: async (upgrade) => {
    const socket = upgrade.accept();
    socket.close(1000);
    await closed(socket);
    return upgrade.request.url;
  },
  given: { paths },
  page: async ({ server, paths }) => {
    const urls = [];
    for (const path of paths) {
      const { socket, closed } = dial(server + path);
      urls.push([socket.url, (await closed).at(-1).code]);
    }
    return urls;
  },
});

export const addressChecks = [
  {
    name: "paths and queries reach the server as the URL standard encodes them",
    ...asking(PATHS.map(([path]) => path)),
    standard: {
      page: PATHS.map(([, target]) => [`<server>${target}`, 1000]),
      backend: PATHS.map(([, target]) => target),
    },
  },
  {
    name: "spellings of a path that mean the same: escapes, brackets, empty segments",
    ...asking(["/%7etide/%c3%a9", "/a//b/", "/[x]"]),
    standard: {
      page: [["<server>/%7etide/%c3%a9", 1000], ["<server>/a//b/", 1000], ["<server>/[x]", 1000]],
      backend: ["/%7etide/%c3%a9", "/a//b/", "/[x]"],
    },
    byDesign: {
      why: "the gateway passes on the normal form of a path (RFC 3986 §6.2.2), by which it has chosen the route",
      backend: ["/~tide/%C3%A9", "/a/b/", "/%5Bx%5D"],
    },
  },
  {
    name: "a path that two readers could take for two paths is not repaired",
    ...asking(AMBIGUOUS),
    standard: { page: AMBIGUOUS.map((path) => [`<server>${path}`, 1000]), backend: AMBIGUOUS },
    byDesign: {
      why: "the gateway refuses such a path with 400, so that no rule for a path can be evaded",
      page: AMBIGUOUS.map((path) => [`<server>${path}`, 1006]),
      backend: [],
    },
  },
  {
    name: "a URL with http in place of ws, or in capitals, is the same WebSocket",
    backend: (upgrade) => {
      const socket = upgrade.accept();
      socket.close(1000);
      return closed(socket).then(() => upgrade.request.url);
    },
    page: async ({ server }) => {
      const urls = [];
      for (const url of [`${server.replace("ws", "http")}/Path`, `  ${server.replace("ws", "WS")}/Path\n`]) {
        const { socket, closed } = dial(url);
        urls.push([socket.url, (await closed).at(-1).code]);
      }
      return urls;
    },
    standard: { page: Array(2).fill(["<server>/Path", 1000]), backend: ["/Path", "/Path"] },
  },
  {
    name: "URLs with a fragment, another scheme or no host throw before anything is sent",
    backend: () => "was asked",
    page: ({ server }) =>
      [
        `${server}/#`,
        `${server}/#part`,
        "ftp://127.0.0.1/",
        "mailto:tide",
        "ws://",
        "ws://127.0.0.1:99999/",
      ].map((url) => thrownBy(() => new WebSocket(url))),
    standard: { page: Array(6).fill("SyntaxError"), backend: [] },
  },
];
