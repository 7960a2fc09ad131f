// Two servers for one purpose: plain for ws and http, TLS for wss and https.
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createServer as createTlsServer } from "node:https";

/** Listens on loopback until the scope ends; `attach` adds what each server does. The ports, as { ws, wss }. */
export async function listen(scope, certificate, attach) {
  const [key, cert] = [await readFile(certificate.key), await readFile(certificate.cert)];
  const ports = {};
  for (const [scheme, server] of [
    ["ws", createServer()],
    ["wss", createTlsServer({ key, cert })],
  ]) {
    attach(server);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    ports[scheme] = server.address().port;
    scope.defer(() => {
      server.close();
      server.closeAllConnections();
    });
  }
  return ports;
}
