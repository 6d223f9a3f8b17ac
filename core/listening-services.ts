import { type AttemptLog, createAttemptLog } from "./delivery/attempt-log.ts";
import { type DeadLetters, openDeadLetters } from "./delivery/dead-letters.ts";
import { openParkedKeys, type ParkedKeys } from "./delivery/parked-keys.ts";
import { openRetryDestination, type RetryDestination } from "./delivery/retry-destination.ts";
import type { Environment } from "./environment.ts";
import { EventError } from "./errors.ts";
import type { Listening } from "./listening.ts";

/** What a listening needs beside its messages, at the brokers. */
export interface ListeningServices {
  readonly letters: DeadLetters | undefined;
  readonly parked: ParkedKeys | undefined;
  readonly retries: RetryDestination | undefined;
}

/** How long it is remembered how often an event failed. */
const attemptsTtlMs = 7 * 24 * 3_600_000;

/** Provides it, so that what cannot be had is told when the subscription is made. */
export async function openServices(
  env: Environment,
  listening: Listening,
  signal: AbortSignal,
): Promise<ListeningServices> {
  const { transport, destinations, deadLetter, escalates, group } = listening;
  const source = { transport, destinations, signal };
  const letters = deadLetter && (await openDeadLetters(env, source, deadLetter));
  return {
    letters,
    parked: letters?.parks ? await openParkedKeys(env, letters, { transport, group: group! }) : undefined,
    retries: escalates ? await openRetryDestination(env, listening) : undefined,
  };
}

/** The log of attempts of a listening: shared by the group where its transport has state. */
export function attemptsOf(env: Environment, { transport: name, group }: Listening): AttemptLog {
  const transport = env.router.transport(name);
  const open =
    group !== undefined && transport.openState
      ? () => transport.openState!("waybill-attempts", { ttlMs: attemptsTtlMs })
      : undefined;
  return createAttemptLog(group, open, (reason) => env.report(EventError.from(reason), { transport: name }));
}
