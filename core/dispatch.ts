import { createBatchReceiver } from "./batch-receiver.ts";
import { withinDeadline } from "./deadline.ts";
import { createAdmission } from "./delivery/admission.ts";
import type { CircuitState } from "./delivery/circuit-breaker.ts";
import { createCollector } from "./delivery/collector.ts";
import { createFailing } from "./delivery/failing.ts";
import { createHandlerBreaker } from "./delivery/handler-breaker.ts";
import { createRetryPolicy } from "./delivery/retry-policy.ts";
import { createScheduler, type Scheduler } from "./delivery/scheduler.ts";
import type { Environment } from "./environment.ts";
import { EventError } from "./errors.ts";
import type { Listening } from "./listening.ts";
import { attemptsOf, type ListeningServices, openServices } from "./listening-services.ts";
import { isPattern } from "./pattern.ts";
import { setAside } from "./pattern-overlap.ts";
import type { Publisher } from "./publisher.ts";
import { createReader } from "./reader.ts";
import { createReceiver } from "./receiver.ts";
import type { Reception, Registration } from "./reception.ts";
import { Registrations } from "./registrations.ts";
import type { ConsumeInstruments } from "./telemetry/consumer-metrics.ts";
import type { Instruments } from "./telemetry/metrics.ts";
import type { CloseOptions, CloseReport, Delivery, TransportSubscription } from "./transport.ts";
import type { Versions } from "./versions.ts";

/** One transport subscription, shared by the handlers of a group on the same destinations. */
export interface Dispatcher {
  readonly listening: Listening;
  /** Throws `duplicate-handler` when a handler of this group takes some of the same types. */
  register(registration: Registration): void;
  /** Answers how many are left; the last one is left to {@link close}. */
  unregister(registration: Registration): number;
  start(): Promise<void>;
  pause(): void;
  resume(): void;
  subscription(): TransportSubscription | undefined;
  breaker(): CircuitState | undefined;
  close(options?: CloseOptions): Promise<CloseReport>;
}

/** Of what no handler takes: it is given up at once. */
const plainPolicy = /* @__PURE__ */ createRetryPolicy({}, 1);

/** Deliveries taken at least before their turn, where that keeps them from nobody. */
const minPrefetch = 64;

/** Makes the dispatcher of a listening; `start` opens it. */
export function createDispatcher(
  env: Environment,
  publish: Publisher["publish"],
  metrics: Instruments<ConsumeInstruments>,
  versions: Versions,
  listening: Listening,
): Dispatcher {
  const { clock, router, report } = env;
  const { transport: name, destinations, group, concurrency, byKey, batch } = listening;
  const transport = router.transport(name);
  const { redelivery, contiguous } = transport.capabilities;
  const registrations = new Registrations();
  const unconfirmed = new Set<Promise<void>>();
  let latest: Promise<void> | undefined;
  const literal = new Set(destinations);
  const attempts = attemptsOf(env, listening);
  const stopping = new AbortController();
  let services: ListeningServices | undefined;
  let subscription: TransportSubscription | undefined;
  let closing = false;

  const breaker =
    listening.breaker &&
    createHandlerBreaker(
      clock,
      listening.breaker,
      () => scheduler,
      (state) => {
        try {
          env.tell({ type: "breaker", state, transport: name, group, destinations });
        } catch (reason) {
          report(EventError.from(reason, "handler-failed"), { transport: name });
        }
      },
    );
  const reader = createReader(env, versions);
  const reception: Reception = {
    transport: name,
    capabilities: transport.capabilities,
    destinations,
    group,
    metrics,
    // What a broker does not deliver again can only be tried again here.
    inPlace: byKey || !redelivery,
    holdsUp: Boolean(contiguous),
    attempts,
    find: (type) => registrations.find(versions.typeOf(type)),
    policy: (registration) => registration?.policy ?? plainPolicy,
    letters: () => services?.letters,
    parked: () => services?.parked,
    retries: () => services?.retries,
    breaker: () => breaker,
    closing: () => closing,
    settling(verdict, delivery) {
      // One promise may stand for many deliveries, and then one report does: mostly it is that of the one before.
      if (verdict === latest || unconfirmed.has(verdict)) return;
      latest = verdict;
      confirm(verdict, delivery);
    },
    count(what, attributes) {
      const made = metrics();
      if (!made) return;
      const common: Record<string, string> = { "messaging.system": transport.capabilities.system, ...attributes };
      if (group !== undefined) common["messaging.consumer.group.name"] = group;
      made.happened[what].add(1, common);
    },
  };

  function confirm(verdict: Promise<void>, { position, message: { destination } }: Delivery): void {
    unconfirmed.add(verdict);
    // Holds on to no message: the broker may take its time.
    verdict.then(
      () => unconfirmed.delete(verdict),
      (reason) => {
        unconfirmed.delete(verdict);
        report(EventError.from(reason), { transport: name, destination, position });
      },
    );
  }

  const failing = createFailing(env, reception);
  const admission = createAdmission(reception, failing, clock.now);
  const host = { publish, group, deadLetters: () => services?.letters !== undefined };
  const parts = { env, host, reader, reception, admission, failing };
  const common = {
    clock,
    concurrency,
    byKey,
    done: () => {
      if (!closing) subscription?.credit(1);
    },
  };
  const scheduler: Scheduler = batch
    ? createCollector({ ...common, ...batch, run: createBatchReceiver(parts) })
    : createScheduler({ ...common, run: createReceiver(parts) });

  function deliver(delivery: Delivery): void {
    // A wildcard also reaches dead letters and retries, which only their literal names may.
    const { destination } = delivery.message;
    if (!literal.has(destination) && setAside.test(destination)) {
      reception.settling(delivery.settle({ kind: "ack" }), delivery);
      subscription?.credit(1);
    } else scheduler.add(services?.retries ? services.retries.unwrap(delivery) : delivery);
  }

  async function revoke(lane: string): Promise<void> {
    await scheduler.revoke(lane);
    attempts.forget(lane);
  }

  async function start(): Promise<void> {
    const { from } = listening;
    services = await openServices(env, listening, stopping.signal);
    for (const each of services.retries?.destinations ?? []) literal.add(each);
    if (closing) throw new EventError("closed", "the subscription was closed while it opened");
    const opened = await transport.consume(
      { destinations: [...destinations, ...(services.retries?.destinations ?? [])], group, from },
      { deliver, revoke, failed: (error) => report(error, { transport: name }) },
    );
    if (closing) {
      await opened.close({ deadlineMs: 0 });
      throw new EventError("closed", "the subscription was closed while it opened");
    }
    subscription = opened;
    // While as many as may are handled, one batch is collected, or as many wait for their turn.
    const turn = batch ? batch.maxEvents * (concurrency + 1) : 2 * concurrency;
    // Where any member may have an event, what waits here is kept from the others. Not so where a member owns its keys,
    // and those behind one that pauses must not take the place of the rest; nor where nothing is delivered twice.
    const shared = transport.capabilities.redelivery && !byKey;
    subscription.credit(shared ? turn : Math.max(minPrefetch, turn));
  }

  async function close({ deadlineMs = 10_000 }: CloseOptions = {}): Promise<CloseReport> {
    // Without credit nothing more comes; what runs is waited for, then its verdicts reach the broker.
    closing = true;
    breaker?.stop();
    for (const { limit, once } of registrations.all()) {
      limit?.stop();
      once?.stop();
    }
    stopping.abort();
    const until = clock.now() + deadlineMs;
    // What a transport would not deliver again is handled to its end.
    await withinDeadline(clock, deadlineMs, scheduler.stop(!transport.capabilities.redelivery));
    const left = scheduler.held();
    const closed = await subscription?.close({ deadlineMs: Math.max(0, until - clock.now()) });
    subscription = undefined;
    return { unsent: 0, unsettled: Math.max(left, closed?.unsettled ?? 0) };
  }

  return {
    listening,
    register(registration) {
      if (batch && registrations.size > 0) {
        throw new EventError("duplicate-handler", `group "${group}" takes batches, and they have one handler`);
      }
      const rival = registrations.rivalOf(registration.pattern);
      if (rival) {
        throw new EventError(
          "duplicate-handler",
          `group "${group}" handles "${rival.pattern}" already, which overlaps "${registration.pattern}"`,
        );
      }
      registrations.add(registration);
    },
    unregister(registration) {
      // The last one stays: what was taken for it is still handled, or given back, while the dispatcher closes.
      if (registrations.size === 1) return 0;
      registrations.remove(registration);
      registration.limit?.stop();
      registration.once?.stop();
      return registrations.size;
    },
    start,
    pause: scheduler.pause,
    resume: scheduler.resume,
    subscription: () => subscription,
    breaker: () => breaker?.state,
    close,
  };
}

/** The NATS form of a pattern: `**` becomes `>`. */
export function toWildcard(pattern: string): string {
  return isPattern(pattern) ? pattern.replace(/\*\*$/, ">") : pattern;
}
