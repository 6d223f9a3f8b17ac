import type { NatsConnection } from "@nats-io/transport-node";
import { createEventBus } from "waybill";
import type { NatsServer } from "../../test/support/nats-server.ts";
import { data, source, subject, within } from "../event.ts";
import type { Row } from "../result.ts";
import { type Contender, compare } from "../support/harness.ts";
import { nest } from "../support/nest.ts";
import { posting, transports, turns, unconfirmed } from "./publish.ts";

/** `post` against NestJS's `emit`, both followed by a flush of the connection per window. */
export async function emit(connection: NatsConnection, server: NatsServer): Promise<Row> {
  const client = await (await nest()).natsClient(server.url);
  const theirs: Contender = {
    name: "NestJS emit",
    run: async (total) => {
      for (let sent = 0; sent < total; sent += unconfirmed) {
        for (let n = 1; n < unconfirmed; n++) client.emit(subject, data);
        // Events are written in later microtasks, the last one last.
        await client.emitted(subject, data);
        await client.flush();
      }
    },
  };
  try {
    return await compare("NATS: post, against emit without tracing", [posting(connection), theirs], turns, {
      due: { atLeast: 1.5 },
      note: "NestJS sends no headers: neither an id nor a trace context",
    });
  } finally {
    await client.close();
  }
}

const consuming = { count: 16_384, rounds: 30, warmUp: 4 };

/**
 * Handling events, each library its own format. The events are captured once and published as bytes in the same
 * process, which costs both the same.
 */
export async function consume(connection: NatsConnection, server: NatsServer): Promise<Row> {
  const { natsClient, natsEvents } = await nest();
  const counter = countdown();
  const bus = createEventBus({ source, transports: transports(connection) });
  const subscription = await bus.subscribe(subject, () => counter.one());
  const ourBytes = await capture(connection, subject, () => bus.publish(subject, data, { context: within }));
  const theirSubject = `${subject}.nest`;
  const client = await natsClient(server.url);
  const service = await natsEvents(server.url, theirSubject, () => counter.one());
  const theirBytes = await capture(connection, theirSubject, () => client.emitted(theirSubject, data));
  await connection.flush();
  const replaying = (name: string, replay: () => void): Contender => ({
    name,
    run: async (total) => {
      const all = counter.wait(total);
      for (let n = 0; n < total; n++) replay();
      await all;
    },
  });
  try {
    const contenders = [replaying("bus.subscribe", ourBytes), replaying("NestJS @EventPattern", theirBytes)] as const;
    return await compare("NATS: consume, against @EventPattern", contenders, consuming, {
      note: "with the publishing of stored bytes, the same for both",
    });
  } finally {
    await service.close();
    await client.close();
    await subscription.close();
  }
}

/** Publishes one event and returns a function that publishes its bytes again. */
async function capture(
  connection: NatsConnection,
  on: string,
  publishOne: () => Promise<unknown>,
): Promise<() => void> {
  const listening = connection.subscribe(on, { max: 1 });
  await connection.flush();
  await publishOne();
  for await (const { data: body, headers } of listening) {
    return () => connection.publish(on, body, headers ? { headers } : {});
  }
  throw new Error(`nothing arrived on ${on}`);
}

/** Counts events until as many have come as a turn waits for. */
function countdown(): { one(): void; wait(count: number): Promise<void> } {
  let left = 0;
  let done = (): void => undefined;
  return {
    one() {
      if (--left === 0) done();
    },
    wait: (count) =>
      new Promise((resolve) => {
        left = count;
        done = resolve;
      }),
  };
}
