import type { Timer } from "../../core/clock.ts";
import { withinDeadline } from "../../core/deadline.ts";
import { EventError } from "../../core/errors.ts";
import type { CloseOptions, CloseReport, ConsumeSink, Lag, TransportSubscription } from "../../core/transport.ts";
import type { Lane, LaneOwner } from "./lane.ts";
import type { ReceiveContext } from "./receive-context.ts";

/** What a lane aside asks for: seldom is there any, and what comes without credit is held. */
const aside = 1;

/** A running consumption: its lanes share credit, verdicts and the watch over the server. */
export class JetStreamSubscription implements TransportSubscription, LaneOwner {
  readonly context: ReceiveContext;
  readonly sink: ConsumeSink;
  readonly #abort = new AbortController();
  readonly #unlisten: () => void;
  readonly #lanes: Lane[] = [];
  /** Lanes that share the credit. */
  #sharing = 0;
  #credit = 0;
  /** The credit at its height. */
  #window = 0;
  #timer: Timer | undefined;
  #keptMs: number;
  #checking = false;
  #closing: Promise<CloseReport> | undefined;

  constructor(context: ReceiveContext, sink: ConsumeSink) {
    this.context = context;
    this.sink = sink;
    this.#keptMs = context.clock.now();
    this.#unlisten = context.link.listen(({ type }) => {
      if (type !== "connected") return;
      for (const lane of this.#lanes) lane.reconnected();
      this.fill();
    });
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Takes what the server made; from now on a close ends it. */
  add(lane: Lane): void {
    this.#lanes.push(lane);
    if (!lane.aside) this.#sharing++;
    if (this.#closing) void lane.stop();
    this.#checkOpen();
  }

  /** Begins with what was added. Throws `closed` when it was closed meanwhile. */
  start(): void {
    this.#checkOpen();
    this.#watch();
  }

  #checkOpen(): void {
    if (this.#closing) throw new EventError("closed", "jetstream: the subscription was closed while it opened");
  }

  credit(n: number): void {
    this.#credit += n;
    if (this.#credit > this.#window) this.#window = this.#credit;
    for (const lane of this.#lanes) lane.pass();
    this.fill();
  }

  take(): boolean {
    if (this.#credit === 0) return false;
    this.#credit--;
    return true;
  }

  give(): void {
    this.credit(1);
  }

  /** Lets each lane ask for its share; one at least, since nobody knows where the next event comes. */
  fill(): void {
    if (this.#credit === 0 || this.#closing) return;
    const lanes = this.#sharing;
    const share = lanes === 1 ? this.#credit : Math.ceil(this.#credit / lanes);
    for (const lane of this.#lanes) {
      if (lane.aside) lane.fill(aside, aside);
      else lane.fill(share, this.#window / lanes);
    }
  }

  pauseLane(name: string): void {
    for (const lane of this.#lanes) lane.pause(name);
  }

  resumeLane(name: string): void {
    for (const lane of this.#lanes) lane.resume(name);
    this.fill();
  }

  lag(): Promise<readonly Lag[]> {
    return Promise.all(this.#lanes.filter((lane) => !lane.aside).map((lane) => lane.lag()));
  }

  close({ deadlineMs = 10_000 }: CloseOptions = {}): Promise<CloseReport> {
    this.#closing ??= this.#close(deadlineMs);
    return this.#closing;
  }

  async #close(deadlineMs: number): Promise<CloseReport> {
    const { clock, api, running } = this.context;
    await withinDeadline(clock, deadlineMs, Promise.all(this.#lanes.map((lane) => lane.stop())));
    const unsettled = this.#lanes.reduce((sum, { open, settler }) => sum + open.size + settler.unconfirmed, 0);
    this.#timer?.cancel();
    this.#unlisten();
    for (const { settler } of this.#lanes) settler.close();
    const text = "jetstream: the subscription is closed";
    this.#abort.abort(new EventError("fenced", text, { retryable: true }));
    for (const { spec, consumer } of this.#lanes) {
      // The server would keep it for a while; nobody waits for its answer.
      if (spec.durable === undefined) {
        api.request(`CONSUMER.DELETE.${spec.stream}.${consumer.name}`).catch(() => undefined);
      }
    }
    running.delete(this);
    return { unsent: 0, unsettled };
  }

  /** Looks often enough whether the server is there, and says that work goes on. */
  #watch(): void {
    const { clock, heartbeatMs } = this.context;
    const ackWaitMs = Math.min(...this.#lanes.map(({ consumer }) => consumer.ackWaitMs));
    this.#timer = clock.after(Math.min(heartbeatMs / 4, ackWaitMs / 6), () => {
      this.#watch();
      const now = clock.now();
      if (now - this.#keptMs >= ackWaitMs / 3) {
        this.#keptMs = now;
        for (const lane of this.#lanes) lane.keep();
      }
      this.#look(now);
    });
  }

  #look(now: number): void {
    const { alive, heartbeatMs, link } = this.context;
    const sinceMs = now - 1.5 * heartbeatMs;
    const silent = this.#lanes.filter((lane) => lane.silentSince(sinceMs));
    if (this.#checking || link.state !== "connected") return;
    for (const { settler } of this.#lanes) settler.again(now - heartbeatMs / 4);
    if (silent.length === 0 && this.#lanes.every(({ settler }) => settler.unconfirmed === 0)) return;
    this.#checking = true;
    void alive(heartbeatMs / 2).then((answers) => {
      this.#checking = false;
      // A dead connection is replaced, and everything is asked for again over the next.
      if (!answers) return;
      for (const lane of silent) {
        if (lane.silentSince(sinceMs)) lane.lost("timeout", `no heartbeat within ${1.5 * heartbeatMs} ms`);
      }
    });
  }
}
