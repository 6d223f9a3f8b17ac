import type { Environment } from "../environment.ts";
import type { Listening } from "../listening.ts";
import type { Delivery } from "../transport.ts";
import type { AttemptRecord } from "./attempt-log.ts";

/** Takes what waits too long to wait in place. */
export interface RetryDestination {
  readonly destinations: readonly string[];
  /** Resolves when it is stored there. */
  move(delivery: Delivery, record: AttemptRecord, delayMs: number): Promise<void>;
}
export async function openRetryDestination(_env: Environment, _listening: Listening): Promise<RetryDestination> {
  throw new Error("to come");
}
