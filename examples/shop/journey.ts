import { type Context, context, type Tracer, trace } from "@opentelemetry/api";
import type { EventBus, Transport } from "waybill";
import type { events } from "./events.ts";

/** The page's bus. */
export type ShopBus = EventBus<typeof events, { readonly nats: Transport }>;

/** Runs `work` in a span of the page. Its context goes along by hand: a page has no context manager across `await`. */
async function inSpan<T>(tracer: Tracer, name: string, work: (context: Context) => Promise<T>): Promise<T> {
  const span = tracer.startSpan(name);
  try {
    return await work(trace.setSpan(context.active(), span));
  } finally {
    span.end();
  }
}

/** Asks the price, places the order and waits until it is confirmed: the click of the page. */
export function placeOrder(
  bus: ShopBus,
  tracer: Tracer,
  sku: string,
  confirmed: (orderId: string) => Promise<void>,
): Promise<string> {
  return inSpan(tracer, "click: place order", async (within) => {
    const quote = await bus.request("price.quote", { sku }, { context: within });
    const orderId = `order-${sku}-${Math.floor(performance.now())}`;
    const done = confirmed(orderId);
    await bus.publish("order.placed", { orderId, sku, price: quote.data.price }, { context: within });
    await done;
    return orderId;
  });
}

/** Asks the price alone. */
export function askPrice(bus: ShopBus, tracer: Tracer, sku: string): Promise<number> {
  return inSpan(tracer, "click: ask the price", async (within) => {
    const quote = await bus.request("price.quote", { sku }, { context: within });
    return quote.data.price;
  });
}

/** Tells that the cart changed; nobody waits for that. */
export async function updateCart(bus: ShopBus, tracer: Tracer, sku: string, items: number): Promise<void> {
  await inSpan(tracer, "click: put into the cart", async (within) => {
    bus.post("cart.updated", { sku, items }, { context: within });
  });
}

/** Lets callers wait for the confirmation of their order. */
export async function watchConfirmations(
  bus: ShopBus,
  seen: (orderId: string, durableHop: string) => void,
): Promise<(orderId: string) => Promise<void>> {
  const waiting = new Map<string, () => void>();
  await bus.subscribe("order.confirmed", ({ data }) => {
    seen(data.orderId, data.durableHop);
    waiting.get(data.orderId)?.();
    waiting.delete(data.orderId);
  });
  return (orderId) =>
    new Promise((resolve, reject) => {
      waiting.set(orderId, resolve);
      setTimeout(() => reject(new Error(`${orderId} was not confirmed within 15 s`)), 15_000);
    });
}
