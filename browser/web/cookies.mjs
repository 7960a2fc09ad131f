// Cookies of the handshake. A cookie knows the host but no port, so page, server and gateway share theirs.
import { closed } from "./backend.mjs";
import { ended, opened } from "./check.mjs";

/** Sets the cookies in the query on its 101 and closes; saw the cookies of the request, sorted. */
async function setCookies(upgrade) {
  const lines = new URL(upgrade.request.url, "ws://server").searchParams.getAll("set");
  const socket = upgrade.accept({ headers: lines.map((line) => `Set-Cookie: ${line}`) });
  socket.close(1000);
  await closed(socket);
  return cookiesOf(upgrade.header("cookie"));
}

const cookiesOf = (line) => (line ? line.split("; ").sort() : []);

/** The page visits these addresses one after the other; its own cookies after each visit, sorted. */
const visiting = (...paths) => ({
  backend: setCookies,
  given: { paths },
  page: async ({ server, paths }) => {
    const own = [];
    for (const path of paths) {
      await untilClosed(server + path);
      own.push(document.cookie.split("; ").sort().join("; "));
    }
    return own;
  },
});

const set = (...cookies) => `/?${cookies.map((cookie) => `set=${encodeURIComponent(cookie)}`).join("&")}`;

export const cookieChecks = [
  {
    name: "the page's cookies are sent with the handshake",
    backend: setCookies,
    page: ({ server }) => {
      document.cookie = "tide=high";
      document.cookie = "moon=new";
      document.cookie = "elsewhere=1; Path=/elsewhere";
      return untilClosed(`${server}/room`);
    },
    standard: { page: [opened, ended(1000)], backend: [["moon=new", "tide=high"]] },
  },
  {
    name: "cookies set on the 101 are stored, and sent with the next handshake",
    ...visiting(
      set("a=1; Path=/", "b=2; Path=/; Max-Age=600"),
      set("a=3; Path=/", "b=; Path=/; Max-Age=0"),
      "/",
    ),
    standard: {
      page: ["a=1; b=2", "a=3", "a=3"],
      backend: [[], ["a=1", "b=2"], ["a=3"]],
    },
  },
  {
    name: "an HttpOnly cookie set on the 101 is sent, but hidden from the page",
    ...visiting(set("secret=1; HttpOnly; Path=/", "open=1; Path=/"), "/"),
    standard: { page: ["open=1", "open=1"], backend: [[], ["open=1", "secret=1"]] },
  },
  {
    name: "a cookie's path decides which handshakes it goes with",
    ...visiting(set("deep=1; Path=/a/b", "top=1; Path=/"), "/a/b/c", "/a", "/a/bc"),
    standard: {
      page: Array(4).fill("top=1"),
      backend: [[], ["deep=1", "top=1"], ["top=1"], ["top=1"]],
    },
  },
  {
    name: "a Secure cookie set on the 101 is sent with the next handshake",
    // Also over ws: this is a loopback address, which Chromium trusts as if it were TLS.
    ...visiting(set("tls=1; Secure; Path=/"), "/"),
    standard: { page: ["tls=1", "tls=1"], backend: [[], ["tls=1"]] },
  },
  {
    name: "a page of the same site sends SameSite cookies of every kind",
    ...visiting(set("strict=1; SameSite=Strict; Path=/", "lax=1; SameSite=Lax; Path=/"), "/"),
    standard: { page: Array(2).fill("lax=1; strict=1"), backend: [[], ["lax=1", "strict=1"]] },
  },
];
