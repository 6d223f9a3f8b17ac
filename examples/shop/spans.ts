import type { ReadableSpan, SpanExporter } from "@opentelemetry/sdk-trace-base";

/** A span as it travels to the page. */
export interface SpanRecord {
  readonly service: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentId?: string | undefined;
  readonly name: string;
  readonly kind: number;
  readonly startMs: number;
  readonly endMs: number;
}

/** Where spans are published; no event of the shop, and not traced. */
export const spansSubject = "telemetry.spans";

const millis = ([seconds, nanos]: readonly [number, number]): number => seconds * 1000 + nanos / 1e6;

/** Hands every finished span of a service to `send`, as JSON. */
export function spanExporter(service: string, send: (json: string) => void): SpanExporter {
  return {
    export(spans: ReadableSpan[], done) {
      const records = spans.map(
        (span): SpanRecord => ({
          service,
          traceId: span.spanContext().traceId,
          spanId: span.spanContext().spanId,
          parentId: span.parentSpanContext?.spanId,
          name: span.name,
          kind: span.kind,
          startMs: millis(span.startTime),
          endMs: millis(span.endTime),
        }),
      );
      send(JSON.stringify(records));
      done({ code: 0 });
    },
    shutdown: async () => undefined,
  };
}

/** A span with what it caused. */
export interface SpanNode extends SpanRecord {
  readonly depth: number;
}

/** The spans of a trace from parent to child, and those whose parent is missing. */
export function arrange(spans: readonly SpanRecord[]): { tree: SpanNode[]; orphans: SpanRecord[] } {
  const ids = new Set(spans.map(({ spanId }) => spanId));
  const tree: SpanNode[] = [];
  const add = (parentId: string | undefined, depth: number): void => {
    const children = spans.filter((span) => span.parentId === parentId).sort((a, b) => a.startMs - b.startMs);
    for (const span of children) {
      tree.push({ ...span, depth });
      add(span.spanId, depth + 1);
    }
  };
  add(undefined, 0);
  return { tree, orphans: spans.filter(({ parentId }) => parentId !== undefined && !ids.has(parentId)) };
}
