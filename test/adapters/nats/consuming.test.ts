import { describe, expect, test } from "vitest";
import type { TransportSubscription } from "waybill";
import {
  type NatsHoldOptions,
  type NatsSubscribeOptionsLike,
  type NatsSubscriptionLike,
  natsTransport,
} from "../../../adapters/nats/index.ts";
import { FakeConnection } from "./fake-connection.ts";
import { type CollectingSink, collectingSink } from "./sink.ts";

/** A client that receives what a test sends it. */
class ReceivingConnection extends FakeConnection {
  unsubscribed = 0;
  #callback: NatsSubscribeOptionsLike["callback"];

  override subscribe(_: string, options?: NatsSubscribeOptionsLike): NatsSubscriptionLike {
    this.#callback = options?.callback;
    return { unsubscribe: () => void this.unsubscribed++, drain: () => Promise.resolve() };
  }

  /** The server's answer to the PING behind a subscription is there at once. */
  override flush(): Promise<void> {
    return Promise.resolve();
  }

  receive(body: string, reply?: string): void {
    this.#callback!(null, { subject: "c", data: new TextEncoder().encode(body), ...(reply && { reply }) });
  }
}

async function setUp(hold: NatsHoldOptions = {}) {
  const connection = new ReceivingConnection();
  const transport = natsTransport({ connection, hold });
  const sink: CollectingSink = collectingSink();
  const subscription: TransportSubscription = await transport.consume({ destinations: ["c"], from: "new" }, sink);
  return { connection, sink, subscription, transport };
}
const ack = { kind: "ack" } as const;

describe("a consumer of core NATS", () => {
  test("gets against credit alone, in order, and again in front what it released", async () => {
    const { connection, sink, subscription } = await setUp();
    for (const body of ["1", "2", "3"]) connection.receive(body);
    expect(sink.bodies()).toEqual([]);
    subscription.credit(2);
    expect(sink.bodies()).toEqual(["1", "2"]);
    sink.deliveries[0]!.release();
    subscription.credit(2);
    expect(sink.bodies()).toEqual(["1", "2", "1", "3"]);
  });

  test("ends a delivery once: what is released after its verdict does not come again, and nothing counts twice", async () => {
    const { connection, sink, subscription } = await setUp();
    subscription.credit(5);
    connection.receive("1");
    connection.receive("2");
    const [first] = sink.deliveries;
    await first!.settle(ack);
    await first!.settle(ack);
    first!.release();
    expect(sink.bodies()).toEqual(["1", "2"]);
    expect(await subscription.close()).toEqual({ unsent: 0, unsettled: 1 });
  });

  test("holds up to its bound, then drops the newest and says so once until it has caught up", async () => {
    const { connection, sink, subscription } = await setUp({ maxMessages: 2 });
    const flood = (bodies: string[]): void => {
      for (const body of bodies) connection.receive(body);
    };
    flood(["1", "2", "3", "4"]);
    expect(sink.errors.map(({ code }) => code)).toEqual(["buffer-full"]);
    subscription.credit(2);
    flood(["5", "6", "7"]);
    subscription.credit(2);
    expect(sink.bodies()).toEqual(["1", "2", "5", "6"]);
    expect(sink.errors).toHaveLength(2);
  });

  test("has its deliveries aborted at close, and gets nothing afterwards", async () => {
    const { connection, sink, subscription } = await setUp();
    subscription.credit(5);
    connection.receive("1");
    expect(await subscription.close()).toEqual({ unsent: 0, unsettled: 1 });
    expect([sink.deliveries[0]!.signal.aborted, connection.unsubscribed]).toEqual([true, 1]);
    connection.receive("2");
    sink.deliveries[0]!.release();
    expect(sink.bodies()).toEqual(["1"]);
  });

  test("believes reply subjects under known prefixes alone", async () => {
    const { connection, sink, subscription } = await setUp();
    subscription.credit(5);
    for (const reply of ["_INBOX.1", "orders.delete", undefined]) connection.receive("x", reply);
    expect(sink.deliveries.map(({ message }) => message.replyTo)).toEqual(["_INBOX.1", undefined, undefined]);
  });
});
