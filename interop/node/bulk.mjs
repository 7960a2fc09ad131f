// 200 MB each way at the same time, in messages of 0 bytes to 1 MiB: what each end received is what the other sent.
import { once } from 'node:events';
import WebSocket from 'ws';

import { BULK_BYTES, SEEDS, Sum, VERDICT_BYTES, sendAll } from './bulk_stream.mjs';
import { check, equal } from './checks.mjs';

async function bulk(url, tls, borders) {
  const socket = new WebSocket(url, { ...tls, perMessageDeflate: false });
  const closed = new Promise((resolve) => { socket.once('close', resolve); });
  await once(socket, 'open');
  socket.on('error', () => {}); // the close that follows says it all

  const received = new Sum(borders);
  let verdict = Buffer.alloc(0);
  socket.on('message', (data) => {
    const left = BULK_BYTES - received.bytes;
    // Over TCP the end of the stream and the verdict may come as one message.
    if (left > 0) received.add(data.subarray(0, left));
    verdict = Buffer.concat([verdict, data.subarray(left)]);
  });

  const sent = await sendAll(SEEDS.up, borders, (data, done) => socket.send(data, done));
  equal('close code', await closed, 1000);
  equal('bytes down', received.bytes, BULK_BYTES);
  equal('bytes of the verdict', verdict.length, VERDICT_BYTES);
  const [up, down] = [verdict.subarray(0, VERDICT_BYTES / 2), verdict.subarray(VERDICT_BYTES / 2)];
  equal('digest of what the backend received', up.toString('hex'), sent.toString('hex'));
  equal('digest of what the client received', received.digest().toString('hex'), down.toString('hex'));
}

export async function checks(scheme, url, tls) {
  const name = `node ${scheme}: ${BULK_BYTES / 1e6} MB each way at once`;
  await check(`${name}, to tcp`, () => bulk(`${url}/bulk`, tls, false));
  await check(`${name}, to node backend`, () => bulk(`${url}/node/bulk`, tls, true));
}
