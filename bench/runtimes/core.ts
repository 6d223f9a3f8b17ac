// Runs on Node, Deno and Bun alike, bundled with all it needs: routes, encodes, publishes over memory and handles.
// Prints the events per second, the median of its turns.
import { argv } from "node:process";
import { createEventBus, defineEvents } from "waybill";
import { memoryTransport } from "waybill/memory";
import { data, source, within } from "../event.ts";
import { median } from "../support/statistics.ts";

const [count, rounds, warmUp] = argv.slice(2).map(Number) as [number, number, number];
const window = 250;
const schema = {
  "~standard": { version: 1, vendor: "bench", validate: (value: unknown) => ({ value: value as typeof data }) },
} as const;
const events = defineEvents({
  "order.placed": { schema, destination: "orders", key: (order: typeof data) => order.orderId },
  "cart.updated": { schema },
});
const bus = createEventBus({
  source,
  events,
  transports: {
    fast: memoryTransport({ name: "fast", maxMessages: 1_024 }),
    kept: memoryTransport({ name: "kept", maxMessages: 1_024 }),
  },
  routes: [
    { type: "cart.*", to: "fast" },
    { type: "**", to: "kept" },
  ],
});
let left = 0;
let handledAll = (): void => undefined;
const handle = (): void => {
  if (--left === 0) handledAll();
};
await bus.subscribe("order.placed", handle, { transport: "kept", group: "bench" });
await bus.subscribe("cart.*", handle, { transport: "fast", group: "bench" });

const perSecond: number[] = [];
for (let round = 0; round < rounds + warmUp; round++) {
  const start = performance.now();
  for (let sent = 0; sent < count; sent += window) {
    left = window;
    // No timer: how long the shortest one takes differs from runtime to runtime.
    const handled = new Promise<void>((resolve) => {
      handledAll = resolve;
    });
    const one = (_: unknown, n: number): Promise<unknown> =>
      bus.publish(n % 2 === 0 ? "order.placed" : "cart.updated", data, { context: within });
    await Promise.all(Array.from({ length: window }, one));
    await handled;
  }
  if (round >= warmUp) perSecond.push(count / ((performance.now() - start) / 1000));
}
console.log(median(perSecond));
await bus.close();
