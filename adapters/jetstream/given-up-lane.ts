import { EventError } from "../../core/errors.ts";
import type { IncomingMessage } from "../../core/message.ts";
import type { Delivery, Verdict } from "../../core/transport.ts";
import type { NatsMessageLike } from "../nats/nats-like.ts";
import type { Consumer } from "./consumer.ts";
import { JetStreamDelivery, ownReason } from "./delivery.ts";
import type { StreamConfig } from "./ensure-stream.ts";
import { givenUpStream, givenUpSubjects } from "./given-up-stream.ts";
import { JetStreamMessage } from "./incoming.ts";
import { Lane, type LaneOwner } from "./lane.ts";
import { getStored, removeStored } from "./stored-message.ts";

/** What the server says about a message that it gives up. */
interface Advisory {
  readonly type: string;
  readonly consumer: string;
  readonly stream_seq: number;
  readonly deliveries: number;
  /** Of a termination. */
  readonly reason?: string;
}

/** Pause before an original that could not be fetched is asked for again. */
const againMs = 1_000;
const decoder = /* @__PURE__ */ new TextDecoder();

/**
 * What the server has given up for the consumers of a group: its advisories, which a stream keeps, become deliveries of
 * the original messages. The members share one consumer of them, and a verdict is that of the advisory.
 */
export class GivenUpLane extends Lane {
  override readonly aside: boolean = true;
  readonly #stream: string;
  readonly #isQueue: boolean;
  /** By the consumer that the server names. */
  readonly #origins: ReadonlyMap<string, Lane>;
  readonly #opening = new Set<Promise<void>>();

  constructor(
    owner: LaneOwner,
    spec: Lane["spec"],
    consumer: Consumer,
    stream: StreamConfig,
    origins: readonly Lane[],
  ) {
    super(owner, givenUpStream(stream.name), spec, consumer, false);
    this.#stream = stream.name;
    this.#isQueue = stream.retention === "workqueue";
    this.#origins = new Map(origins.map((lane) => [lane.consumer.name, lane]));
  }

  /** What it is to consume: the advisories about the lanes of one group. */
  static specOf(
    stream: string,
    durable: string,
    origins: readonly Lane[],
    ackWaitMs: number | undefined,
  ): Lane["spec"] {
    const subjects = origins.flatMap(({ consumer }) => givenUpSubjects(stream, consumer.name)).sort();
    return { stream: givenUpStream(stream), durable, subjects, from: "earliest", ackWaitMs };
  }

  /** It waits while any of the lanes does that its messages came by. */
  override pause(): void {
    this.paused = [...this.#origins.values()].some(({ paused }) => paused);
  }

  override resume(): void {
    this.pause();
    this.pass();
  }

  protected override hand(message: NatsMessageLike): void {
    const advisory = new JetStreamDelivery(this, message);
    this.open.push(advisory);
    const opening = this.#open(advisory, message.data);
    this.#opening.add(opening);
    void opening.finally(() => this.#opening.delete(opening));
    // It asked for this one alone.
    this.owner.fill();
  }

  protected override async handing(): Promise<void> {
    await Promise.all(this.#opening);
  }

  /** Uses the credit that it came with for the original, or gives it back. */
  async #open(advisory: JetStreamDelivery, data: Uint8Array): Promise<void> {
    const told = parse(data);
    // What was rejected here is done with.
    if (!told || (told.why === "terminated" && told.reason?.startsWith(ownReason))) return this.#skip(advisory);
    const { stream_seq: sequence, consumer, deliveries, why } = told;
    const origin = this.#origins.get(consumer);
    const what = `${this.#stream}: ${sequence}, given up by the server (${told.reason === undefined ? why : `${why}: ${told.reason}`})`;
    try {
      const found = await getStored(this.owner.context.api, this.#stream, { seq: sequence });
      if (this.closing) return advisory.release();
      if (!found) {
        this.fail(new EventError("transport-failed", `jetstream: ${what}, is lost: it was removed meanwhile`));
        return this.#skip(advisory);
      }
      const message = new JetStreamMessage(found.message, found.stored, origin?.partitioned === true);
      const lane = origin?.lane ?? this.#stream;
      const settled = why === "max-deliveries" && this.#isQueue ? () => this.#remove(sequence) : undefined;
      this.owner.sink.deliver(
        new GivenUpDelivery(
          advisory,
          { message, attempt: deliveries, lane, position: String(sequence), givenUp: why },
          settled,
        ),
      );
    } catch (reason) {
      const error = EventError.from(reason);
      this.fail(new EventError(error.code, `jetstream: cannot fetch ${what}`, { cause: error, retryable: true }));
      advisory.settle({ kind: "retry", delayMs: againMs }).catch(() => undefined);
      this.owner.give();
    }
  }

  #skip(advisory: JetStreamDelivery): void {
    advisory.settle({ kind: "ack" }).catch(() => undefined);
    this.owner.give();
  }

  /** In a work queue what was given up stays, though nobody will get it. */
  async #remove(sequence: number): Promise<void> {
    await removeStored(this.owner.context.api, this.#stream, sequence).catch((reason) =>
      this.fail(EventError.from(reason)),
    );
  }
}

type GivenUpFacts = Required<Pick<Delivery, "message" | "attempt" | "lane" | "position" | "givenUp">>;

/** A message that the server gave up; it stands where it stood when it came the last time. */
class GivenUpDelivery implements Delivery {
  readonly message: IncomingMessage;
  readonly attempt: number;
  readonly lane: string;
  readonly position: string;
  readonly givenUp: string | undefined;
  readonly #advisory: JetStreamDelivery;
  readonly #afterwards: (() => Promise<void>) | undefined;
  #settled: Promise<void> | undefined;

  constructor(advisory: JetStreamDelivery, facts: GivenUpFacts, afterwards: (() => Promise<void>) | undefined) {
    this.#advisory = advisory;
    this.#afterwards = afterwards;
    this.message = facts.message;
    this.attempt = facts.attempt;
    this.lane = facts.lane;
    this.position = facts.position;
    this.givenUp = facts.givenUp;
  }

  get signal(): AbortSignal {
    return this.#advisory.signal;
  }

  settle(verdict: Verdict): Promise<void> {
    this.#settled ??=
      verdict.kind === "retry"
        ? this.#advisory.settle(verdict)
        : this.#advisory.settle({ kind: "ack" }).then(this.#afterwards);
    return this.#settled;
  }

  extend(): void {
    this.#advisory.extend();
  }

  release(): void {
    if (this.#settled) return;
    this.#settled = Promise.resolve();
    this.#advisory.release();
  }
}

/** Undefined for what is no advisory of these. */
function parse(data: Uint8Array): (Advisory & { readonly why: "max-deliveries" | "terminated" }) | undefined {
  try {
    const told: Advisory = JSON.parse(decoder.decode(data));
    const why = /\.max_deliver$/.test(told.type) ? "max-deliveries" : "terminated";
    return Number.isSafeInteger(told.stream_seq) ? { ...told, why } : undefined;
  } catch {
    return undefined;
  }
}
