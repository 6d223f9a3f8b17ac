import { EventError } from "../errors.ts";
import type { Reception } from "../reception.ts";
import type { Delivery } from "../transport.ts";
import { type AttemptRecord, noAttempts } from "./attempt-log.ts";
import type { Failed, Failing } from "./failing.ts";
import { redriveHeaders } from "./letter.ts";
import type { RunResult } from "./scheduler.ts";

/** Whether a delivery goes to its handler: with what is known of it, or it is over already. */
export type Admitted = { readonly record: AttemptRecord | undefined } | { readonly result: RunResult };

/** Looks at deliveries that are more than the first attempt at an event of everybody's. */
export interface Admission {
  /** False: it goes to its handler as it is. Costs one look at the headers. */
  concerns(delivery: Delivery, attempt: number): boolean;
  admit(delivery: Delivery, attempt: number): Promise<Admitted>;
}

/** Makes the admission of a reception. */
export function createAdmission(reception: Reception, failing: Failing, now: () => number): Admission {
  const { attempts, group } = reception;

  function concerns(delivery: Delivery, attempt: number): boolean {
    return (
      attempt > 1 ||
      delivery.givenUp !== undefined ||
      reception.parked() !== undefined ||
      delivery.message.headers.get(redriveHeaders.group) !== undefined
    );
  }

  async function admit(delivery: Delivery, attempt: number): Promise<Admitted> {
    const { headers } = delivery.message;
    const ack = (): Admitted => {
      attempts.over(delivery);
      reception.settling(delivery.settle({ kind: "ack" }), delivery);
      return { result: undefined };
    };
    const only = headers.get(redriveHeaders.group);
    // Everybody else has had it before.
    if (only !== undefined && only !== group) {
      reception.count("other-group", {});
      return ack();
    }
    const release = headers.get(redriveHeaders.release);
    const failed: Failed = {
      delivery,
      attempt,
      event: undefined,
      registration: undefined,
      record: undefined,
      handled: false,
      context: undefined,
    };
    const parked = reception.parked();
    // Without a group it is nobody's word, and the event one like any other.
    if (release !== undefined && only !== undefined) {
      try {
        await parked?.release(delivery, release);
        return ack();
      } catch (reason) {
        return { result: await failing.later(reason, failed) };
      }
    }
    const { givenUp } = delivery;
    if (givenUp !== undefined) {
      const failure = new EventError("handler-failed", `the broker gave the message up: ${givenUp}`);
      const why = givenUp === "max-deliveries" ? givenUp : "terminated";
      const record = { ...noAttempts, count: attempt };
      return { result: await failing.giveUp(why, failure, { ...failed, record }) };
    }
    const moved = reception.retries()?.moved(delivery);
    const waitMs = moved ? moved.dueMs - now() : 0;
    if (moved && waitMs > 0) {
      await attempts.again(delivery, attempt, moved.record);
      return { result: failing.comeAgain(delivery, waitMs) };
    }
    const record = (await attempts.begin(delivery, attempt)) ?? moved?.record;
    if (record?.gaveUp) {
      const failure = new EventError("handler-failed", record.message);
      return { result: await failing.giveUp(record.gaveUp, failure, { ...failed, record }) };
    }
    try {
      if (parked && (await parked.holds(delivery))) {
        const failure = new EventError("handler-failed", "an earlier event of its key is set aside");
        return { result: await failing.giveUp("parked", failure, { ...failed, record }) };
      }
    } catch (reason) {
      return { result: await failing.later(reason, { ...failed, record }) };
    }
    return { record };
  }

  return { concerns, admit };
}
