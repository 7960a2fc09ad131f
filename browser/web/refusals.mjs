// Answers other than a good 101: the page learns nothing but that it failed.
import { until } from "../process.mjs";
import { broken, ended, failed, opened } from "./check.mjs";

const REDIRECTS = [301, 302, 303, 307, 308];
const REFUSALS = [200, 204, 400, 401, 403, 404, 426, 503];

/**
 * The page asks for each status, and at last for a connection that is not refused. (It would also be made to wait, by
 * seconds, if it failed too often and never succeeded.) What it sees, and the statuses that Chromium logs.
 */
const refusing = (statuses, linesFor) => ({
  backend: async (upgrade) => {
    const path = upgrade.request.url;
    if (path === "/welcome") upgrade.accept().close(1000);
    else await upgrade.refuse(`${path.slice(1)} Refused`, linesFor(upgrade), path === "/204" ? "" : "secret");
    return path;
  },
  drive: async ({ tab, server }) => {
    const logged = [];
    const log = (message) => {
      const [, path, reason] = message.text().match(/'wss?:\/\/[^/]+(\/\d+)' failed: (.*)/) ?? [];
      if (path) logged.push([path, statusOf(reason)]);
    };
    tab.on("console", log);
    const lists = await tab.evaluate(
      async ({ server, statuses }) => {
        const lists = [];
        for (const status of statuses) lists.push(await untilClosed(`${server}/${status}`));
        lists.push(await untilClosed(`${server}/welcome`));
        return lists;
      },
      { server, statuses },
    );
    await until("every failure is logged", () => logged.length === statuses.length);
    tab.off("console", log);
    return { lists, logged };
  },
  standard: {
    page: {
      lists: [...statuses.map(() => [failed, broken]), [opened, ended(1000)]],
      logged: statuses.map((status) => [`/${status}`, status]),
    },
    backend: [...statuses.map((status) => `/${status}`), "/welcome"],
  },
});

/** Chromium's word for a 401, where it says what it made of it and not the status. */
const statusOf = (reason) =>
  reason.startsWith("HTTP Authentication failed") ? 401 : Number(reason.match(/response code: (\d+)$/)?.[1]);

const MALFORMED = {
  "no accept": ["Upgrade: websocket", "Connection: Upgrade"],
  "wrong accept": ["Upgrade: websocket", "Connection: Upgrade", `Sec-WebSocket-Accept: ${"A".repeat(27)}=`],
  "no upgrade": ["Connection: Upgrade", "ACCEPT"],
  "another upgrade": ["Upgrade: h2c", "Connection: Upgrade", "ACCEPT"],
  "no connection": ["Upgrade: websocket", "ACCEPT"],
  "accept twice": ["Upgrade: websocket", "Connection: Upgrade", "ACCEPT", "ACCEPT"],
};

export const refusalChecks = [
  {
    name: "a refusal is an error and 1006, whatever its status, and the next connection opens",
    ...refusing(REFUSALS, () => []),
  },
  {
    name: "a redirect is not followed",
    ...refusing(REDIRECTS, (upgrade) => [`Location: ws://${upgrade.header("host")}/elsewhere`]),
  },
  {
    name: "a malformed 101 is an error and 1006",
    backend: async (upgrade) => {
      const which = decodeURIComponent(upgrade.request.url.slice(1));
      const accept = `Sec-WebSocket-Accept: ${upgrade.acceptKey()}`;
      upgrade.answer(
        "101 Switching Protocols",
        MALFORMED[which].map((line) => (line === "ACCEPT" ? accept : line)),
      );
      await upgrade.gone();
      return which;
    },
    given: { which: Object.keys(MALFORMED) },
    page: async ({ server, which }) => {
      const lists = [];
      for (const each of which) lists.push(await untilClosed(`${server}/${each}`));
      return lists;
    },
    standard: {
      page: Object.keys(MALFORMED).map(() => [failed, broken]),
      backend: Object.keys(MALFORMED),
    },
  },
  {
    name: "no answer, or something that is not HTTP, is an error and 1006",
    backend: async (upgrade) => {
      if (upgrade.request.url === "/other") upgrade.socket.write("220 mail.example.com ESMTP\r\n");
      upgrade.socket.end();
      await upgrade.gone();
      return upgrade.request.url;
    },
    page: async ({ server }) => [await untilClosed(`${server}/none`), await untilClosed(`${server}/other`)],
    standard: { page: Array(2).fill([failed, broken]), backend: ["/none", "/other"] },
  },
];
