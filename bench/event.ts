import { type Context, context, trace } from "@opentelemetry/api";

/** The event of every comparison. */
export const source = "/bench";
export const subject = "bench.order.placed";
export const topic = "bench-orders";
export const pageSubject = "bench.page.clicked";
export const data = { orderId: "o-1234567", sku: "teapot", price: 12.5, note: "x".repeat(100) };
const parent = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331", traceFlags: 1 };

/** The context that it is published in, and how that is written. */
export const within: Context = trace.setSpanContext(context.active(), parent);
export const traceparent: string = `00-${parent.traceId}-${parent.spanId}-01`;
