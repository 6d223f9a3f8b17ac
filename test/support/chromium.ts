import { existsSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { type Browser, chromium, type Page } from "playwright-core";

const at = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const executablePath = at(".cache/tools/chromium");

/** A page of a real Chromium with a script of the repository in it. */
export interface TestPage extends AsyncDisposable {
  readonly page: Page;
  /** What went wrong in the page. */
  readonly errors: readonly string[];
}

/** Bundles `script` as a page's own module, serves it on a free port, and opens it in headless Chromium. */
export async function openPage(script: string): Promise<TestPage> {
  if (!existsSync(executablePath)) throw new Error(`${executablePath} is missing: \`npm test\` installs it`);
  const bundle = await build({
    entryPoints: [at(script)],
    bundle: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    write: false,
    external: ["crypto"], // nats.ws asks for it only where there is no Web Crypto
    tsconfig: at("tsconfig.json"),
  });
  const server: Server = createServer((request, response) => {
    const isScript = request.url === "/page.js";
    response.writeHead(200, {
      "content-type": isScript ? "text/javascript" : "text/html",
      "content-security-policy": "default-src 'none'; script-src 'self'; connect-src ws://127.0.0.1:*",
    });
    response.end(
      isScript ? bundle.outputFiles[0]!.text : '<!doctype html><script type="module" src="/page.js"></script>',
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const browser: Browser = await chromium.launch({
    executablePath,
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"],
  });
  const page = await browser.newPage();
  const errors: string[] = [];
  page.on("pageerror", (error) => void errors.push(error.message));
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  return {
    page,
    errors,
    async [Symbol.asyncDispose]() {
      await browser.close();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
