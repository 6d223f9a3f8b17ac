import { context, type Link, type Span } from "@opentelemetry/api";
import type { Chains } from "./chains.ts";
import { type Deadline, deadline } from "./deadline.ts";
import { Entry } from "./entry.ts";
import type { Environment } from "./environment.ts";
import { EventError } from "./errors.ts";
import type { PublishItem, PublishOptions, Receipt, WaitOptions } from "./options.ts";
import type { Outbound } from "./outgoing.ts";
import type { Publisher } from "./publisher.ts";
import type { Plan } from "./routing.ts";
import { validate } from "./schema.ts";
import { keepContext } from "./telemetry/keep-context.ts";
import { spanKinds } from "./telemetry/span-kinds.ts";
import { type Attributes, endSpan } from "./telemetry/tracing.ts";

/** Sends events together, however many transports they go to. */
export interface Transmitter {
  publishAll(items: readonly PublishItem[], options?: WaitOptions): Promise<(Receipt | EventError)[]>;
  /** Where an event goes, once its schema took it; a promise only when the schema answers with one. */
  plan(type: string, data: unknown, options?: PublishOptions): Plan | Promise<Plan>;
  /** Encodes what was planned into its entry; throws for what can never be sent. */
  enter(entry: Entry, plan: Plan, data: unknown, options: PublishOptions): void;
  /** Sends entries, those of one transport in one call; resolves when each is settled. */
  transmit(entries: readonly Entry[], limit?: Deadline): Promise<void>;
}

/** An event of a `publishAll` call, whose result has its place among the others. */
class Slot extends Entry {
  readonly #results: (Receipt | EventError)[];
  readonly #index: number;

  constructor(results: (Receipt | EventError)[], index: number) {
    super();
    this.#results = results;
    this.#index = index;
  }
  settle(result: Receipt | EventError): void {
    this.#results[this.#index] = result;
  }
}

/** Makes the transmitter of a bus. */
export function createPublishAll(
  env: Environment,
  { prepare }: Outbound,
  { finish }: Publisher,
  chains: Chains,
): Transmitter {
  const { clock, router, tracing } = env;

  function plan(type: string, data: unknown, options?: PublishOptions): Plan | Promise<Plan> {
    env.checkOpen();
    const planned = router.plan(type, data, options);
    const valid = planned.definition && validate(planned.definition.schema, data, type);
    return valid instanceof Promise ? valid.then(() => planned) : planned;
  }

  function enter(entry: Entry, plan: Plan, data: unknown, options: PublishOptions): void {
    if (plan.chain) entry.along = chains.begin(plan, data, options, "create");
    else entry.only = prepare(plan, data, options, "create");
  }

  async function transmit(entries: readonly Entry[], limit?: Deadline): Promise<void> {
    const groups = new Map<string, Entry[]>();
    for (const entry of entries) {
      const { name } = entry.sending.plan;
      const group = groups.get(name);
      if (group) group.push(entry);
      else groups.set(name, [entry]);
    }
    await Promise.all(
      Array.from(groups, async ([name, group]) => {
        const span = startBatch(name, group);
        const messages = group.map(({ sending }) => sending.message);
        const outcomes = await router.transport(name).publish(messages, limit);
        let failure: EventError | undefined;
        const again: Entry[] = [];
        for (const [n, entry] of group.entries()) {
          const outcome = outcomes[n]!;
          if (!outcome.stored) failure ??= outcome.error;
          if (entry.done(outcome, finish)) again.push(entry);
        }
        endSpan(span, failure);
        if (again.length > 0) await transmit(again, limit);
      }),
    );
  }

  async function publishAll(
    items: readonly PublishItem[],
    options: WaitOptions = {},
  ): Promise<(Receipt | EventError)[]> {
    env.checkOpen();
    const inContext = keepContext(enter);
    const results: (Receipt | EventError)[] = new Array(items.length);
    const entries: Entry[] = [];
    for (const [index, item] of items.entries()) {
      const entry = new Slot(results, index);
      try {
        const planned = plan(item.type, item.data, item);
        inContext(entry, planned instanceof Promise ? await planned : planned, item.data, item);
        entries.push(entry);
      } catch (reason) {
        entry.settle(EventError.from(reason, "invalid-data"));
      }
    }
    const limit = deadline(clock, options);
    await transmit(entries, limit);
    limit?.stop();
    return results;
  }

  /** One span for the call beside the one that each event carries, as the conventions ask of batches. */
  function startBatch(name: string, group: readonly Entry[]): Span | undefined {
    if (!tracing.active()) return undefined;
    const { destination } = group[0]!.sending;
    const common = group.every(({ sending }) => sending.destination === destination);
    const links: Link[] = group.flatMap(({ sending: { span, id } }) =>
      span ? { context: span.spanContext(), attributes: { "messaging.message.id": id } } : [],
    );
    const attributes: Attributes = {
      "messaging.operation.name": "publish",
      "messaging.operation.type": "send",
      "messaging.system": router.transport(name).capabilities.system,
      "messaging.batch.message_count": group.length,
    };
    if (common) attributes["messaging.destination.name"] = destination;
    const spanName = common ? `publish ${destination}` : "publish";
    return tracing.start(spanName, spanKinds.send, attributes, context.active(), links);
  }
  return { publishAll, plan, enter, transmit };
}
