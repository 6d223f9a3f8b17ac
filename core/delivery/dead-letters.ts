import { type Context, ROOT_CONTEXT, type SpanContext, trace } from "@opentelemetry/api";
import { rebind } from "../codec/rebind.ts";
import type { Environment } from "../environment.ts";
import { EventError } from "../errors.ts";
import type { OutgoingMessage } from "../message.ts";
import { isPattern, matches } from "../pattern.ts";
import { receivedGetter } from "../propagation/carrier.ts";
import { readTraceContext } from "../propagation/read.ts";
import { headerSetter, writeTraceContext } from "../propagation/write.ts";
import { checkDestination } from "../routing.ts";
import { sleep } from "../sleep.ts";
import { spanKinds } from "../telemetry/span-kinds.ts";
import { endSpan } from "../telemetry/tracing.ts";
import type { HeaderBinding, ProvidedDestination, Transport } from "../transport.ts";
import { guideLetter } from "./guide-letter.ts";
import { type GivenUp, letterFacts, letterHeaders } from "./letter.ts";

/** Where what failed goes, and what becomes of the events behind it. */
export interface DeadLetterOptions {
  /** Default: `<destination>.dlq`, or as the transport has to name it; it is provided when the subscription is made. */
  readonly destination?: string;
  /** Default: the transport of the subscription. Needed where that keeps nothing, as core NATS does. */
  readonly transport?: string;
  /**
   * `continue`: later events of the key are handled. `park`: they follow the failed one, and are redriven after it in
   * their order; needs `order: "key"`. Default: `continue`.
   */
  readonly onKey?: "continue" | "park";
  /**
   * `guide`: the letter is an envelope with `error`, `original_topic` and `failed_at` in its `data`, as the guide's Go
   * services write and read it. Default: the message as it came. What is no envelope, or has no object as its data,
   * stays as it came in either case.
   */
  readonly dialect?: "guide";
}

/** Sets failed messages aside. */
export interface DeadLetters {
  readonly parks: boolean;
  /** Where the letters of a destination go. */
  of(destination: string): string;
  /** All places where letters of this subscription are. */
  readonly destinations: readonly string[];
  readonly transport: Transport;
  readonly transportName: string;
  /** Resolves with the id of the letter when it is stored; rejects when it is not, though it was tried several times. */
  store(given: Omit<GivenUp, "dialect">, context?: Context): Promise<string>;
}

/** What the letters are of. */
export interface LetterSource {
  readonly transport: string;
  readonly destinations: readonly string[];
  /** Ends the waiting between tries. */
  readonly signal: AbortSignal;
}

const tries = 4;
const pauseMs = 250;

/**
 * Provides the dead-letter destinations of a subscription.
 *
 * @throws EventError `unsupported` where the transport keeps nothing, and as `Transport.ensure` does.
 */
export async function openDeadLetters(
  env: Environment,
  source: LetterSource,
  options: DeadLetterOptions,
): Promise<DeadLetters> {
  const { clock, router, tracing } = env;
  const { destination: given, dialect, onKey } = options;
  const transportName = options.transport ?? source.transport;
  const transport = router.transport(transportName);
  if (given !== undefined) checkDestination(given);
  if (!transport.ensure) {
    const text = `transport "${transportName}" keeps no dead letters: name one that does in deadLetter.transport`;
    throw new EventError("unsupported", text);
  }
  const provided: (readonly [string, ProvidedDestination])[] = [];
  for (const each of source.destinations) {
    provided.push([each, await transport.ensure({ role: "dead-letter", source: each, destination: given })]);
  }
  const binding = router.transport(source.transport).capabilities.binding;

  function of(destination: string): string {
    const found =
      provided.find(([each]) => each === destination) ?? provided.find(([each]) => covers(each, destination));
    return (found ?? provided[0]!)[1].of(destination);
  }

  async function store(given: Omit<GivenUp, "dialect">, context?: Context): Promise<string> {
    const { message } = given.delivery;
    const destination = of(message.destination);
    // What is set aside before it has a context of its own still belongs to the trace of its event.
    const parent = context ?? readTraceContext(ROOT_CONTEXT, { message }, receivedGetter);
    const span = tracing.active()
      ? tracing.start(
          `publish ${destination}`,
          spanKinds.publish,
          {
            "messaging.operation.name": "publish",
            "messaging.operation.type": "send",
            "messaging.system": transport.capabilities.system,
            "messaging.destination.name": destination,
          },
          parent,
        )
      : undefined;
    let failure: EventError | undefined;
    try {
      return await send(given, destination, span?.spanContext() ?? trace.getSpanContext(parent));
    } catch (reason) {
      failure = EventError.from(reason);
      throw failure;
    } finally {
      endSpan(span, failure);
    }
  }

  async function send(
    partial: Omit<GivenUp, "dialect">,
    destination: string,
    span: SpanContext | undefined,
  ): Promise<string> {
    const { delivery } = partial;
    const { message } = delivery;
    const carrier: string[] = [];
    writeTraceContext(span, carrier, headerSetter);
    const facts = letterFacts({ ...partial, dialect }, carrier[1]);
    const form = dialect === "guide" ? guideLetter(message, binding, env.limits, facts) : undefined;
    // A letter whose event comes again is stored once within the window: its id is made of where the message stands.
    const known = `dlq:${facts.id}`;
    let dedupId = known;
    const letter = (brief: boolean): OutgoingMessage => ({
      destination,
      headers: form
        ? withoutAttributes(letterHeaders(message, facts, brief), binding)
        : rebind(
            letterHeaders(message, { ...facts, dialect: undefined }, brief),
            binding,
            transport.capabilities.binding,
          ),
      body: form ?? message.body,
      key: message.key,
      dedupId,
    });
    let brief = false;
    for (let tried = 1; ; tried++) {
      const [outcome] = await transport.publish([letter(brief)]);
      if (outcome!.stored) {
        if (!outcome!.at.duplicate || dedupId !== known) return facts.id;
        // Anyone can work that id out and store something else under it; a second copy of a letter is never shown.
        dedupId = `${known}:${env.ids()}`;
        continue;
      }
      const { error } = outcome!;
      const over = tried >= tries || source.signal.aborted || delivery.signal.aborted;
      if (over || !(error.retryable || error.code === "too-large")) {
        const text = `the dead letter of ${facts.destination} ${facts.position} is not stored: ${error.message}`;
        throw new EventError(error.code, text, { cause: error, retryable: true });
      }
      if (error.code === "too-large") brief = true;
      else {
        delivery.extend();
        await sleep(clock, pauseMs * tried, source.signal);
      }
    }
  }

  return {
    parks: onKey === "park",
    of,
    destinations: [...new Set(provided.flatMap(([, { destinations }]) => destinations))],
    transport,
    transportName,
    store,
  };
}

/** Whether a source with NATS wildcards has the destination. */
export function covers(source: string, destination: string): boolean {
  const pattern = source.replace(/>$/, "**");
  return isPattern(pattern) && matches(pattern, destination);
}

/** An envelope says in its body what these said. */
function withoutAttributes(headers: readonly (string | Uint8Array)[], binding: HeaderBinding): (string | Uint8Array)[] {
  const kept: (string | Uint8Array)[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    const name = String(headers[i]).toLowerCase();
    if (!name.startsWith(binding.prefix) && name !== binding.contentType) kept.push(headers[i]!, headers[i + 1]!);
  }
  return kept;
}
