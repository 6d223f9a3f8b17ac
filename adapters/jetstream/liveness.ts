import type { Clock } from "../../core/clock.ts";
import { breakSocket } from "../nats/break-socket.ts";
import type { Link } from "../nats/link.ts";
import type { NatsLike } from "../nats/nats-like.ts";

/**
 * Asks the server for a PONG. True: the connection is fine. False: it was lost, or it did not answer within
 * `timeoutMs` and is being replaced. Calls at the same time share one question.
 */
export type LivenessCheck = (timeoutMs: number) => Promise<boolean>;

/** Makes the check of a connection. */
export function createLiveness(connection: NatsLike, link: Link, clock: Clock): LivenessCheck {
  let running: Promise<boolean> | undefined;
  let stalled = false;

  /** Leaves a socket that does not answer. Alone the client would notice at its pings only. */
  const replace = (): void => {
    link.emit({ type: "stale" });
    // A second stall on the same socket: the client's own way to leave it did not get through.
    if (stalled) breakSocket(connection);
    stalled = true;
    connection.reconnect?.().catch(() => undefined);
  };

  const ask = (timeoutMs: number): Promise<boolean> =>
    new Promise((resolve) => {
      let dueMs = clock.now() + timeoutMs;
      let mayBeBusy = true;
      const end = (answers: boolean): void => {
        timer.cancel();
        leave();
        resolve(answers);
      };
      const over = (): void => {
        // A late timer means a busy process, which had no time to read an answer either.
        if (mayBeBusy && clock.now() - dueMs > timeoutMs / 2) {
          mayBeBusy = false;
          dueMs = clock.now() + timeoutMs;
          timer = clock.after(timeoutMs, over);
          return;
        }
        replace();
        end(false);
      };
      let timer = clock.after(timeoutMs, over);
      // A transport that is closed has no say any more in whose connection that is.
      const leave = link.listen(({ type }) => {
        if (type === "closed") end(false);
      });
      connection.flush().then(
        () => {
          stalled = false;
          end(true);
        },
        () => end(false),
      );
    });

  return (timeoutMs) => {
    if (link.state !== "connected") return Promise.resolve(false);
    running ??= ask(timeoutMs).finally(() => {
      running = undefined;
    });
    return running;
  };
}
