import type { Timer } from "../../../core/clock.ts";
import type { FakeClient, FakeJetStream } from "./fake-jetstream.ts";

interface Config {
  readonly durable_name?: string;
  readonly filter_subject: string;
  readonly deliver_policy: string;
  readonly opt_start_seq?: number;
  readonly ack_policy: string;
  readonly ack_wait: number;
  readonly max_ack_pending: number;
}

/** A request for messages that the server has not answered in full. */
export interface Pull {
  readonly client: FakeClient;
  readonly inbox: string;
  left: number;
  readonly heartbeatMs: number;
  timer: Timer;
}

const bytes = new TextEncoder();

/** A consumer as the server keeps it: what it has delivered and has no verdict of comes again after the ack wait. */
export class FakeConsumer {
  readonly name: string;
  readonly config: Config;
  /** Every verdict, as the server read it: the sequence and the payload. */
  readonly verdicts: string[] = [];
  pulls: Pull[] = [];
  /** Verdicts that get lost on their way. */
  loses = 0;
  readonly #server: FakeJetStream;
  readonly #counts = new Map<number, number>();
  readonly #waiting = new Map<number, Timer>();
  #again: number[] = [];
  #next: number;
  #deliveries = 0;

  constructor(server: FakeJetStream, name: string, config: Config) {
    this.#server = server;
    this.name = name;
    this.config = config;
    this.#next = config.opt_start_seq ?? (config.deliver_policy === "new" ? server.stored.length + 1 : 1);
  }

  pump(): void {
    for (;;) {
      const pull = this.pulls[0];
      if (!pull || this.#waiting.size >= this.config.max_ack_pending) return;
      const sequence = this.#again.shift() ?? this.#fresh();
      if (sequence === undefined) return;
      if (--pull.left === 0) this.forget(pull);
      this.#deliver(pull, sequence);
    }
  }

  forget(pull: Pull): void {
    pull.timer.cancel();
    this.pulls = this.pulls.filter((each) => each !== pull);
  }

  read(sequence: number, payload: string): boolean {
    if (this.loses > 0) {
      this.loses--;
      return false;
    }
    this.verdicts.push(`${sequence} ${payload}`);
    const timer = this.#waiting.get(sequence);
    if (!timer) return true;
    timer.cancel();
    if (payload === "+WPI") this.#wait(sequence);
    else {
      this.#waiting.delete(sequence);
      const delay = /"delay":(\d+)/.exec(payload)?.[1];
      if (payload.startsWith("-NAK")) this.#server.clock.after(Number(delay ?? 0) / 1e6, () => this.#repeat(sequence));
    }
    this.pump();
    return true;
  }

  #fresh(): number | undefined {
    const filter = this.config.filter_subject;
    for (; this.#next <= this.#server.stored.length; this.#next++) {
      if (filter === this.#server.stored[this.#next - 1]!.subject) return this.#next++;
    }
    return undefined;
  }

  #deliver(pull: Pull, sequence: number): void {
    const count = (this.#counts.get(sequence) ?? 0) + 1;
    this.#counts.set(sequence, count);
    if (this.config.ack_policy === "explicit") this.#wait(sequence);
    const reply = `$JS.ACK.S.${this.name}.${count}.${sequence}.${++this.#deliveries}.0.0`;
    const { subject, body } = this.#server.stored[sequence - 1]!;
    pull.client.receive(pull.inbox, { subject, data: bytes.encode(body), reply });
  }

  #wait(sequence: number): void {
    const timer = this.#server.clock.after(this.config.ack_wait / 1e6, () => this.#repeat(sequence));
    this.#waiting.set(sequence, timer);
  }

  #repeat(sequence: number): void {
    this.#waiting.delete(sequence);
    this.#again.push(sequence);
    this.pump();
  }
}
