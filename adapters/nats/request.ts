import type { Clock } from "../../core/clock.ts";
import { EventError } from "../../core/errors.ts";
import { natsError } from "./errors.ts";
import type { Link } from "./link.ts";
import type { NatsLike, NatsMessageLike } from "./nats-like.ts";
import type { EncodedMessage } from "./slab.ts";

/** What {@link natsRequest} works with. */
export interface RequestContext {
  readonly connection: NatsLike;
  readonly link: Link;
  readonly clock: Clock;
}

/**
 * Sends a request over the client's shared reply subscription and returns the answer.
 *
 * While the connection is down the request waits for it, at most until its own deadline.
 * Rejects with `no-responders` at once when nobody listens, `timeout`, `closed`, `denied` or `aborted`.
 */
export function natsRequest(
  { connection, link, clock }: RequestContext,
  subject: string,
  encoded: EncodedMessage,
  options: { readonly timeoutMs: number; readonly signal?: AbortSignal | undefined },
): Promise<NatsMessageLike> {
  const { timeoutMs, signal } = options;
  const what = `request to ${subject}`;
  const deadlineMs = clock.now() + timeoutMs;
  return new Promise((resolve, reject) => {
    const finish = (act: () => void): void => {
      timer.cancel();
      unlisten();
      signal?.removeEventListener("abort", abort);
      act();
    };
    const fail = (error: EventError): void => finish(() => reject(error));
    const abort = (): void => fail(new EventError("aborted", `nats: ${what} was aborted`, { cause: signal?.reason }));
    const late = (): void => {
      fail(new EventError("timeout", `nats: ${what}: no answer within ${timeoutMs} ms`, { retryable: true }));
    };
    const send = (): void => {
      const { head, body } = encoded;
      // The client's own timer stands a little behind ours: it only takes the request off its list.
      const timeout = Math.max(1, deadlineMs - clock.now()) + 100;
      connection
        .request(subject, body, head === undefined ? { timeout } : { timeout, headers: { encode: () => head } })
        .then(
          (message) => finish(() => resolve(message)),
          (reason: unknown) => fail(natsError(reason, what)),
        );
    };
    const timer = clock.after(timeoutMs, late);
    let sent = false;
    const unlisten = link.listen(({ type }) => {
      if (type === "closed") fail(new EventError("closed", `nats: ${what}: the connection closed`));
      if (type !== "connected" || sent) return;
      sent = true;
      send();
    });
    if (signal?.aborted) return abort();
    signal?.addEventListener("abort", abort);
    if (link.state === "closed") return fail(new EventError("closed", `nats: ${what}: the transport is closed`));
    if (link.state !== "connected") return;
    sent = true;
    send();
  });
}
