// socket.io through one http:// route: it begins with long polling and changes to a WebSocket on the same path.
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { io } from 'socket.io-client';

import { check, equal, sameBytes } from './checks.mjs';

const PIECES = [1, 1000, 65_536, 300_000];
const MESSAGES = 200;
const CLIENTS = 20;

async function connect(url, tls, transports) {
  const socket = io(url, { ...tls, transports, forceNew: true, reconnection: false });
  const failed = once(socket, 'connect_error').then(([error]) => { throw error; });
  await Promise.race([once(socket, 'connect'), failed]);
  return socket;
}

const ask = (socket, ...question) => socket.timeout(30_000).emitWithAck(...question);

// Binary and text both ways, each compared with what was sent.
async function converse(socket) {
  for (const size of PIECES) {
    const data = randomBytes(size);
    equal(`digest of ${size} bytes`, await ask(socket, 'digest', data), createHash('sha256').update(data).digest('hex'));
    const back = once(socket, 'echo');
    socket.emit('echo', data, { words: 'aé€𝄞', size });
    const [echoed, words] = await back;
    sameBytes('echo', echoed, data);
    equal('what came with it', words, { words: 'aé€𝄞', size });
  }
}

// What is under way when the transport changes must arrive once and in order.
async function inOrder(socket) {
  const arrived = [];
  const all = new Promise((resolve) => {
    socket.on('echo', (number) => {
      arrived.push(number);
      if (arrived.length >= MESSAGES) resolve();
    });
  });
  for (let number = 0; number < MESSAGES; number += 1) {
    socket.emit('echo', number);
    if (number % 10 === 0) await ask(socket, 'transport');
  }
  await all;
  socket.off('echo');
  equal('order of the messages', arrived, Array.from({ length: MESSAGES }, (_, number) => number));
}

async function pollingThenWebSocket(url, tls) {
  const socket = io(url, { ...tls, forceNew: true, reconnection: false, autoConnect: false });
  const transports = [];
  const upgraded = new Promise((resolve) => {
    socket.io.once('open', () => {
      transports.push(socket.io.engine.transport.name);
      socket.io.engine.once('upgrade', (transport) => resolve(transports.push(transport.name)));
    });
  });
  socket.connect();
  await once(socket, 'connect');
  await inOrder(socket);
  await upgraded;
  equal('transports of the client', transports, ['polling', 'websocket']);
  equal('transport of the server at last', await ask(socket, 'transport'), 'websocket');
  await converse(socket);
  equal('X-Forwarded-For', await ask(socket, 'forwarded'), '127.0.0.1');
  socket.disconnect();
}

async function only(url, tls, transport) {
  const socket = await connect(url, tls, [transport]);
  await inOrder(socket);
  await converse(socket);
  equal('transport of the server', await ask(socket, 'transport'), transport);
  socket.disconnect();
}

async function ending(url, tls, transport) {
  const watcher = await connect(url, tls, ['websocket']);
  const leaving = await connect(url, tls, [transport]);
  const id = leaving.id;
  leaving.disconnect();
  equal('the server’s reason', await ask(watcher, 'ending of', id), 'client namespace disconnect');
  const dismissed = await connect(url, tls, [transport]);
  const told = once(dismissed, 'disconnect');
  dismissed.emit('leave');
  equal('the client’s reason', (await told)[0], 'io server disconnect');
  watcher.disconnect();
}

async function several(url, tls) {
  const sockets = await Promise.all(Array.from({ length: CLIENTS }, () => connect(url, tls, ['polling', 'websocket'])));
  await Promise.all(sockets.map(converse));
  for (const socket of sockets) socket.disconnect();
}

export async function checks(scheme, url, tls) {
  const name = `socket.io over ${scheme}`;
  await check(`${name}: polling, then a WebSocket, nothing lost between`, () => pollingThenWebSocket(url, tls));
  for (const transport of ['polling', 'websocket']) {
    await check(`${name}: ${transport} only`, () => only(url, tls, transport));
    await check(`${name}: ${transport}, either side leaves`, () => ending(url, tls, transport));
  }
  await check(`${name}: ${CLIENTS} clients at once`, () => several(url, tls));
}
