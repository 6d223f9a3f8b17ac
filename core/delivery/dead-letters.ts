import { type Context, context as contextApi, trace } from "@opentelemetry/api";
import { rebind } from "../codec/rebind.ts";
import type { Environment } from "../environment.ts";
import { EventError } from "../errors.ts";
import type { OutgoingMessage } from "../message.ts";
import { isPattern, matches } from "../pattern.ts";
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

  async function store(partial: Omit<GivenUp, "dialect">, context?: Context): Promise<string> {
    const { delivery } = partial;
    const { message } = delivery;
    const destination = of(message.destination);
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
          context ?? contextApi.active(),
        )
      : undefined;
    const carrier: string[] = [];
    writeTraceContext(span?.spanContext() ?? (context && trace.getSpanContext(context)), carrier, headerSetter);
    const facts = letterFacts({ ...partial, dialect }, carrier[1]);
    const form = dialect === "guide" ? guideLetter(message, binding, env.limits, facts) : undefined;
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
      // The same letter stored twice within the window is one: it is made of where the message stands.
      dedupId: `dlq:${facts.id}`,
    });
    let error: EventError | undefined;
    let sending = letter(false);
    for (let tried = 1; ; tried++) {
      const [outcome] = await transport.publish([sending]);
      error = outcome!.stored ? undefined : outcome!.error;
      if (!error || tried === tries || source.signal.aborted || delivery.signal.aborted) break;
      if (error.code === "too-large") sending = letter(true);
      else if (!error.retryable) break;
      else {
        delivery.extend();
        await sleep(clock, pauseMs * tried, source.signal);
      }
    }
    endSpan(span, error);
    if (error) {
      throw new EventError(
        error.code,
        `the dead letter of ${facts.destination} ${facts.position} is not stored: ${error.message}`,
        {
          cause: error,
          retryable: true,
        },
      );
    }
    return facts.id;
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
