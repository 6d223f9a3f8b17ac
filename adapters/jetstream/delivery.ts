import type { Linked } from "../../core/linked-list.ts";
import type { IncomingMessage } from "../../core/message.ts";
import type { Delivery, Verdict } from "../../core/transport.ts";
import type { NatsMessageLike } from "../nats/nats-like.ts";
import { AckSubject } from "./ack-subject.ts";
import { JetStreamMessage } from "./incoming.ts";

const encoder = /* @__PURE__ */ new TextEncoder();
const acknowledged = /* @__PURE__ */ encoder.encode("+ACK");
const notAcknowledged = /* @__PURE__ */ encoder.encode("-NAK");
/** Says that work goes on. */
export const inProgress: Uint8Array = /* @__PURE__ */ encoder.encode("+WPI");

/** Before the reason of a termination: the server tells it to all, and those of our own are done with already. */
export const ownReason = "waybill: ";

/** Where a delivery reports to. */
export interface DeliveryOwner {
  readonly lane: string;
  readonly signal: AbortSignal;
  readonly partitioned: boolean;
  /** Has a verdict, which says whether it is done with for good; resolves when the server knows. */
  finish(delivery: JetStreamDelivery, payload: Uint8Array, done: boolean): Promise<void>;
  /** Tells the server that it is still worked on. */
  extend(reply: string, payload: Uint8Array): void;
}

/** One attempt at one message. */
export class JetStreamDelivery implements Delivery, Linked<JetStreamDelivery> {
  previous: JetStreamDelivery | undefined;
  next: JetStreamDelivery | undefined;
  readonly message: IncomingMessage;
  /** The subject that takes the verdict. */
  readonly reply: string;
  readonly stored: AckSubject;
  readonly #owner: DeliveryOwner;
  #settled: Promise<void> | undefined;

  constructor(owner: DeliveryOwner, message: NatsMessageLike) {
    this.#owner = owner;
    this.reply = message.reply!;
    this.stored = new AckSubject(this.reply);
    this.message = new JetStreamMessage(message, this.stored, owner.partitioned);
  }

  get attempt(): number {
    return this.stored.delivered;
  }

  get lane(): string {
    return this.#owner.lane;
  }

  get position(): string {
    return String(this.stored.sequence);
  }

  get signal(): AbortSignal {
    return this.#owner.signal;
  }

  settle(verdict: Verdict): Promise<void> {
    this.#settled ??= this.#owner.finish(this, payloadOf(verdict), verdict.kind !== "retry");
    return this.#settled;
  }

  extend(): void {
    if (!this.#settled) this.#owner.extend(this.reply, inProgress);
  }

  /** The server counts every delivery, so that the next one has the next number. */
  release(): void {
    if (this.#settled) return;
    this.#settled = this.#owner.finish(this, notAcknowledged, false);
    this.#settled.catch(() => undefined);
  }
}

function payloadOf(verdict: Verdict): Uint8Array {
  if (verdict.kind === "ack") return acknowledged;
  if (verdict.kind === "retry") {
    const nanoseconds = Math.round(verdict.delayMs * 1_000_000);
    return nanoseconds > 0 ? encoder.encode(`-NAK {"delay":${nanoseconds}}`) : notAcknowledged;
  }
  return encoder.encode(`+TERM ${ownReason}${verdict.reason}`);
}
