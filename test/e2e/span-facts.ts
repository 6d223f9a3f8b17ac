import type { ReadableSpan } from "@opentelemetry/sdk-trace-base";

/** What the test reads of a span, of the page or of a service. */
export interface SpanFacts {
  readonly service: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentId: string | undefined;
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
  readonly name: string;
  readonly kind: number;
  readonly attributes: Readonly<Record<string, unknown>>;
}

/** The facts of a finished span. */
export function factsOf(service: string, span: ReadableSpan): SpanFacts {
  const { traceId, spanId } = span.spanContext();
  return {
    service,
    traceId,
    spanId,
    parentId: span.parentSpanContext?.spanId,
    links: span.links.map((link) => ({ traceId: link.context.traceId, spanId: link.context.spanId })),
    name: span.name,
    kind: span.kind,
    attributes: span.attributes,
  };
}

/** The spans of each event, by its id. */
export function byEvent(spans: readonly SpanFacts[]): Map<string, SpanFacts[]> {
  const found = new Map<string, SpanFacts[]>();
  for (const span of spans) {
    const id = String(span.attributes["messaging.message.id"]);
    found.set(id, [...(found.get(id) ?? []), span]);
  }
  return found;
}

/** Spans whose parent nobody recorded. */
export function orphansOf(spans: readonly SpanFacts[]): SpanFacts[] {
  const known = new Set(spans.map(({ traceId, spanId }) => `${traceId}/${spanId}`));
  return spans.filter(({ traceId, parentId }) => parentId !== undefined && !known.has(`${traceId}/${parentId}`));
}
