/** What all messages of the same consumer begin with, as the last one had it: most are of that consumer. */
let lastPrefix = "\0"; // of none at first

/**
 * What the reply subject of a delivered message says about it:
 * `$JS.ACK.<stream>.<consumer>.<delivered>.<sequence>.<consumer sequence>.<nanoseconds>.<pending>`, or the same with
 * `<domain>.<account>` in front of the stream and perhaps more behind.
 */
export class AckSubject {
  readonly #subject: string;
  /** Where the first number begins. */
  readonly #at: number;

  constructor(subject: string) {
    this.#subject = subject;
    if (!subject.startsWith(lastPrefix)) {
      const tokens = subject.split(".");
      lastPrefix = `${tokens.slice(0, tokens.length > 9 ? 6 : 4).join(".")}.`;
    }
    this.#at = lastPrefix.length;
  }

  /** How often it was delivered, this time included. */
  get delivered(): number {
    return this.#number(0);
  }

  /** Its sequence in the stream. */
  get sequence(): number {
    return this.#number(1);
  }

  /** The number of this delivery in the consumer. */
  get consumerSequence(): number {
    return this.#number(2);
  }

  /** When it was stored, in unix milliseconds. */
  get timestampMs(): number {
    return Math.floor(this.#number(3) / 1_000_000);
  }

  /** Messages that the consumer has not delivered yet. */
  get pending(): number {
    return this.#number(4);
  }

  #number(n: number): number {
    let start = this.#at;
    for (let token = 0; token < n; token++) start = this.#subject.indexOf(".", start) + 1;
    const end = this.#subject.indexOf(".", start);
    return Number(this.#subject.slice(start, end < 0 ? undefined : end));
  }
}

/** Whether a message has a verdict to give: the server's own words about a pull have none. */
export function isDelivery(reply: string | undefined): reply is string {
  return reply?.startsWith("$JS.ACK.") === true;
}
