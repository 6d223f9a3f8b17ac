import {
  type Context,
  createContextKey,
  type TextMapGetter,
  type TextMapPropagator,
  type TextMapSetter,
  TraceFlags,
  trace,
} from "@opentelemetry/api";
import { EventError } from "../errors.ts";
import { first } from "./first.ts";
import { legalIds } from "./legal-ids.ts";

/** Options of {@link b3}. */
export interface B3Options {
  /** What is written: the header `b3`, or several `x-b3-…`. Both are read. Default: `single`. */
  readonly inject?: "single" | "multi";
}

/** What a sender decided about sampling: accept, deny, debug; empty: the decision is the receiver's. */
type State = "1" | "0" | "d" | "";

interface Received {
  readonly state: State;
  /** The trace that the state belongs to; undefined when it came alone. */
  readonly traceId?: string;
}

const receivedKey = /* @__PURE__ */ createContextKey("waybill b3");
const singlePattern = /^(?:([0-9a-f]{16}|[0-9a-f]{32})-([0-9a-f]{16})(?:-([01d])(?:-[0-9a-f]{16})?)?|([01d]))$/;
const names = { trace: "x-b3-traceid", span: "x-b3-spanid", sampled: "x-b3-sampled", flags: "x-b3-flags" };
/** Old tracers wrote words. */
const decisions = /^(?:(1|true)|0|false)$/;

/**
 * B3, the format of Zipkin. Names are written in lower case, which brokers tell from upper; the parent's span id is
 * never written. The header `b3` counts before `x-b3-…`, also when it is unusable. Ids of 64 bits are padded on the
 * left with zeros.
 *
 * Debug stays with its trace and means sampled. A decision that the sender left open reads as not sampled, for
 * OpenTelemetry has no word for it, and is passed on as open by a service that makes no span of its own; so is a
 * decision that came without ids (`b3: 0`).
 *
 * @throws EventError `invalid-option` when `inject` is neither `single` nor `multi`.
 *
 * @example
 * ```ts
 * import { b3, compositePropagator, createEventBus, w3cBaggage } from "waybill";
 * import { memoryTransport } from "waybill/memory";
 *
 * createEventBus({
 *   source: "/shop",
 *   transports: { memory: memoryTransport() },
 *   propagator: compositePropagator([b3({ inject: "multi" }), w3cBaggage()]),
 * });
 * ```
 */
export function b3({ inject = "single" }: B3Options = {}): TextMapPropagator {
  if (inject !== "single" && inject !== "multi") {
    throw new EventError("invalid-option", `b3: inject must be "single" or "multi", not ${JSON.stringify(inject)}`);
  }
  return {
    inject<Carrier>(context: Context, carrier: Carrier, setter: TextMapSetter<Carrier>): void {
      const span = trace.getSpanContext(context);
      const received = context.getValue(receivedKey) as Received | undefined;
      if (span && legalIds(span.traceId, span.spanId)) {
        const known = received?.traceId === span.traceId ? received.state : undefined;
        let state: State = span.traceFlags & TraceFlags.SAMPLED ? "1" : "0";
        if (known === "d" || (known === "" && span.isRemote)) state = known;
        write(carrier, setter, [span.traceId, span.spanId], state);
      } else if (received?.state && received.traceId === undefined) write(carrier, setter, [], received.state);
    },
    extract<Carrier>(context: Context, carrier: Carrier, getter: TextMapGetter<Carrier>): Context {
      const single = first(carrier, getter, "b3");
      const found = single === undefined ? readMulti(carrier, getter) : readSingle(single);
      if (!found) return context;
      const { state, traceId, spanId } = found;
      if (traceId === undefined || spanId === undefined) return context.setValue(receivedKey, { state });
      const traceFlags = state === "1" || state === "d" ? TraceFlags.SAMPLED : TraceFlags.NONE;
      const remote = trace.setSpanContext(context, { traceId, spanId, traceFlags, isRemote: true });
      return remote.setValue(receivedKey, { state, traceId });
    },
    fields: () => (inject === "single" ? ["b3"] : Object.values(names)),
  };

  function write<Carrier>(
    carrier: Carrier,
    setter: TextMapSetter<Carrier>,
    pair: readonly [] | readonly [traceId: string, spanId: string],
    state: State,
  ): void {
    if (inject === "single") {
      setter.set(carrier, "b3", [...pair, ...(state && [state])].join("-"));
      return;
    }
    const [traceId, spanId] = pair;
    if (traceId !== undefined) setter.set(carrier, names.trace, traceId);
    if (spanId !== undefined) setter.set(carrier, names.span, spanId);
    // Debug implies accept, which is then not said as well.
    if (state === "d") setter.set(carrier, names.flags, "1");
    else if (state) setter.set(carrier, names.sampled, state);
  }
}

interface Found extends Received {
  readonly spanId?: string;
}

function readSingle(text: string): Found | undefined {
  const [, traceId, spanId, state = "", alone] = singlePattern.exec(text.trim()) ?? [];
  if (alone !== undefined) return { state: alone as State };
  return found(traceId, spanId, state as State);
}

function readMulti<Carrier>(carrier: Carrier, getter: TextMapGetter<Carrier>): Found | undefined {
  const field = (name: keyof typeof names): string | undefined => first(carrier, getter, names[name])?.trim();
  const [traceId, spanId, sampled] = [field("trace"), field("span"), field("sampled")];
  const decision = decisions.exec(sampled ?? "");
  if (sampled !== undefined && !decision) return undefined;
  const state = field("flags") === "1" ? "d" : decision ? (decision[1] ? "1" : "0") : "";
  if (traceId === undefined && spanId === undefined) return state ? { state } : undefined;
  return found(traceId, spanId, state);
}

/** The ids with their state, when both are legal. */
function found(traceId: string | undefined, spanId: string | undefined, state: State): Found | undefined {
  const padded = traceId?.length === 16 ? traceId.padStart(32, "0") : traceId;
  if (padded === undefined || spanId === undefined || !legalIds(padded, spanId)) return undefined;
  return { state, traceId: padded, spanId };
}
