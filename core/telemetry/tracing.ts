import {
  type Context,
  type Link,
  ProxyTracerProvider,
  type Span,
  type SpanKind,
  type SpanOptions,
  SpanStatusCode,
  type Tracer,
  type TracerProvider,
  trace,
} from "@opentelemetry/api";
import type { EventError } from "../errors.ts";

/** Attributes of one span or measurement. */
export type Attributes = Record<string, string | number | boolean>;

/** Starts spans, unless nobody would see them. */
export interface Tracing {
  /** Whether an SDK is there. Without one no span is made: even an empty one costs its attributes. */
  active(): boolean;
  start(name: string, kind: SpanKind, attributes: Attributes, context: Context, links?: Link[]): Span;
}

/** The delegate of a provider that has none: what the API answers with while no SDK is registered. */
const noProvider = /* @__PURE__ */ new ProxyTracerProvider().getDelegate();

/** Traces with the given provider, or else with the global one of the moment. */
export function createTracing(given: TracerProvider | undefined): Tracing {
  const own: Tracer | undefined = given?.getTracer("waybill");
  let tracer: Tracer;
  return {
    active() {
      if (own) return true;
      const provider = trace.getTracerProvider();
      return !(provider instanceof ProxyTracerProvider) || provider.getDelegate() !== noProvider;
    },
    start(name, kind, attributes, context, links) {
      tracer ??= own ?? trace.getTracer("waybill");
      return tracer.startSpan(name, { kind, attributes, links } as SpanOptions, context);
    },
  };
}

/** Ends a span; with an error as failed, by the conventions for recording errors. */
export function endSpan(span: Span | undefined, error?: EventError): void {
  if (!span) return;
  if (error) {
    span.setAttribute("error.type", error.code);
    span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
  }
  span.end();
}
