import { fileURLToPath } from "node:url";
import { defineConfig, type ViteUserConfig } from "vitest/config";
import { guardControl } from "./test/controls/plugin.ts";

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** The package's own names, pointing at the sources. Longest first: `waybill` alone would match them all. */
const alias = [
  ["waybill/memory", "./adapters/memory/index.ts"],
  ["waybill/nats", "./adapters/nats/index.ts"],
  ["waybill/jetstream", "./adapters/jetstream/index.ts"],
  ["waybill/kafka/confluent", "./adapters/kafka/confluent/index.ts"],
  ["waybill/kafka/platformatic", "./adapters/kafka/platformatic/index.ts"],
  ["waybill/kafka", "./adapters/kafka/index.ts"],
  ["waybill/dead-letter", "./core/dead-letter/index.ts"],
  ["waybill/outbox", "./core/outbox/index.ts"],
  ["waybill/patterns", "./core/patterns/index.ts"],
  ["waybill/node", "./runtimes/node/index.ts"],
  ["waybill/deno", "./runtimes/deno/index.ts"],
  ["waybill/bun", "./runtimes/bun/index.ts"],
  ["waybill/browser", "./runtimes/browser/index.ts"],
  ["waybill/testing", "./testing/index.ts"],
  ["waybill", "./core/index.ts"],
].map(([find, path]) => ({ find: new RegExp(`^${find}$`), replacement: at(path!) }));

/** What tests with real brokers have in common: one file at a time, with patience. */
const slow = { testTimeout: 120_000, hookTimeout: 120_000, fileParallelism: false };

/**
 * Tiers by file name: `.test.ts` needs no network, `.int.test.ts` real brokers, `.modern.test.ts` real brokers and
 * Node 24, `.e2e.test.ts` browsers and other runtimes as well.
 * test/package is about the package itself: `.test.ts` guards the sources, `.dist.test.ts` what was built.
 */
const config: ViteUserConfig = defineConfig({
  resolve: { alias },
  // Runs the tests without one of the guards they are about: see test/controls.
  plugins: [guardControl(process.env.WAYBILL_CONTROL, at("."))],
  test: {
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["test/**/*.test.ts", "examples/custom-transport/*.vitest.ts"],
          exclude: ["**/*.int.test.ts", "**/*.modern.test.ts", "**/*.e2e.test.ts", "test/package/**", "test/chaos/**"],
          // Property tests run long on a busy machine; none waits for real time.
          testTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: {
          name: "package",
          include: ["test/package/**/*.test.ts"],
          exclude: ["**/*.dist.test.ts"],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: { name: "dist", include: ["test/package/**/*.dist.test.ts"], testTimeout: 120_000, hookTimeout: 120_000 },
      },
      {
        extends: true,
        test: { name: "int", include: ["test/**/*.int.test.ts"], ...slow },
      },
      {
        extends: true,
        // In their full sizes under `npm run chaos`.
        test: { name: "chaos", include: ["test/chaos/**/*.chaos.test.ts"], ...slow, testTimeout: 1_800_000 },
      },
      {
        extends: true,
        test: { name: "modern", include: ["test/**/*.modern.test.ts"], ...slow },
      },
      {
        extends: true,
        test: {
          name: "e2e",
          include: ["test/**/*.e2e.test.ts"],
          testTimeout: 180_000,
          hookTimeout: 180_000,
          fileParallelism: false,
        },
      },
    ],
  },
});

export default config;
