import type { ConsumeSink, Delivery, TransportSubscription } from "../../../core/transport.ts";

/** A consumer as small as can be: keys in order, different keys side by side, `credit` deliveries at most. */
export class SerialSink implements ConsumeSink {
  readonly revoked: string[] = [];
  readonly failures: Error[] = [];
  running = 0;
  readonly #handle: (delivery: Delivery) => Promise<void>;
  readonly #keys = new Map<string, Promise<void>>();
  readonly #work = new Map<string, Set<Promise<void>>>();
  readonly #leaving = new Set<string>();
  subscription: TransportSubscription | undefined;

  constructor(handle: (delivery: Delivery) => Promise<void>) {
    this.#handle = handle;
  }

  deliver(delivery: Delivery): void {
    const key = delivery.message.key ?? delivery.position;
    const lane = this.#work.get(delivery.lane) ?? new Set();
    this.#work.set(delivery.lane, lane);
    // A lane that comes back after a revoke is a new one.
    this.#leaving.delete(delivery.lane);
    const run = (this.#keys.get(key) ?? Promise.resolve()).then(() => this.#run(delivery));
    this.#keys.set(key, run);
    lane.add(run);
    void run.finally(() => {
      lane.delete(run);
      if (this.#keys.get(key) === run) this.#keys.delete(key);
      this.subscription?.credit(1);
    });
  }

  async #run(delivery: Delivery): Promise<void> {
    if (delivery.signal.aborted || this.#leaving.has(delivery.lane)) return delivery.release();
    this.running++;
    await this.#handle(delivery);
    this.running--;
    void delivery.settle({ kind: "ack" }).catch(() => undefined);
  }

  async revoke(lane: string): Promise<void> {
    this.revoked.push(lane);
    this.#leaving.add(lane);
    await Promise.all(this.#work.get(lane) ?? []);
  }

  failed(error: Error): void {
    this.failures.push(error);
  }
}
