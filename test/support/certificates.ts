import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

/** An authority made for a test, and a server certificate for 127.0.0.1 that it signed. PEM throughout. */
export interface Certificates {
  readonly ca: string;
  readonly keyAndCertificate: string;
}

/** Makes a new authority and a server certificate by `openssl`. */
export async function makeCertificates(): Promise<Certificates> {
  const folder = await mkdtemp(join(tmpdir(), "waybill-tls-"));
  const at = (name: string): string => join(folder, name);
  const openssl = (...args: string[]): Promise<unknown> => promisify(execFile)("openssl", args);
  const newKey = ["-newkey", "rsa:2048", "-nodes"];
  try {
    await openssl(
      "req",
      "-x509",
      ...newKey,
      "-keyout",
      at("ca.key"),
      "-out",
      at("ca.pem"),
      "-days",
      "2",
      "-subj",
      "/CN=test authority",
    );
    await openssl("req", ...newKey, "-keyout", at("key.pem"), "-out", at("request.pem"), "-subj", "/CN=127.0.0.1");
    await writeFile(at("names"), "subjectAltName=IP:127.0.0.1,DNS:localhost\n");
    const issuer = ["-CA", at("ca.pem"), "-CAkey", at("ca.key"), "-CAcreateserial"];
    await openssl(
      "x509",
      "-req",
      "-in",
      at("request.pem"),
      ...issuer,
      "-out",
      at("cert.pem"),
      "-days",
      "2",
      "-extfile",
      at("names"),
    );
    const [ca, key, certificate] = await Promise.all(
      ["ca.pem", "key.pem", "cert.pem"].map((name) => readFile(at(name), "utf8")),
    );
    return { ca: ca!, keyAndCertificate: `${key}${certificate}` };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
