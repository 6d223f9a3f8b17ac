import { setupWorker } from "msw/browser";
import { afterAll, beforeAll } from "vitest";
import { handlers } from "./broker.ts";

const worker = setupWorker(...handlers);

// What the test runner itself loads passes through.
beforeAll(async () => void (await worker.start({ quiet: true, onUnhandledRequest: "bypass" })));
afterAll(() => worker.stop());
