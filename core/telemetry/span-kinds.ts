import { SpanKind } from "@opentelemetry/api";

/** The span kinds of the operations that Waybill traces (semantic conventions 1.44, messaging). */
export const spanKinds: Readonly<Record<"publish" | "request" | "create" | "send" | "process", SpanKind>> = {
  publish: SpanKind.PRODUCER,
  request: SpanKind.PRODUCER,
  create: SpanKind.PRODUCER,
  send: SpanKind.CLIENT,
  process: SpanKind.CONSUMER,
};
