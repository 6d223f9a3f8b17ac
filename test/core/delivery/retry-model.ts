import fc from "fast-check";
import { type Backoff, createEventBus, EventError, fixedBackoff, linearBackoff } from "waybill";
import { createDeadLetterQueue } from "waybill/dead-letter";
import { memoryTransport } from "waybill/memory";
import { fakeClock } from "waybill/testing";

/** What an attempt does after `takesMs`. */
export type Step =
  | { readonly does: "succeed" | "fail" | "fail for good" | "give up"; readonly takesMs: number }
  | { readonly does: "ask"; readonly takesMs: number; readonly delayMs: number }
  | { readonly does: "hang" };

/** A random history: events by key, and for each what its attempts do; the last step repeats. */
export interface History {
  readonly events: readonly { readonly key: string; readonly steps: readonly Step[] }[];
  readonly attempts: number;
  readonly maxElapsedMs: number | undefined;
  readonly timeoutMs: number | undefined;
  readonly backoff: { readonly kind: "fixed" | "linear"; readonly ms: number };
}

const takesMs = fc.constantFrom(0, 7, 50);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ does: fc.constant("succeed" as const), takesMs }) },
  { weight: 5, arbitrary: fc.record({ does: fc.constant("fail" as const), takesMs }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constantFrom("fail for good" as const, "give up" as const), takesMs }) },
  {
    weight: 2,
    arbitrary: fc.record({ does: fc.constant("ask" as const), takesMs, delayMs: fc.constantFrom(0, 30, 900) }),
  },
  { weight: 1, arbitrary: fc.record({ does: fc.constant("hang" as const) }) },
);

export const histories: fc.Arbitrary<History> = fc.record({
  events: fc.array(
    fc.record({
      key: fc.constantFrom("a", "b", "c"),
      steps: fc.array(step, { minLength: 1, maxLength: 6, size: "medium" }),
    }),
    { minLength: 1, maxLength: 12, size: "medium" },
  ),
  attempts: fc.integer({ min: 1, max: 6 }),
  maxElapsedMs: fc.option(fc.integer({ min: 0, max: 3_000 }), { nil: undefined }),
  timeoutMs: fc.option(fc.constantFrom(20, 200), { nil: undefined }),
  backoff: fc.record({
    kind: fc.constantFrom("fixed" as const, "linear" as const),
    ms: fc.integer({ min: 1, max: 500 }),
  }),
});

const backoffOf = ({ kind, ms }: History["backoff"]): Backoff =>
  kind === "fixed" ? fixedBackoff(ms) : linearBackoff(ms);

/** What has to come: each attempt with its number and time, and how each event ends. */
export function expected({ events, attempts, maxElapsedMs, timeoutMs, backoff }: History): string[] {
  const wait = backoffOf(backoff);
  /** When the key is free. */
  const free = new Map<string, number>();
  const lines: string[] = [];
  for (const [n, { key, steps }] of events.entries()) {
    let at = free.get(key) ?? 0;
    if (at === Number.POSITIVE_INFINITY) continue; // behind one that hangs for ever
    let firstMs: number | undefined;
    for (let attempt = 1; ; attempt++) {
      lines.push(`${n} attempt ${attempt} at ${at}`);
      const step = steps[Math.min(attempt, steps.length) - 1]!;
      const takes = step.does === "hang" ? Number.POSITIVE_INFINITY : step.takesMs;
      const late = timeoutMs !== undefined && takes >= timeoutMs;
      at += late ? timeoutMs : takes;
      if (at === Number.POSITIVE_INFINITY) break;
      const does = late ? "fail" : step.does;
      if (does === "succeed") {
        lines.push(`${n} handled`);
        break;
      }
      firstMs ??= at;
      const end = (why: string): void => void lines.push(`${n} ${why} after ${attempt}`);
      if (does === "give up") end("requested");
      else if (does === "fail for good") end("not-retryable");
      else if (attempt >= attempts) end("attempts-exhausted");
      else {
        const delayMs = wait(attempt);
        const asks = does === "ask" && step.does === "ask";
        if (!asks && maxElapsedMs !== undefined && at + delayMs - firstMs > maxElapsedMs) end("attempts-exhausted");
        else {
          at += asks ? step.delayMs : delayMs;
          continue;
        }
      }
      break;
    }
    free.set(key, at);
  }
  return lines.sort();
}

/** What comes, over memory with key order. */
export async function observed({ events, attempts, maxElapsedMs, timeoutMs, backoff }: History): Promise<string[]> {
  const clock = fakeClock();
  const memory = memoryTransport({ clock });
  const bus = createEventBus({ source: "/model", transports: { memory }, clock });
  const startMs = clock.now();
  const lines: string[] = [];
  await bus.subscribe(
    "t",
    async ({ id }, delivery) => {
      const { attempt } = delivery;
      lines.push(`${id} attempt ${attempt} at ${clock.now() - startMs}`);
      const { steps } = events[Number(id)]!;
      const step = steps[Math.min(attempt, steps.length) - 1]!;
      if (step.does === "hang") return new Promise(() => undefined);
      if (step.takesMs > 0) await new Promise<void>((resolve) => clock.after(step.takesMs, resolve));
      if (delivery.signal.aborted) return undefined;
      if (step.does === "fail") throw new Error("no");
      if (step.does === "fail for good") throw new EventError("invalid-data", "never");
      if (step.does === "ask") delivery.retryAfter(step.delayMs);
      else if (step.does === "give up") delivery.deadLetter("enough");
      else lines.push(`${id} handled`);
      return undefined;
    },
    {
      group: "g",
      concurrency: 64,
      deadLetter: true,
      retry: {
        attempts,
        backoff: backoffOf(backoff),
        ...(maxElapsedMs !== undefined && { maxElapsedMs }),
        ...(timeoutMs !== undefined && { timeoutMs }),
      },
    },
  );
  for (const [n, { key }] of events.entries()) await bus.publish("t", {}, { id: String(n), key });
  await clock.advance(120_000);
  const letters = await createDeadLetterQueue({ bus, destination: "t" });
  for await (const { event, reason, attempts: failed } of letters.list()) {
    lines.push(`${event!.id} ${reason} after ${failed}`);
  }
  return lines.sort();
}
