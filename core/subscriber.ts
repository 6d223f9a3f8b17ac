import { abortable } from "./abortable.ts";
import { type BatchSubscribeOptions, checkBatchLimits } from "./batch-options.ts";
import type { RawBatchHandler } from "./batch-receiver.ts";
import { deadline } from "./deadline.ts";
import type { DeadLetterOptions } from "./delivery/dead-letters.ts";
import type { IdempotencyOptions } from "./delivery/idempotency.ts";
import { createOnce } from "./delivery/once.ts";
import { createRetryPolicy } from "./delivery/retry-policy.ts";
import { createTimeLimit } from "./delivery/time-limit.ts";
import { createDispatcher, type Dispatcher, toWildcard } from "./dispatch.ts";
import type { Environment } from "./environment.ts";
import { EventError } from "./errors.ts";
import type { Listening } from "./listening.ts";
import type { SubscribeOptions } from "./options.ts";
import { isPattern, matches } from "./pattern.ts";
import type { Publisher } from "./publisher.ts";
import { reach } from "./reach.ts";
import type { RawHandler, Registration } from "./reception.ts";
import { sumReports } from "./report.ts";
import { consumeInstruments } from "./telemetry/consumer-metrics.ts";
import { instruments } from "./telemetry/metrics.ts";
import type { CloseOptions, CloseReport } from "./transport.ts";
import { createVersions, type Versions } from "./versions.ts";

/** A running subscription of a bus. */
export interface Subscription {
  /** Starts no more handlers; what was fetched waits. Holds for every handler that shares the group. */
  pause(): void;
  /** Undoes `pause`, for every handler that shares the group. */
  resume(): void;
  /** Stops fetching, lets running handlers finish and settle within the deadline. */
  close(options?: CloseOptions): Promise<CloseReport>;
  /** As `close` with its default deadline: for `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** Attempts unless told otherwise, where giving up loses nothing. */
const usualAttempts = 5;

/** With `batch` the handler is one of batches, else of events. */
type AnyOptions = SubscribeOptions | BatchSubscribeOptions;

/** Opens and closes the subscriptions of a bus. */
export interface Subscriber {
  subscribe(pattern: string, handler: RawHandler | RawBatchHandler, options?: AnyOptions): Promise<Subscription>;
  close(options: CloseOptions): Promise<CloseReport>;
}

/** Makes the subscriber of a bus. */
export function createSubscriber(env: Environment, publish: Publisher["publish"]): Subscriber {
  const { clock, router } = env;
  let versions: Versions | undefined;
  /** Each with the promise of its start, which later handlers of the group wait for. */
  const open = new Map<Dispatcher, Promise<void>>();
  const metrics = instruments(env.meterProvider, (meter) =>
    consumeInstruments(meter, () =>
      Array.from(open.keys(), ({ listening: { group, transport }, subscription, breaker }) => ({
        group,
        transport,
        breaker: breaker(),
        subscription: subscription(),
      })),
    ),
  );

  /** Destinations by transport: the catalog tells which types a pattern means. */
  function targets(pattern: string, { transport, destination }: AnyOptions): Map<string, Set<string>> {
    const types = router.types()?.filter((type) => matches(pattern, type));
    if (types?.length === 0) throw new EventError("unknown-type", `"${pattern}" matches nothing in the catalog`);
    const found = new Map<string, Set<string>>();
    for (const type of types ?? [pattern]) {
      for (const { name, destination: where } of reach(router, type, transport, destination)) {
        const wildcard = isPattern(where) || where.includes(">");
        if (wildcard && !router.transport(name).capabilities.wildcards) {
          throw unsupported(name, `the pattern "${where}" without a catalog that says what it means`);
        }
        found.set(name, (found.get(name) ?? new Set()).add(toWildcard(where)));
      }
    }
    return found;
  }

  function listen(name: string, destinations: readonly string[], options: AnyOptions): Listening {
    const { group, order, concurrency = 1, batch } = options;
    const { groups, keyOrder, replay } = router.transport(name).capabilities;
    const from = options.from ?? (group !== undefined && replay ? "earliest" : "new");
    if (group !== undefined && !groups) throw unsupported(name, "groups");
    if (from !== "new" && !replay) throw unsupported(name, `from: "${from}"`);
    const ordered =
      typeof keyOrder === "function" ? destinations.every((each) => keyOrder(each, group)) : Boolean(keyOrder);
    if (order === "key" && !ordered) throw unsupported(name, 'order: "key"');
    if (!Number.isInteger(concurrency) || concurrency < 1) {
      throw new EventError("invalid-option", `concurrency must be a whole number from 1, not ${concurrency}`);
    }
    if (batch) checkBatchLimits(batch);
    const byKey = order === undefined ? ordered : order === "key";
    const deadLetter = deadLetterOf(name, byKey, options);
    const { breaker, retry } = options;
    const escalates = retry?.escalate === "topic";
    return { transport: name, destinations, group, from, concurrency, byKey, batch, deadLetter, breaker, escalates };
  }

  /** On by default where a group's events are kept. */
  function deadLetterOf(
    name: string,
    byKey: boolean,
    { deadLetter, group, batch }: AnyOptions,
  ): DeadLetterOptions | undefined {
    const transport = router.transport(name);
    const usual = group !== undefined && Boolean(transport.capabilities.durable && transport.ensure);
    if (deadLetter === false || (deadLetter === undefined && !usual)) return undefined;
    if (group === undefined) {
      throw new EventError("invalid-option", "deadLetter: needs a group, since a letter is of the group that failed");
    }
    const options = typeof deadLetter === "object" ? deadLetter : {};
    if (options.onKey === "park" && (!byKey || batch)) {
      throw new EventError("invalid-option", 'deadLetter.onKey: "park" needs order: "key" and no batches');
    }
    return options;
  }

  function register(pattern: string, handler: unknown, options: AnyOptions, listening: Listening): Registration {
    const { retry, timeoutMs, idempotency, batch } = options;
    const { redelivery } = router.transport(listening.transport).capabilities;
    // Giving up costs nothing where the event is kept elsewhere, and nothing else can be done where nobody repeats it.
    const usual = listening.deadLetter || !redelivery ? usualAttempts : Number.POSITIVE_INFINITY;
    const policy = createRetryPolicy(
      { ...(timeoutMs !== undefined && { timeoutMs }), ...retry },
      redelivery || retry ? usual : 1,
    );
    if (idempotency && batch) {
      throw new EventError("invalid-option", "idempotency: events of batches are not handled one by one");
    }
    return {
      pattern,
      handler: handler as RawHandler,
      options: options as Registration["options"],
      policy,
      limit: policy.timeoutMs === undefined ? undefined : createTimeLimit(clock, policy.timeoutMs),
      once: idempotency && createOnce(idempotency as IdempotencyOptions<never>, listening.group, clock),
    };
  }

  /** The dispatcher of a group is shared; without a group each subscription has its own. */
  async function join(listening: Listening, registration: Registration): Promise<Dispatcher> {
    let dispatcher = listening.group === undefined ? undefined : sharedWith(listening);
    if (dispatcher) {
      checkSame(dispatcher.listening, listening, registration.options);
      dispatcher.register(registration);
    } else {
      versions ??= createVersions(router);
      dispatcher = createDispatcher(env, publish, metrics, versions, listening);
      dispatcher.register(registration);
      open.set(dispatcher, dispatcher.start());
    }
    try {
      await open.get(dispatcher);
    } catch (reason) {
      open.delete(dispatcher);
      throw EventError.from(reason);
    }
    return dispatcher;
  }

  function sharedWith({ transport, group, destinations }: Listening): Dispatcher | undefined {
    const wanted = destinations.join(" ");
    for (const dispatcher of open.keys()) {
      const other = dispatcher.listening;
      if (other.transport !== transport || other.group !== group) continue;
      if (other.destinations.join(" ") === wanted) return dispatcher;
      const common = other.destinations.find((destination) => destinations.includes(destination));
      if (common === undefined) continue;
      throw new EventError(
        "duplicate-handler",
        `group "${group}" listens on "${common}" together with other destinations: ` +
          "its members would take each other's events, so give both subscriptions the same pattern or other groups",
      );
    }
    return undefined;
  }

  async function leave(
    dispatcher: Dispatcher,
    registration: Registration,
    options?: CloseOptions,
  ): Promise<CloseReport> {
    const others = open.has(dispatcher) ? dispatcher.unregister(registration) : undefined;
    if (others !== 0) return { unsent: 0, unsettled: 0 };
    open.delete(dispatcher);
    return dispatcher.close(options);
  }

  async function subscribe(
    pattern: string,
    handler: RawHandler | RawBatchHandler,
    options: AnyOptions = {},
  ): Promise<Subscription> {
    env.checkOpen(true);
    const wanted = Array.from(targets(pattern, options), ([name, destinations]) => {
      const own = listen(name, [...destinations].sort(), options);
      // What a group shares was settled by its first subscription, and decides what giving up costs.
      const shared = own.group === undefined ? undefined : sharedWith(own)?.listening;
      return { listening: own, registration: register(pattern, handler, options, shared ?? own) };
    });
    const joined: [Dispatcher, Registration][] = [];
    const limit = deadline(clock, { signal: options.signal });
    const close = async (closing?: CloseOptions): Promise<CloseReport> =>
      sumReports(
        await Promise.all(
          joined.splice(0).map(([dispatcher, registration]) => leave(dispatcher, registration, closing)),
        ),
      );
    try {
      for (const { listening, registration } of wanted) {
        const joining = join(listening, registration);
        // Given up, it is left again as soon as it stands.
        const left = (): void =>
          void joining.then((dispatcher) => leave(dispatcher, registration)).catch(() => undefined);
        joined.push([await abortable(joining, limit?.signal, left), registration]);
      }
    } catch (error) {
      await close();
      throw error;
    } finally {
      limit?.stop();
    }
    return {
      pause() {
        for (const [dispatcher] of joined) dispatcher.pause();
      },
      resume() {
        for (const [dispatcher] of joined) dispatcher.resume();
      },
      close,
      async [Symbol.asyncDispose]() {
        await close();
      },
    };
  }

  return {
    subscribe,
    async close(options) {
      const dispatchers = [...open.keys()];
      open.clear();
      return sumReports(await Promise.all(dispatchers.map((dispatcher) => dispatcher.close(options))));
    },
  };
}

/** What a group shares is settled by its first subscription; a later one may not ask for something else. */
function checkSame(shared: Listening, wanted: Listening, given: Registration["options"]): void {
  if (wanted.batch && !shared.batch) {
    throw new EventError("duplicate-handler", `group "${shared.group}" has a handler already: batches have only one`);
  }
  if (wanted.escalates && !shared.escalates) {
    throw new EventError(
      "invalid-option",
      `group "${shared.group}" has no retry destination: its first handler decides`,
    );
  }
  for (const [option, name] of [
    ["order", "byKey"],
    ["from", "from"],
    ["concurrency", "concurrency"],
    ["deadLetter", "deadLetter"],
    ["breaker", "breaker"],
  ] as const) {
    if (given[option] === undefined || same(shared[name], wanted[name])) continue;
    throw new EventError(
      "invalid-option",
      `group "${shared.group}" has another "${option}" already, which its handlers share`,
    );
  }
}

function same(one: unknown, two: unknown): boolean {
  return one === two || JSON.stringify(one) === JSON.stringify(two);
}

/** What a transport lacks and was asked for. */
export function unsupported(transport: string, what: string): EventError {
  return new EventError("unsupported", `transport "${transport}" cannot do ${what}`);
}
