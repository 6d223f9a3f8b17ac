// A consumer in a process of its own, which kills itself at named points: `node --import tsx crash-points-member.ts
// <settings as JSON>`. Says "idle" while nothing is left to handle.
import { AsyncLocalStorage } from "node:async_hooks";
import { setMaxListeners } from "node:events";
import { connect } from "@nats-io/transport-node";
import pg from "pg";
import { createEventBus, type IdempotencyStore, type OutgoingMessage, type TransactionalInbox } from "waybill";
import { jetstreamIdempotency, jetstreamTransport } from "waybill/jetstream";
import { kafkaTransport } from "waybill/kafka";
import { confluentDriver } from "waybill/kafka/confluent";
import { postgresInbox } from "waybill/outbox";
import type { Delivery, Transport, TransportSubscription } from "../../core/transport.ts";
import { Crash, crashPointOf, isPoison, type MemberSettings, overlay } from "./crash-points.ts";

const settings = JSON.parse(process.argv[2] ?? "") as MemberSettings;
const { broker, store, destination, group, concurrency } = settings;
let state = settings.seed;
/** Often too short and at times long enough for what was sent last to be stored, or to be committed by a timer. */
const delayMs = (): number => {
  state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
  return (state / 0x7fffffff) ** 3 * 80;
};
const crash = new Crash(settings.file, delayMs);
const subscriptions: TransportSubscription[] = [];

const pool = new pg.Pool({ connectionString: settings.postgres, max: concurrency });
pool.on("error", () => undefined);
const jetstream = jetstreamTransport({
  connection: await connect({ servers: `127.0.0.1:${settings.port}` }),
  ackWaitMs: 2_000,
});

/** A transport that dies before and after the letters it stores, and around its acknowledgements. */
function mortal(transport: Transport): Transport {
  const { prefix } = transport.capabilities.binding;
  const idOfLetter = ({ headers }: OutgoingMessage): string | undefined => {
    if (!headers.includes("waybill-dlq-id")) return undefined;
    const id = headers[headers.indexOf(`${prefix}id`) + 1]!;
    return typeof id === "string" ? id : new TextDecoder().decode(id);
  };
  return overlay(transport, {
    async publish(messages, options) {
      const id = idOfLetter(messages[0]!);
      if (id !== undefined) await crash.reach("before the letter", id);
      const outcomes = await transport.publish(messages, options);
      if (id !== undefined && outcomes[0]!.stored) await crash.reach("after the letter", id);
      return outcomes;
    },
    async consume(source, sink) {
      const settling = (delivery: Delivery): Delivery => {
        const id = delivery.message.headers.get(`${prefix}id`) ?? "";
        setMaxListeners(0, delivery.signal);
        delivery.signal.addEventListener("abort", () => crash.end(id));
        return overlay(delivery, {
          async settle(verdict) {
            if (verdict.kind === "ack") {
              await crash.reach("after the commit", id);
              await crash.reach("in the ack", id, () => delivery.settle(verdict));
            }
            const settled = delivery.settle(verdict);
            // Kafka confirms it only behind what stands at its point before it.
            crash.end(id);
            await settled;
          },
        });
      };
      const subscription = await transport.consume(
        source,
        overlay(sink, { deliver: (delivery) => sink.deliver(settling(delivery)) }),
      );
      subscriptions.push(subscription);
      return subscription;
    },
  });
}

/** The key that the bus makes ends with the id. */
const idOf = (key: string): string => /\d-\d+(?=\W*$)/.exec(key)![0];
/** The event whose transaction is open. */
const handled = new AsyncLocalStorage<string>();

function mortalInbox(): TransactionalInbox<pg.PoolClient> {
  const inbox = postgresInbox<pg.PoolClient>({
    pool: {
      async connect() {
        const client = await pool.connect();
        const query = client.query.bind(client) as (text: string, values?: unknown[]) => Promise<pg.QueryResult>;
        return overlay(client, {
          query: (async (text: string, values?: unknown[]) => {
            if (text === "commit") await crash.reach("in the commit", handled.getStore()!, () => query(text));
            return query(text, values);
          }) as pg.PoolClient["query"],
        });
      },
    },
  });
  return {
    async run(key, work, options) {
      await crash.begin(idOf(key));
      await crash.reach("before the claim", idOf(key));
      return handled.run(idOf(key), () => inbox.run(key, work, options));
    },
  };
}

function mortalClaims(): IdempotencyStore {
  const claims = jetstreamIdempotency({ transport: jetstream });
  return {
    async claim(key, options) {
      await crash.begin(idOf(key));
      await crash.reach("before the claim", idOf(key));
      const claim = await claims.claim(key, options);
      // Of a process that died a moment ago: it gives its place to others until the lease is over.
      if (claim.state === "held") crash.end(idOf(key));
      return claim;
    },
    async commit(key, token, options) {
      await crash.reach("in the commit", idOf(key), () => claims.commit(key, token, options));
      return claims.commit(key, token, options);
    },
    renew: (key, token, options) => claims.renew(key, token, options),
    release: (key, token) => claims.release(key, token),
  };
}

const transport =
  broker === "jetstream"
    ? jetstream
    : kafkaTransport({
        driver: confluentDriver({
          brokers: settings.brokers,
          // The next process takes over at once what this one had: nobody waits for a session to end.
          config: { "group.instance.id": "member" },
        }),
        commitIntervalMs: 50,
      });
const bus = createEventBus({ source: "/shop", transports: { main: mortal(transport) } });
bus.onError((error) => {
  // What is poison says so.
  if (error.code !== "handler-failed") console.error(error.code, error.message);
});
await bus.subscribe(
  "order.placed",
  async ({ id }, delivery) => {
    if (store === "none") {
      await crash.begin(id);
      await crash.reach("before the claim", id);
    }
    await crash.reach("after the claim", id);
    if (isPoison(crashPointOf(id))) return delivery.deadLetter("poison");
    const database = (delivery.transaction as unknown as pg.PoolClient | undefined) ?? pool;
    await database.query("insert into effects (event) values ($1)", [id]);
    await crash.reach("after the effect", id);
    if (store === "none") await crash.reach("in the commit", id);
  },
  {
    destination,
    group,
    concurrency,
    ...(store !== "none" && {
      idempotency: { store: store === "kv" ? mortalClaims() : mortalInbox(), leaseMs: 1_000 } as never,
    }),
  },
);
process.once("SIGTERM", () => {
  console.error(crash.describe());
  process.exit(1);
});
let idle = 0;
setInterval(async () => {
  const lags = await Promise.all(subscriptions.map((each) => each.lag()));
  const left = lags.flat().reduce((sum, { messages }) => sum + messages, 0);
  // Before the group has given it everything the member sees no lag.
  idle = lags.flat().length >= settings.lanes && left === 0 && crash.idle ? idle + 1 : 0;
  if (idle === 3) process.stdout.write("idle\n");
}, 100);
