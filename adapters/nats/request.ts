import type { EventError as Failure } from "../../core/errors.ts";
import type { IncomingMessage } from "../../core/message.ts";
import type { Meaning } from "./errors.ts";
import { incomingMessage } from "./incoming.ts";
import type { Entry } from "./outbox.ts";
import type { ReceiveContext } from "./receive-context.ts";

/** What only an answer can mean. */
const MEANINGS: readonly Meaning[] = [
  ["no-responders", /no ?responders|\b503\b/i, true],
  ["timeout", /(?<!authentication )timeout/i, true],
];

/** A deadline, as a duration to tell and as a time to keep, and a way to give up before it. */
export interface RequestLimits {
  readonly timeoutMs: number;
  readonly deadlineMs: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Sends a request over the client's shared reply subscription and returns the answer.
 *
 * While the connection is down the request waits for it, at most until its own deadline.
 * Rejects with `no-responders` at once when nobody listens, `timeout`, `closed`, `denied` or `aborted`.
 */
export function natsRequest(
  { options: { connection, replyPrefixes }, link, clock, natsError, EventError }: ReceiveContext,
  { subject, head, body }: Entry,
  { timeoutMs, deadlineMs, signal }: RequestLimits,
): Promise<IncomingMessage> {
  const what = `request to ${subject}`;
  return new Promise((resolve, reject) => {
    let sent = false;
    let ends: (() => void)[] = [];
    const end = (): void => {
      for (const each of ends) each();
      ends = [];
    };
    const fail = (error: Failure): void => {
      end();
      reject(error);
    };
    const send = (): void => {
      if (sent) return;
      sent = true;
      // The client's own timer stands a little behind ours: it only takes the request off its list.
      const timeout = Math.max(1, deadlineMs - clock.now()) + 100;
      connection.request(subject, body, head ? { timeout, headers: { encode: () => head } } : { timeout }).then(
        (message) => {
          end();
          resolve(incomingMessage(message, replyPrefixes));
        },
        (reason: unknown) => fail(natsError(reason, what, MEANINGS)),
      );
    };
    const closed = (): void => fail(new EventError("closed", `nats: ${what}: the connection is closed`));
    const timer = clock.after(Math.max(0, deadlineMs - clock.now()), () => {
      fail(new EventError("timeout", `nats: ${what}: no answer within ${timeoutMs} ms`, { retryable: true }));
    });
    ends.push(
      () => timer.cancel(),
      link.listen(({ type }) => {
        if (type === "closed") closed();
        if (type === "connected") send();
      }),
    );
    if (link.state === "closed") return closed();
    const abort = (): void => fail(EventError.from(signal!.reason, "aborted"));
    signal?.addEventListener("abort", abort);
    ends.push(() => signal?.removeEventListener("abort", abort));
    if (signal?.aborted) return abort();
    if (link.state === "connected") send();
  });
}
