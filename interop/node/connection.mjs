// One connection of the ws library, with its events as promises.
import WebSocket from 'ws';

export class Connection {
  #socket;
  #waiting = [];
  #messages = [];
  #error = null;

  constructor(url, subprotocols, options) {
    this.#socket = new WebSocket(url, subprotocols, { perMessageDeflate: false, ...options });
    this.opened = new Promise((resolve, reject) => {
      this.#socket.once('open', resolve);
      this.#socket.once('error', reject);
    });
    this.closed = new Promise((resolve) => {
      this.#socket.once('close', (code, reason) => resolve({ code, reason: reason.toString() }));
    });
    this.#socket.on('error', (error) => { this.#error = error; });
    this.#socket.on('message', (data, isBinary) => this.#arrived({ data, isBinary }));
    this.closed.then(({ code }) => this.#gone(code));
    this.opened.catch(() => {});
  }

  static async open(url, options = {}, subprotocols = []) {
    const connection = new Connection(url, subprotocols, options);
    await connection.opened;
    return connection;
  }

  get extensions() { return this.#socket.extensions; }

  get subprotocol() { return this.#socket.protocol; }

  send(data, options) { this.#socket.send(data, options); }

  close(code, reason) {
    this.#socket.close(code, reason);
    return this.closed;
  }

  // The next message; fails once the connection has closed and every message was taken.
  message() {
    if (this.#messages.length > 0) return Promise.resolve(this.#messages.shift());
    return this.closedCode === undefined
      ? new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }))
      : Promise.reject(this.#ending());
  }

  // `size` bytes, in as many binary messages as they come in.
  async bytes(size) {
    const parts = [];
    for (let have = 0; have < size;) {
      const { data, isBinary } = await this.message();
      if (!isBinary) throw new Error('a text message where binary ones were due');
      parts.push(data);
      have += data.length;
    }
    return Buffer.concat(parts);
  }

  #arrived(message) {
    if (this.#waiting.length > 0) this.#waiting.shift().resolve(message);
    else this.#messages.push(message);
  }

  #gone(code) {
    this.closedCode = code;
    for (const { reject } of this.#waiting.splice(0)) reject(this.#ending());
  }

  #ending() {
    return this.#error ?? new Error(`closed with ${this.closedCode} where a message was due`);
  }
}
