// The page around the WebSocket: its origin, its frames and workers, and its end.
import { closed, echo } from "./backend.mjs";
import { broken, ended, failed, opened, text } from "./check.mjs";

/** Says hello and waits; saw how the page left. */
function greet(upgrade) {
  const socket = upgrade.accept();
  socket.send("hello");
  return closed(socket);
}

const LEFT = { code: 1001, reason: "" };

/** Opens a WebSocket in a tab of its own, then does `leave` to that tab. */
const leaving = (leave) => ({
  backend: greet,
  drive: async ({ tab, server }) => {
    const other = await tab.context().newPage();
    try {
      await other.goto(tab.url());
      await other.evaluate((server) => dial(server).message(), server);
      await leave(other);
    } finally {
      await other.close();
    }
  },
  standard: { backend: [LEFT] },
});

export const pageChecks = [
  {
    name: "the Origin header is the page's origin",
    backend: async (upgrade) => {
      await echo(upgrade);
      return upgrade.header("origin");
    },
    page: async ({ server }) => {
      const { socket, opened, closed } = dial(server);
      await opened;
      socket.close();
      await closed;
    },
    standard: { backend: ["<page>"] },
  },
  {
    name: "the Origin header of a sandboxed frame is null",
    backend: async (upgrade) => {
      await greet(upgrade);
      return upgrade.header("origin");
    },
    page: async ({ server }) => {
      const frame = document.createElement("iframe");
      frame.sandbox = "allow-scripts";
      frame.srcdoc = `<script>
        const socket = new WebSocket("${server}");
        socket.onmessage = ({ data, origin }) => { parent.postMessage([data, origin], "*"); socket.close(); };
        socket.onclose = () => parent.postMessage("closed", "*");
      </script>`;
      const heard = [];
      await new Promise((done) => {
        addEventListener("message", ({ data }) => {
          heard.push(data);
          if (data === "closed") done();
        });
        document.body.append(frame);
      });
      return heard;
    },
    standard: { page: [["hello", "<server>"], "closed"], backend: ["null"] },
  },
  {
    name: "a page of another site sends its own origin, and no cookie that is for the same site",
    from: "otherSite",
    backend: async (upgrade) => {
      await greet(upgrade);
      return [upgrade.header("origin"), upgrade.header("cookie") ?? null];
    },
    drive: async ({ tab, server }) => {
      const cookie = (sameSite) => ({
        name: sameSite,
        value: "1",
        url: server.replace("ws", "http"),
        sameSite,
      });
      await tab.context().addCookies(["Strict", "Lax"].map(cookie));
      return tab.evaluate(async (server) => {
        const { socket, message, closed } = dial(server);
        await message();
        socket.close();
        return closed;
      }, server);
    },
    standard: {
      page: [opened, text("hello"), ended(1005)],
      backend: [["<other site>", null]],
    },
  },
  {
    name: "a page of an origin that the gateway does not list is refused",
    backend: (upgrade) => {
      const socket = upgrade.accept();
      socket.close(1000);
      return closed(socket);
    },
    page: ({ server }) => untilClosed(`${server}/same-origin`),
    standard: { page: [opened, ended(1000)], backend: [{ code: 1000, reason: "" }] },
    byDesign: {
      why: "the gateway keeps other origins out, which a server has to do itself",
      page: [failed, broken],
      backend: [],
    },
  },
  {
    name: "a page that goes elsewhere closes with 1001",
    ...leaving((tab) => tab.goto("about:blank")),
  },
  { name: "a page that is loaded again closes with 1001", ...leaving((tab) => tab.reload()) },
  { name: "a tab that is closed closes with 1001", ...leaving((tab) => tab.close()) },
  {
    name: "a frame that is removed closes with 1001",
    backend: greet,
    page: async ({ server }) => {
      const frame = document.createElement("iframe");
      frame.src = "/frame";
      await new Promise((done) => {
        frame.onload = done;
        document.body.append(frame);
      });
      await frame.contentWindow.dial(server).message();
      frame.remove();
    },
    standard: { backend: [LEFT] },
  },
  {
    name: "a WebSocket in a worker works, and closes with 1001 when the worker is ended",
    backend: greet,
    page: async ({ server }) => {
      const source = `
        importScripts("${location.origin}/recorder.js");
        const { events, message } = dial("${server}");
        message().then(() => postMessage(events));
      `;
      const worker = new Worker(URL.createObjectURL(new Blob([source])));
      const { data } = await new Promise((done) => {
        worker.onmessage = done;
      });
      worker.terminate();
      return data;
    },
    standard: { page: [opened, text("hello")], backend: [LEFT] },
  },
];
