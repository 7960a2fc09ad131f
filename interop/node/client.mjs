// The node client: node client.mjs '{"authority": FILE, "urls": {"ws": URL, "wss": URL}}'. The routes are in python/stage.py.
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';

import { checks as bulk } from './bulk.mjs';
import { anyFailed, check, equal, sameBytes } from './checks.mjs';
import { Connection } from './connection.mjs';
import { checks as socketIo } from './socketio.mjs';
import { checks as undici } from './undici.mjs';

const { authority, urls } = JSON.parse(process.argv[2]);
const tls = { ca: readFileSync(authority) };

const SIZES = [0, 1, 125, 126, 127, 1000, 65_535, 65_536, 262_144, 1_048_576];
const CONNECTIONS = 200;
const MESSAGES_PER_CONNECTION = 5;
const CLOSINGS = [[1000, ''], [1000, 'done'], [1001, 'going away'], [3000, 'prêt'], [4999, 'last of the private codes']];
const BACKENDS = ['python', 'node', 'aiohttp'];
const DOWNLOAD_BYTES = 8 * 1024 * 1024;

// Over WebSocket an echo is one message; over TCP only the bytes and their order remain.
async function echo(connection, path, size) {
  if (path === '/tcp') return connection.bytes(size);
  return (await connection.message()).data;
}

async function oneMessage(url, path, size) {
  const connection = await Connection.open(url + path, tls);
  const data = randomBytes(size);
  connection.send(data);
  sameBytes('echo', await echo(connection, path, size), data);
  connection.send(Buffer.from('after'));
  sameBytes('the next echo', await echo(connection, path, 5), Buffer.from('after'));
  equal('close code', (await connection.close(1000)).code, 1000);
}

// Fragments of a text that cut characters in half, with a ping of the library's between them.
async function fragmentedText(url, path) {
  const connection = await Connection.open(url + path, tls);
  const text = Buffer.from('aé€𝄞'.repeat(500));
  for (let start = 0; start < text.length; start += 7) {
    const fin = start + 7 >= text.length;
    connection.send(text.subarray(start, start + 7), { binary: false, fin });
  }
  sameBytes('echo', await echo(connection, path, text.length), text);
  await connection.close(1000);
}

async function manyConnections(url, path) {
  const opening = Array.from({ length: CONNECTIONS }, () => Connection.open(url + path, tls));
  const connections = await Promise.all(opening);
  await Promise.all(connections.map(async (connection, number) => {
    for (let message = 0; message < MESSAGES_PER_CONNECTION; message += 1) {
      const data = randomBytes(1 + ((number * 977 + message * 7919) % 20_000));
      connection.send(data);
      sameBytes(`connection ${number}, message ${message}`, await echo(connection, path, data.length), data);
    }
  }));
  const endings = await Promise.all(connections.map((connection) => connection.close(1000)));
  equal('close codes', [...new Set(endings.map(({ code }) => code))], [1000]);
}

async function download(url) {
  const connection = await Connection.open(`${url}/source`, tls);
  connection.send('!');
  equal('bytes', (await connection.bytes(DOWNLOAD_BYTES)).length, DOWNLOAD_BYTES);
  equal('ending', (await connection.closed).code, 1000);
}

async function clientCloses(url, backend, code, reason) {
  const connection = await Connection.open(`${url}/${backend}/echo`, tls);
  connection.send('one');
  equal('echo', (await connection.message()).data.toString(), 'one');
  equal('the backend’s answer', await connection.close(code, reason), { code, reason });
}

async function closeWithoutCode(url, backend) {
  const connection = await Connection.open(`${url}/${backend}/echo`, tls);
  equal('answer', await connection.close(), { code: 1005, reason: '' });
}

async function backendCloses(url, backend, code, reason) {
  const query = `code=${code}&reason=${encodeURIComponent(reason)}`;
  const connection = await Connection.open(`${url}/${backend}/close?${query}`, tls);
  equal('the message before the Close', (await connection.message()).data.toString(), 'last words');
  equal('ending', await connection.closed, { code, reason });
}

async function deflate(url, backend) {
  const options = { ...tls, perMessageDeflate: { threshold: 0 } };
  const connection = await Connection.open(`${url}/${backend}/echo`, options, ['chat']);
  equal('extensions', connection.extensions.split(';')[0], 'permessage-deflate');
  equal('subprotocol', connection.subprotocol, 'chat');
  for (let number = 0; number < 20; number += 1) {
    const data = Buffer.concat([randomBytes(1000), Buffer.alloc(20_000, number)]);
    connection.send(data);
    sameBytes(`message ${number}`, (await connection.message()).data, data);
  }
  await connection.close(1000);
}

for (const [scheme, url] of Object.entries(urls)) {
  for (const [kind, path] of [['tcp', '/tcp'], ...BACKENDS.map((name) => [`${name} backend`, `/${name}/echo`])]) {
    const name = `node ${scheme} to ${kind}`;
    for (const size of SIZES) await check(`${name}: ${size} bytes`, () => oneMessage(url, path, size));
    // From TCP come binary frames, so this one is about messages only.
    if (path !== '/tcp') await check(`${name}: fragmented text`, () => fragmentedText(url, path));
    await check(`${name}: ${CONNECTIONS} connections at once`, () => manyConnections(url, path));
  }
  await check(`node ${scheme} to tcp: 8 MiB down, then the backend ends`, () => download(url));
  for (const backend of BACKENDS) {
    const name = `node ${scheme} to ${backend} backend`;
    for (const [code, reason] of CLOSINGS) {
      await check(`${name}: client closes ${code} '${reason}'`, () => clientCloses(url, backend, code, reason));
      await check(`${name}: backend closes ${code} '${reason}'`, () => backendCloses(url, backend, code, reason));
    }
    // aiohttp cannot answer without a code.
    if (backend !== 'aiohttp') await check(`${name}: Close without a code`, () => closeWithoutCode(url, backend));
    await check(`${name}: permessage-deflate end to end`, () => deflate(url, backend));
  }
  await bulk(scheme, url, tls);
  await undici(scheme, url, tls, BACKENDS);
  await socketIo(scheme.replace('ws', 'http'), url.replace('ws', 'http'), tls);
}
// A connection that a failed check left open must not keep this process alive.
process.exit(anyFailed() ? 1 : 0);
