import type { NatsEngine, NatsPeer } from "./engine.ts";
import { ProtocolParser } from "./parser.ts";
import { validSubject } from "./subject-trie.ts";

/** One SUB of a session. */
export interface Subscription {
  readonly session: Session;
  readonly sid: string;
  readonly subject: string;
  readonly queue: string;
  seen: number;
  /** Ends after so many messages; 0: never. */
  max: number;
}

interface PendingPublish {
  readonly subject: string;
  readonly reply: string;
  /** Bytes of the header block; undefined for PUB. */
  readonly headBytes: number | undefined;
}

const encoder = new TextEncoder();
const CRLF = encoder.encode("\r\n");
const NUMBER = /^\d{1,9}$/;

/** One client's side of the conversation. */
export class Session {
  readonly #engine: NatsEngine;
  readonly #peer: NatsPeer;
  readonly #subscriptions = new Map<string, Subscription>();
  readonly #parser: ProtocolParser;
  #pending: PendingPublish | undefined;
  #verbose = false;
  #ready = false;
  #closed = false;
  /** The client gets its own messages. */
  echo = true;
  /** The client wants to hear when nobody listens to its request. */
  noResponders = false;

  constructor(engine: NatsEngine, peer: NatsPeer) {
    this.#engine = engine;
    this.#peer = peer;
    this.#parser = new ProtocolParser({
      line: (text) => this.#operation(text),
      payload: (bytes) => this.#publish(bytes),
      broken: (reason) => this.#fail(reason),
    });
  }

  /** Its subscriptions at the moment. */
  get subscriptions(): readonly Subscription[] {
    return [...this.#subscriptions.values()];
  }

  /** Takes bytes from the client, cut anywhere. Hand in memory that is not written again. */
  feed(chunk: Uint8Array): void {
    this.#parser.feed(chunk);
  }

  /** The client is gone. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#parser.stop();
    for (const subscription of this.#subscriptions.values()) this.#engine.remove(subscription);
    this.#subscriptions.clear();
    this.#engine.leave(this);
  }

  /** Sends the client away. */
  end(): void {
    this.close();
    this.#peer.close();
  }

  /** Writes one control line. */
  line(text: string): void {
    this.#peer.write(encoder.encode(`${text}\r\n`));
  }

  /** Writes one message for a subscription of this session. */
  deliver(to: Subscription, subject: string, reply: string, head: Uint8Array | undefined, body: Uint8Array): void {
    to.seen++;
    const answer = reply === "" ? "" : `${reply} `;
    if (head === undefined) {
      this.line(`MSG ${subject} ${to.sid} ${answer}${body.length}`);
    } else {
      this.line(`HMSG ${subject} ${to.sid} ${answer}${head.length} ${head.length + body.length}`);
      this.#peer.write(head);
    }
    this.#peer.write(body);
    this.#peer.write(CRLF);
    if (to.max > 0 && to.seen >= to.max) this.#drop(to);
  }

  #operation(line: string): number | undefined {
    const [first = "", ...rest] = line.trim().split(/[ \t]+/, 1);
    const operation = first.toUpperCase();
    const text = line.trim().slice(first.length).trim();
    const words = text === "" ? rest : text.split(/[ \t]+/);
    if (!this.#ready && !["CONNECT", "PING", "PONG"].includes(operation)) return this.#fail("Authorization Violation");
    switch (operation) {
      case "PUB":
        return this.#announce(words, false);
      case "HPUB":
        return this.#announce(words, true);
      case "SUB":
        return this.#subscribe(words);
      case "UNSUB":
        return this.#unsubscribe(words);
      case "CONNECT":
        return this.#connect(text);
      case "PING":
        this.line("PONG");
        return;
      case "PONG":
        return;
      default:
        return this.#fail("Unknown Protocol Operation");
    }
  }

  #announce(words: readonly string[], withHead: boolean): number | undefined {
    const sizes = words.slice(withHead ? -2 : -1);
    const names = words.slice(0, withHead ? -2 : -1);
    const total = Number(sizes.at(-1));
    const head = withHead ? Number(sizes[0]) : undefined;
    const wellFormed = names.length >= 1 && names.length <= 2 && sizes.every((size) => NUMBER.test(size));
    if (!wellFormed || (head !== undefined && head > total)) return this.#fail("Parser Error");
    if (total > this.#engine.maxPayloadBytes) return this.#fail("Maximum Payload Violation");
    this.#pending = { subject: names[0]!, reply: names[1] ?? "", headBytes: head };
    return total;
  }

  #publish(bytes: Uint8Array): void {
    const { subject, reply, headBytes } = this.#pending!;
    this.#pending = undefined;
    if (!validSubject(subject, false)) {
      this.line("-ERR 'Invalid Publish Subject'");
    } else if (!this.#engine.mayPublish(subject)) {
      this.line(`-ERR 'Permissions Violation for Publish to "${subject}"'`);
    } else {
      const head = headBytes === undefined ? undefined : bytes.subarray(0, headBytes);
      this.#engine.route(this, subject, reply, head, headBytes === undefined ? bytes : bytes.subarray(headBytes));
      this.#ok();
    }
  }

  #subscribe(words: readonly string[]): undefined {
    if (words.length < 2 || words.length > 3) return this.#fail("Parser Error");
    const subject = words[0]!;
    const sid = words.at(-1)!;
    const queue = words.length === 3 ? words[1]! : "";
    if (!validSubject(subject, true)) {
      this.line("-ERR 'Invalid Subject'");
    } else if (!this.#engine.maySubscribe(subject)) {
      const using = queue === "" ? "" : ` using queue "${queue}"`;
      this.line(`-ERR 'Permissions Violation for Subscription to "${subject}"${using}'`);
    } else {
      if (!this.#subscriptions.has(sid)) {
        const subscription: Subscription = { session: this, sid, subject, queue, seen: 0, max: 0 };
        this.#subscriptions.set(sid, subscription);
        this.#engine.add(subscription);
      }
      this.#ok();
    }
  }

  #unsubscribe([sid = "", max = "0"]: readonly string[]): undefined {
    const subscription = this.#subscriptions.get(sid);
    if (subscription !== undefined) {
      subscription.max = Number(max);
      if (subscription.seen >= subscription.max) this.#drop(subscription);
    }
    this.#ok();
  }

  #connect(text: string): undefined {
    const options = readObject(text);
    if (options === undefined) return this.#fail("Parser Error");
    if (!this.#engine.admits(options)) return this.#fail("Authorization Violation");
    this.#ready = true;
    this.#verbose = options.verbose === true;
    this.echo = options.echo !== false;
    this.noResponders = options.no_responders === true && options.headers === true;
    this.#ok();
  }

  #ok(): void {
    if (this.#verbose) this.line("+OK");
  }

  #drop(subscription: Subscription): void {
    this.#subscriptions.delete(subscription.sid);
    this.#engine.remove(subscription);
  }

  #fail(reason: string): undefined {
    this.line(`-ERR '${reason}'`);
    this.end();
  }
}

/** A JSON object; undefined for anything else. */
function readObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
