// Both directions at full speed at the same time: receives one bulk stream while it sends the other, and then says what
// the digests of both are. Over TCP as a server of its own, over WebSocket as a behaviour of the backend.
import { once } from 'node:events';
import { createServer } from 'node:net';

import { BULK_BYTES, SEEDS, Sum, sendAll } from './bulk_stream.mjs';

// The verdict, as soon as both directions are done. `arrivals` calls back with all that comes.
async function exchange(borders, send, arrivals) {
  const received = new Sum(borders);
  const everything = new Promise((resolve) => {
    arrivals((data) => {
      received.add(data);
      if (received.bytes >= BULK_BYTES) resolve();
    });
  });
  const sent = await sendAll(SEEDS.down, borders, send);
  await everything;
  return Buffer.concat([received.digest(), sent]);
}

async function overTcp(socket) {
  const verdict = await exchange(false, (data, done) => socket.write(data, done), (take) => socket.on('data', take));
  socket.end(verdict);
}

export async function overWebSocket(socket) {
  const verdict = await exchange(true, (data, done) => socket.send(data, done), (take) => socket.on('message', take));
  socket.send(verdict);
  socket.close(1000, 'all of it');
}

// The port.
export async function start() {
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('error', (error) => process.stderr.write(`node bulk backend: ${error.message}\n`));
    overTcp(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server.address().port;
}
