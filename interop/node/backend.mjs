// The WebSocket backend in node: node backend.mjs SUBPROTOCOL. What it does is described in python/backends.py.
// Beside it, on ports of their own, run the socket.io server and the bulk server.
// Writes {"port": N, "socketio": N, "bulk": N} first, then {"id", "code", "reason"} for each echo connection that ended.
import { WebSocketServer } from 'ws';

import { overWebSocket as bulk, start as startBulk } from './bulk_backend.mjs';
import { start as startSocketIo } from './socketio_backend.mjs';

const subprotocol = process.argv[2];
const MAX_PAYLOAD = 64 * 1024 * 1024;

const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

const server = new WebSocketServer({
  host: '127.0.0.1',
  port: 0,
  maxPayload: MAX_PAYLOAD,
  perMessageDeflate: true,
  handleProtocols: (offered) => (offered.has(subprotocol) ? subprotocol : false),
});

const pairs = (list) => list.flatMap((name, i) => (i % 2 === 0 ? [[name, list[i + 1]]] : []));

const behaviours = {
  echo(socket, query) {
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
    // 'close' gives 1005 for a Close without a code and 1006 for none at all.
    socket.on('close', (code, reason) => say({ id: query.get('id') ?? '', code, reason: reason.toString() }));
  },
  headers(socket, _query, request) {
    socket.send(JSON.stringify({ path: request.url, headers: pairs(request.rawHeaders) }));
  },
  close(socket, query) {
    socket.send('last words');
    socket.close(Number(query.get('code')), query.get('reason'));
  },
  bulk,
};

server.on('connection', (socket, request) => {
  const url = new URL(request.url, 'ws://backend');
  const behaviour = behaviours[url.pathname.split('/').at(-1)] ?? behaviours.echo;
  socket.on('error', (error) => process.stderr.write(`node backend: ${error.message}\n`));
  behaviour(socket, url.searchParams, request);
});

server.on('listening', async () => {
  say({ port: server.address().port, socketio: await startSocketIo(), bulk: await startBulk() });
});
