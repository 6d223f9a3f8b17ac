import type { EventErrorCode } from "../../core/errors.ts";
import type { NatsMessageLike, NatsSubscriptionLike } from "../nats/nats-like.ts";
import { isDelivery } from "./ack-subject.ts";
import type { ReceiveContext } from "./receive-context.ts";

/** What hears of a pull. */
export interface PullListener {
  message(message: NatsMessageLike): void;
  /** A pull ended as it should: there is room for another. */
  ended(): void;
  /** The server will not answer what was asked for. */
  lost(code: EventErrorCode, why: string, cause?: unknown): void;
}

/** A pull ends after so long, unless three heartbeats are longer. */
const minExpiresMs = 30_000;
const nanoseconds = 1_000_000;
const encoder = /* @__PURE__ */ new TextEncoder();

/** Asks a consumer for messages and keeps count of what is still to come. */
export class Pull {
  readonly #context: ReceiveContext;
  readonly #listener: PullListener;
  readonly #inbox: string;
  readonly #subscription: NatsSubscriptionLike;
  /** Asked for and neither delivered nor given up by the server. */
  requested = 0;
  #heardMs = 0;

  constructor(context: ReceiveContext, listener: PullListener) {
    this.#context = context;
    this.#listener = listener;
    this.#inbox = context.inbox();
    this.#subscription = context.options.connection.subscribe(this.#inbox, { callback: this.#receive });
  }

  /** Asks the consumer for `batch` messages. */
  ask(stream: string, consumer: string, batch: number): void {
    const { api, options, heartbeatMs, clock } = this.#context;
    const request = {
      batch,
      expires: Math.max(minExpiresMs, 3 * heartbeatMs) * nanoseconds,
      idle_heartbeat: heartbeatMs * nanoseconds,
    };
    if (this.requested === 0) this.#heardMs = clock.now();
    this.requested += batch;
    const subject = `${api.prefix}CONSUMER.MSG.NEXT.${stream}.${consumer}`;
    options.connection.publish(subject, encoder.encode(JSON.stringify(request)), { reply: this.#inbox });
  }

  /** Whether the server has owed a sign of life since then. */
  silentSince(timeMs: number): boolean {
    return this.requested > 0 && this.#heardMs <= timeMs;
  }

  /** Asks for no more; resolves when what was on its way has been handed out. */
  async close(): Promise<void> {
    await this.#subscription.drain().catch(() => undefined);
  }

  readonly #receive = (error: Error | null, message: NatsMessageLike): void => {
    if (error) {
      this.#listener.lost("denied", error.message, error);
      return;
    }
    this.#heardMs = this.#context.clock.now();
    if (isDelivery(message.reply)) {
      if (this.requested > 0) this.requested--;
      this.#listener.message(message);
    } else this.#told(message.headers);
  };

  /** The server's own words about a pull. */
  #told(headers: NatsMessageLike["headers"]): void {
    const { code = 0, description = "" } = headers ?? {};
    if (code === 100) return; // an idle heartbeat
    if (code !== 408 && code !== 404 && !/batch completed/i.test(description)) {
      this.requested = 0;
      this.#listener.lost("transport-failed", `the server answered ${code} ${description}`);
      return;
    }
    const given = [...(headers ?? [])].find(([name]) => /^nats-pending-messages$/i.test(name));
    this.requested = Math.max(0, this.requested - Number(given?.[1][0] ?? this.requested));
    this.#listener.ended();
  }
}
