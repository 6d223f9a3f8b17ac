import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const servers = process.env.NATS_WS_URL ?? "";
const durableHop = process.env.KAFKA_BROKERS ? "Kafka" : "memory";

const bundle = await build({
  entryPoints: [at("./page/main.ts")],
  bundle: true,
  format: "esm",
  platform: "browser",
  target: "es2022",
  minify: true,
  write: false,
  tsconfig: at("../../tsconfig.json"),
});
const files: Record<string, [type: string, content: string]> = {
  "/": ["text/html; charset=utf-8", await readFile(at("./page/index.html"), "utf8")],
  "/main.js": ["text/javascript; charset=utf-8", bundle.outputFiles[0]!.text],
  "/style.css": ["text/css; charset=utf-8", await readFile(at("./page/style.css"), "utf8")],
  "/config.json": ["application/json", JSON.stringify({ servers, durableHop })],
};
// The page works under this policy: nothing inline, nothing evaluated, nothing from elsewhere.
const policy = `default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self' ${servers}`;

const server = createServer((request, response) => {
  const file = files[request.url ?? "/"];
  response.writeHead(file ? 200 : 404, {
    "content-type": file?.[0] ?? "text/plain",
    "content-security-policy": policy,
    "cache-control": "no-store",
  });
  response.end(file?.[1] ?? "not found");
});
server.listen(Number(process.env.PORT ?? 0), "127.0.0.1", () => {
  process.send?.({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` });
});
process.on("disconnect", () => process.exit(0));
process.on("SIGTERM", () => process.exit(0));
