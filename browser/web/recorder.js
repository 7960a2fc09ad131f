// Loaded by every page of the web checks: opens WebSockets and writes down what the page sees of them.

/** Opens a WebSocket and keeps each of its events, with the readyState at that moment, in order. */
globalThis.dial = (url, protocols) => {
  const socket = new WebSocket(url, protocols);
  const events = [];
  const waiting = [];
  const messages = [];
  const note = (event, more = {}) => events.push({ event, state: socket.readyState, ...more });

  socket.addEventListener("message", ({ data }) => {
    note("message", described(data));
    messages.push(data);
    waiting.shift()?.resolve(messages.shift());
  });
  socket.addEventListener("error", () => note("error"));
  const opened = new Promise((resolve, reject) => {
    socket.addEventListener("open", () => resolve(note("open")));
    socket.addEventListener("close", () => reject(new Error(`never opened: ${JSON.stringify(events)}`)));
  });
  opened.catch(() => {}); // only a check that waits for it expects it
  const closed = new Promise((resolve) => {
    socket.addEventListener("close", ({ code, reason, wasClean: clean }) => {
      note("close", { code, reason, clean });
      for (const { reject } of waiting) reject(new Error(`no message, but ${JSON.stringify(events.at(-1))}`));
      resolve(events);
    });
  });
  /** The next message that has not been taken yet. */
  const message = () =>
    messages.length
      ? Promise.resolve(messages.shift())
      : new Promise((resolve, reject) => waiting.push({ resolve, reject }));
  return { socket, events, opened, closed, message };
};

/** All events of a WebSocket that the server ends, or never lets open. */
globalThis.untilClosed = (url, protocols) => dial(url, protocols).closed;

/** The name of the DOMException that `action` throws. */
globalThis.thrownBy = (action) => {
  try {
    action();
  } catch (error) {
    return error.name;
  }
  return "nothing";
};

globalThis.sha256 = async (data) => {
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
  return hex(await crypto.subtle.digest("SHA-256", bytes));
};

globalThis.hex = (buffer) =>
  [...new Uint8Array(buffer)].map((byte) => byte.toString(16).padStart(2, "0")).join("");

function described(data) {
  if (typeof data === "string") return data.length > 200 ? { characters: data.length } : { text: data };
  if (data instanceof Blob) return { blob: data.size };
  return data.byteLength > 200 ? { bytes: data.byteLength } : { hex: hex(data) };
}
