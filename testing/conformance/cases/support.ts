import type { OutgoingMessage } from "../../../core/message.ts";
import type { PublishOptions, Receipt, SubscribeOptions } from "../../../core/options.ts";
import type { ConsumeSource, Delivery, TransportSubscription } from "../../../core/transport.ts";
import type { Recorder } from "../../recorder.ts";
import type { ConformanceClient, ConformanceContext, TestBus } from "../case.ts";

/** The type of events whose type does not matter. */
export const type = "conformance.happened";

/** 0 to `count` - 1. */
export const numbers = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

/** A bus with a recorder on a destination of its own: how most cases begin. */
export async function listening(
  context: ConformanceContext,
  options: Omit<SubscribeOptions, "destination" | "batch"> = {},
): Promise<{ readonly bus: TestBus; readonly destination: string; readonly got: Recorder }> {
  const destination = await context.destination();
  const bus = await context.bus();
  const got = context.recorder();
  await bus.subscribe(type, got.handler, { destination, ...options } as SubscribeOptions<never>);
  return { bus, destination, got };
}

/** Publishes `{ n }` for each number together; rejects when one is not stored. */
export async function publishNumbers(
  bus: TestBus,
  destination: string,
  wanted: readonly number[],
  options: (n: number) => PublishOptions = () => ({}),
): Promise<Receipt[]> {
  const items = wanted.map((n) => ({ type, data: { n }, destination, ...options(n) }));
  const results = await bus.publishAll(items);
  return results.map((result) => {
    if (result instanceof Error) throw result;
    return result;
  });
}

/** The numbers of events that {@link publishNumbers} sent. */
export const numbersIn = (data: readonly unknown[]): number[] => data.map((each) => (each as { n: number }).n);

/** A consumption of the port itself, without a bus. */
export interface RawConsumption {
  readonly deliveries: readonly Delivery[];
  readonly subscription: TransportSubscription;
}

/** Consumes through the port. Lanes that are revoked lose what they had at once. */
export async function consumeRaw(
  { transport }: ConformanceClient,
  source: Pick<ConsumeSource, "destinations"> & Partial<ConsumeSource>,
  credit: number,
): Promise<RawConsumption> {
  const deliveries: Delivery[] = [];
  const subscription = await transport.consume(
    { from: source.group !== undefined && transport.capabilities.replay ? "earliest" : "new", ...source },
    { deliver: (delivery) => void deliveries.push(delivery), revoke: async () => undefined, failed: () => undefined },
  );
  subscription.credit(credit);
  return { deliveries, subscription };
}

/** A message of the port itself. */
export function rawMessage(destination: string, body: string | Uint8Array | null, more = {}): OutgoingMessage {
  return { destination, headers: [], body, ...more };
}

/** The body of a delivery as text. */
export const textOf = ({ message }: Delivery): string => new TextDecoder().decode(message.body ?? new Uint8Array());

/** Acknowledges together: a transport that settles now and then would be waited for once per delivery. */
export async function acknowledge(deliveries: readonly Delivery[]): Promise<void> {
  await Promise.all(deliveries.map((delivery) => delivery.settle({ kind: "ack" })));
}

/** Buses of the members of a group, each by a client of its own where there can be several. */
export async function members(context: ConformanceContext, count: number): Promise<TestBus[]> {
  const buses: TestBus[] = [];
  for (let n = 0; n < count; n++) buses.push(await context.bus());
  return buses;
}

/** How many times each value stands in a list. */
export function counts(values: readonly string[]): Map<string, number> {
  const found = new Map<string, number>();
  for (const each of values) found.set(each, (found.get(each) ?? 0) + 1);
  return found;
}

/** The same promise, whose failure is not unhandled while a case is still busy elsewhere. */
export function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}
