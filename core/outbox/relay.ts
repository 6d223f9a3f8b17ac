import { withinDeadline } from "../deadline.ts";
import { type Backoff, exponentialBackoff } from "../delivery/backoff.ts";
import type { Environment } from "../environment.ts";
import { EventError } from "../errors.ts";
import type { CloudEvent } from "../event.ts";
import type { ForwardOptions, Receipt } from "../options.ts";
import type { CloseOptions } from "../transport.ts";
import { eventOf, readContext, readEvent } from "./read-row.ts";
import { RelayRows } from "./relay-rows.ts";
import type { OutboxLead, OutboxRow, OutboxStore } from "./store.ts";

/** Options of {@link Outbox.relay}. */
export interface OutboxRelayOptions {
  /** How often it looks for rows when nobody notifies it, in milliseconds. Default: 1,000. */
  readonly pollMs?: number;
  /** Most rows that it has at once, on their way or behind one of their key. Default: 256. */
  readonly maxRows?: number;
  /** How long one attempt to publish may take, in milliseconds; then it is repeated. Default: 10,000. */
  readonly timeoutMs?: number;
  /**
   * How many failures that no repetition will mend (`error.retryable` is false) give a row up. Others, such as an
   * outage, are repeated for ever. Default: 3.
   */
  readonly attempts?: number;
  /** Waits between attempts. Default: from 500 ms, doubling, up to 30,000 ms. */
  readonly backoff?: Backoff;
  /**
   * Whether the later rows of the key of a row that is given up go on, or wait until it is tried again or discarded.
   * Default: `continue`.
   */
  readonly onFailed?: "continue" | "hold";
  /** How long published rows are kept, in milliseconds. Default: 604,800,000 (seven days). */
  readonly keepMs?: number;
  /** Closes the relay. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Gets what goes wrong, with the event that could not be published; of failures that are repeated for ever one a
   * minute. Default: the listeners of `bus.onError`.
   */
  readonly onError?: (error: EventError, event: CloudEvent | undefined) => void;
}

/** What a closed relay left. */
export interface RelayReport {
  /** Rows that it had and has not written down: another relay publishes them again, unless it has already. */
  readonly unfinished: number;
}

/** A running relay. */
export interface OutboxRelay extends AsyncDisposable {
  /** Whether this is the one that publishes. */
  readonly leading: boolean;
  /** Rows that were published. */
  readonly published: number;
  /** Makes it look at once. */
  notify(): void;
  /** Takes no more rows, lets those on their way end and gives the right to publish back. Default: within 10,000 ms. */
  close(options?: CloseOptions): Promise<RelayReport>;
}

/** What {@link startRelay} works with. */
export interface RelaySetup {
  readonly env: Environment;
  readonly bus: { forward(event: CloudEvent, options?: ForwardOptions): Promise<Receipt> };
  readonly store: Pick<OutboxStore<never>, "lead">;
  readonly options: OutboxRelayOptions;
  /** Called once, when it is closed. */
  closed(): void;
}

const pruneEveryMs = 60_000;
const pruneRows = 1_000;
/** In an outage every row fails again and again. */
const quietMs = 60_000;
/** Failures that no repetition of the call mends, but that say nothing about the event. */
const notOfEvent: ReadonlySet<string> = /* @__PURE__ */ new Set(["aborted", "closed", "fenced", "unauthorized"]);

/** Starts it; throws `invalid-option`. */
export function startRelay({ env, bus, store, options, closed }: RelaySetup): OutboxRelay {
  const { clock } = env;
  const { pollMs, maxRows, timeoutMs, attempts, keepMs } = checked(options);
  const { backoff = exponentialBackoff({ initialMs: 500, maxMs: 30_000, jitter: "none" }), signal } = options;
  const holds = options.onFailed === "hold";
  const rows = new RelayRows(publish, wake);
  let lead: OutboxLead | undefined;
  let published = 0;
  /** Whether there may be rows that were not looked at. */
  let hungry = true;
  let stopping = false;
  /** The time to close is over: what still comes in concerns nobody. */
  let abandoned = false;
  /** Until then failures that may pass are not told again. */
  let quietUntilMs = 0;
  /** The store fails; told once until it works again. */
  let storeFails = false;
  let pruneAtMs = clock.now();
  let wakeUp: (() => void) | undefined;
  let closing: Promise<RelayReport> | undefined;

  function wake(): void {
    wakeUp?.();
    wakeUp = undefined;
  }

  function tell(error: EventError, event?: CloudEvent): void {
    if (abandoned) return;
    try {
      if (options.onError) options.onError(error, event);
      else env.report(error, { event });
    } catch (reason) {
      env.report(EventError.from(reason, "handler-failed"), { event });
    }
  }

  /** Until something happens, or `delayMs`. */
  function rest(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = clock.after(delayMs, () => {
        hungry = true;
        resolve();
      });
      wakeUp = () => {
        timer.cancel();
        resolve();
      };
    });
  }

  async function publish(row: OutboxRow): Promise<void> {
    const { destination, transport, key } = row;
    const context = readContext(env, row.context);
    await bus.forward(readEvent(row.event), { destination, transport, key, context, timeoutMs });
  }

  /** Writes down what became of rows. */
  async function mark(by: OutboxLead): Promise<void> {
    const ids = rows.stored();
    if (ids.length > 0) {
      await by.sent(ids);
      rows.forget(ids);
      published += ids.length;
      hungry = true;
    }
    for (const { row, error } of rows.failures()) {
      const refused = !error.retryable && !notOfEvent.has(error.code);
      const text = `${error.code}: ${error.message}`.replaceAll("\0", "").slice(0, 1_000);
      const over = refused && row.refusals + 1 >= attempts;
      if (over) await by.fail(row.id, { holds, error: text });
      else await by.postpone(row.id, { delayMs: backoff(row.attempts + 1), refused, error: text });
      rows.forget([row.id]);
      hungry = true;
      if (!refused && clock.now() < quietUntilMs) continue;
      if (!refused) quietUntilMs = clock.now() + quietMs;
      tell(error, eventOf(row));
    }
  }

  async function work(by: OutboxLead): Promise<void> {
    await mark(by);
    if (clock.now() >= pruneAtMs) {
      const pruned = await by.prune(keepMs, pruneRows);
      if (pruned < pruneRows) pruneAtMs = clock.now() + pruneEveryMs;
    }
    const room = maxRows - rows.size;
    if (!stopping && hungry && room >= maxRows / 2) {
      hungry = false;
      const taken = await by.take({ limit: room, busyIds: rows.ids(), busyKeys: rows.keys() });
      if (stopping) return;
      rows.start(taken);
      if (taken.length > 0) hungry = true;
      // Or somebody notified meanwhile.
      if (hungry) return;
    }
    if (!rows.settled && !(stopping && rows.size === 0)) await rest(pollMs);
  }

  async function run(): Promise<void> {
    while (!abandoned && (!stopping || (lead && rows.size > 0))) {
      try {
        lead ??= await store.lead();
        if (abandoned) return void (await lead?.close());
        if (lead) await work(lead);
        else if (!stopping) await rest(pollMs);
        storeFails = false;
      } catch (reason) {
        if (!storeFails) tell(EventError.from(reason));
        storeFails = true;
        rows.drop();
        const lost = lead;
        lead = undefined;
        await lost?.close();
        if (!stopping) await rest(pollMs);
      }
    }
  }

  async function shut({ deadlineMs = 10_000 }: CloseOptions): Promise<RelayReport> {
    signal?.removeEventListener("abort", onAbort);
    stopping = true;
    rows.drop();
    wake();
    let ended = false;
    await withinDeadline(
      clock,
      deadlineMs,
      running.then(() => {
        ended = true;
      }),
    );
    abandoned = true;
    wake();
    const unfinished = rows.size;
    await lead?.close({ now: !ended });
    lead = undefined;
    closed();
    return { unfinished };
  }

  const close = (given: CloseOptions = {}): Promise<RelayReport> => {
    closing ??= shut(given);
    return closing;
  };
  const onAbort = (): void => void close();
  const running = run();
  signal?.addEventListener("abort", onAbort, { once: true });
  if (signal?.aborted) onAbort();

  return {
    get leading() {
      return lead !== undefined;
    },
    get published() {
      return published;
    },
    notify() {
      hungry = true;
      wake();
    },
    close,
    async [Symbol.asyncDispose]() {
      await close();
    },
  };
}

function checked(
  options: OutboxRelayOptions,
): Required<Pick<OutboxRelayOptions, "pollMs" | "maxRows" | "timeoutMs" | "attempts" | "keepMs">> {
  const { pollMs = 1_000, maxRows = 256, timeoutMs = 10_000, attempts = 3, keepMs = 604_800_000, onFailed } = options;
  for (const [name, value] of Object.entries({ maxRows, attempts })) {
    if (!(Number.isInteger(value) && value >= 1)) throw refused(`${name} must be a whole number from 1, not ${value}`);
  }
  for (const [name, value] of Object.entries({ pollMs, timeoutMs })) {
    if (!(value > 0 && value <= 2_147_483_647))
      throw refused(`${name} must be above 0 and at most 2147483647, not ${value}`);
  }
  if (!(keepMs >= 0)) throw refused(`keepMs must be at least 0, not ${keepMs}`);
  if (onFailed !== undefined && onFailed !== "continue" && onFailed !== "hold") {
    throw refused(`onFailed must be "continue" or "hold", not ${String(onFailed)}`);
  }
  return { pollMs, maxRows, timeoutMs, attempts, keepMs };
}

function refused(text: string): EventError {
  return new EventError("invalid-option", `outbox: ${text}`);
}
