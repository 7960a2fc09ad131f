// A socket.io server for socketio.mjs, which can ask it how a connection stands, or how it ended.
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { Server } from 'socket.io';

const MESSAGE_BYTES_MAX = 8 * 1024 * 1024;

// Resolves to the port.
export function start() {
  const http = createServer((_request, response) => response.writeHead(404).end());
  const server = new Server(http, { maxHttpBufferSize: MESSAGE_BYTES_MAX });
  const endings = new Map();
  const ending = (id) => {
    if (!endings.has(id)) endings.set(id, deferred());
    return endings.get(id);
  };
  server.on('connection', (socket) => {
    socket.on('digest', (data, answer) => answer(createHash('sha256').update(data).digest('hex')));
    socket.on('echo', (...messages) => socket.emit('echo', ...messages));
    socket.on('transport', (answer) => answer(socket.conn.transport.name));
    socket.on('forwarded', (answer) => answer(socket.handshake.headers['x-forwarded-for']));
    socket.on('leave', () => socket.disconnect(true));
    socket.on('ending of', async (id, answer) => answer(await ending(id).promise));
    socket.on('disconnect', (reason) => ending(socket.id).resolve(reason));
  });
  return new Promise((resolve) => {
    http.listen(0, '127.0.0.1', () => resolve(http.address().port));
  });
}

function deferred() {
  const made = {};
  made.promise = new Promise((resolve) => { made.resolve = resolve; });
  return made;
}
