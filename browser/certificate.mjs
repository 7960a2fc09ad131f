// A certificate for 127.0.0.1, made for one run and trusted by the browser through the hash of its key.
import { createHash, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "./process.mjs";

/** Writes cert.pem and key.pem into `directory`; `pin` is what Chromium's SPKI list takes. */
export async function makeCertificate(directory) {
  const cert = join(directory, "cert.pem");
  const key = join(directory, "key.pem");
  await run("openssl", [
    "req",
    "-x509",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
    "-nodes",
    "-days",
    "2",
    "-subj",
    "/CN=127.0.0.1",
    "-addext",
    "subjectAltName=IP:127.0.0.1",
    "-keyout",
    key,
    "-out",
    cert,
  ]);
  const { publicKey } = new X509Certificate(await readFile(cert));
  const pin = createHash("sha256")
    .update(publicKey.export({ type: "spki", format: "der" }))
    .digest("base64");
  return { cert, key, pin };
}
