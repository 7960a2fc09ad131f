// undici's WebSocket, the one that node has built in: a browser's interface, and no pings of its own.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Agent, WebSocket } from 'undici';

import { check, equal, sameBytes } from './checks.mjs';

// It offers permessage-deflate, which makes random bytes longer: the echo must still be below the route's limits.
const SIZES = [1, 125, 126, 65_535, 65_536, 1_000_000];
const MESSAGES_AT_ONCE = 300;

async function open(url, tls, protocols = []) {
  const socket = new WebSocket(url, { protocols, dispatcher: new Agent({ connect: tls }) });
  socket.binaryType = 'arraybuffer';
  const failed = once(socket, 'error').then(([event]) => { throw event.error ?? new Error('no connection'); });
  await Promise.race([once(socket, 'open'), failed]);
  return socket;
}

// The next `size` bytes, in as many messages as they come in.
function bytes(socket, size) {
  return new Promise((resolve, reject) => {
    const parts = [];
    let have = 0;
    const arrived = ({ data }) => {
      parts.push(Buffer.from(data));
      have += parts.at(-1).length;
      if (have < size) return;
      socket.removeEventListener('message', arrived);
      resolve(Buffer.concat(parts));
    };
    socket.addEventListener('message', arrived);
    socket.addEventListener('close', ({ code }) => reject(new Error(`closed with ${code} after ${have} of ${size} bytes`)));
  });
}

async function close(socket, code, reason) {
  const closed = once(socket, 'close');
  socket.close(code, reason);
  const [event] = await closed;
  return { code: event.code, reason: event.reason, clean: event.wasClean };
}

async function sizes(url, tls) {
  const socket = await open(url, tls);
  for (const size of SIZES) {
    const data = randomBytes(size);
    const back = bytes(socket, size);
    socket.send(data);
    sameBytes('echo', await back, data);
  }
  equal('ending', await close(socket, 1000, 'done'), { code: 1000, reason: 'done', clean: true });
}

async function manyAtOnce(url, tls) {
  const socket = await open(url, tls);
  const messages = Array.from({ length: MESSAGES_AT_ONCE }, (_, number) => randomBytes(1 + ((number * 7919) % 9000)));
  const all = Buffer.concat(messages);
  const back = bytes(socket, all.length);
  for (const message of messages) socket.send(message);
  sameBytes('all echoes', await back, all);
  await close(socket);
}

async function text(url, tls) {
  const socket = await open(url, tls, ['unheard-of', 'chat']);
  equal('subprotocol', socket.protocol, 'chat');
  const words = 'aé€𝄞'.repeat(5000);
  const back = once(socket, 'message');
  socket.send(words);
  equal('text came back', (await back)[0].data === words, true);
  await close(socket);
}

async function backendCloses(url, tls) {
  const socket = new WebSocket(url, { dispatcher: new Agent({ connect: tls }) });
  const [event] = await once(socket, 'close');
  equal('ending', { code: event.code, reason: event.reason }, { code: 4001, reason: 'enough' });
}

export async function checks(scheme, url, tls, backends) {
  for (const [kind, path] of [['tcp', '/tcp'], ...backends.map((name) => [`${name} backend`, `/${name}/echo`])]) {
    const name = `undici ${scheme} to ${kind}`;
    await check(`${name}: sizes up to 1 MiB, and a Close`, () => sizes(url + path, tls));
    await check(`${name}: ${MESSAGES_AT_ONCE} messages without waiting`, () => manyAtOnce(url + path, tls));
    if (path === '/tcp') continue;
    await check(`${name}: text and subprotocol`, () => text(url + path, tls));
    const closing = path.replace('/echo', '/close?code=4001&reason=enough');
    await check(`${name}: the backend closes`, () => backendCloses(url + closing, tls));
  }
}
