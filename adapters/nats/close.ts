import { type Clock, sleep } from "../../core/clock.ts";
import type { CloseReport } from "../../core/transport.ts";
import type { Link } from "./link.ts";
import type { NatsLike } from "./nats-like.ts";
import type { Outbox } from "./outbox.ts";
import type { NatsConsumer } from "./subscription.ts";

/** What {@link closeTransport} takes down. */
export interface CloseContext {
  readonly connection: NatsLike;
  readonly link: Link;
  readonly outbox: Outbox;
  readonly consumers: Set<NatsConsumer>;
  readonly clock: Clock;
  readonly closeConnection: boolean;
}

/**
 * Ends the subscriptions, waits for confirmations until the deadline, and reports exactly what is left.
 * `drain()` of the client would not do: while disconnected it rejects and leaves the connection open.
 */
export async function closeTransport(context: CloseContext, deadlineMs: number): Promise<CloseReport> {
  const { connection, link, outbox, consumers, clock, closeConnection } = context;
  let unsettled = 0;
  for (const consumer of [...consumers]) unsettled += (await consumer.close()).unsettled;
  const done = new AbortController();
  const leave = outbox.whenSettled(() => done.abort());
  await sleep(clock, deadlineMs, done.signal);
  leave();
  const unsent = outbox.dispose();
  const wasClosed = link.state === "closed";
  link.stop();
  if (!wasClosed) link.emit({ type: "closed" });
  if (closeConnection && !connection.isClosed()) {
    // The client's close waits for a socket that may never answer; nobody has to wait for that.
    await Promise.race([connection.close().catch(() => undefined), sleep(clock, 1_000)]);
  }
  return { unsent, unsettled };
}
