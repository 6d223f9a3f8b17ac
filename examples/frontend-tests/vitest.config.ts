import { cpSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { playwright } from "@vitest/browser-playwright";
import { defineConfig, type ViteUserConfig } from "vitest/config";
import repository from "../../vitest.config.ts";

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

// In a project of your own: `npx msw init public --save`, once.
const publicDir = at("../../.cache/frontend-tests");
cpSync(fileURLToPath(import.meta.resolve("msw/mockServiceWorker.js")), `${publicDir}/mockServiceWorker.js`);

/** The same tests twice: in Node, and in a page of Chromium. */
const config: ViteUserConfig = defineConfig({
  root: at("."),
  publicDir,
  // In a project of your own `waybill` comes from node_modules.
  resolve: { alias: repository.resolve?.alias ?? {} },
  // Found late, these would make the page load again in the middle of a test.
  optimizeDeps: { include: ["msw", "msw/browser", "@nats-io/nats-core", "@opentelemetry/api", "valibot"] },
  test: {
    include: ["*.test.ts"],
    projects: [
      { extends: true, test: { name: "node", setupFiles: "./setup.node.ts" } },
      {
        extends: true,
        test: {
          name: "chromium",
          setupFiles: "./setup.browser.ts",
          browser: {
            enabled: true,
            headless: true,
            screenshotFailures: false,
            // In a project of your own: `playwright()`, after `npx playwright install chromium`.
            provider: playwright({
              launchOptions: { executablePath: at("../../.cache/tools/chromium"), args: ["--no-sandbox"] },
            }),
            instances: [{ browser: "chromium" }],
          },
        },
      },
    ],
  },
});

export default config;
