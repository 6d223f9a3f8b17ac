/** What the reply subject of a delivered message says about it. */
export interface AckSubject {
  /** How often it was delivered, this time included. */
  readonly delivered: number;
  /** Its sequence in the stream. */
  readonly sequence: number;
  /** The number of this delivery in the consumer. */
  readonly consumerSequence: number;
  /** When it was stored, in unix milliseconds. */
  readonly timestampMs: number;
  /** Messages that the consumer has not delivered yet. */
  readonly pending: number;
}

/**
 * Reads `$JS.ACK.<stream>.<consumer>.<delivered>.<sequence>.<consumer sequence>.<nanoseconds>.<pending>`, and the same
 * with `<domain>.<account>` in front of the stream and perhaps more behind.
 */
export function parseAckSubject(subject: string): AckSubject {
  const tokens = subject.split(".");
  const at = tokens.length > 9 ? 6 : 4;
  return {
    delivered: Number(tokens[at]),
    sequence: Number(tokens[at + 1]),
    consumerSequence: Number(tokens[at + 2]),
    timestampMs: Math.floor(Number(tokens[at + 3]) / 1_000_000),
    pending: Number(tokens[at + 4]),
  };
}

/** Whether a message has a verdict to give: the server's own words about a pull have none. */
export function isDelivery(reply: string | undefined): reply is string {
  return reply?.startsWith("$JS.ACK.") === true;
}
