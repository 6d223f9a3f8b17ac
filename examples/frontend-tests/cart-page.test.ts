import { afterEach, expect, test, vi } from "vitest";
import { connect } from "waybill/browser";
import { broker, servers } from "./broker.ts";
import { type CartView, openCart } from "./cart-page.ts";
import { events } from "./events.ts";

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()));
});

/** The page under test, and every view that it has shown. */
async function page() {
  const views: CartView[] = [];
  const cart = await openCart(servers, (view) => views.push(view));
  closing.push(() => cart.close());
  return { cart, views };
}

/** The shop's services, played by the test. */
async function services() {
  const bus = await connect({ source: "/test/services", events, nats: { servers } });
  closing.push(() => bus.close());
  return bus;
}

test("shows what the services quote, and tells them what is in the cart", async () => {
  const bus = await services();
  const told: unknown[] = [];
  await bus.respond("price.quote", ({ data }) => ({ sku: data.sku, price: 12 }));
  await bus.subscribe("cart.updated", ({ data }) => void told.push(data.items));
  const { cart, views } = await page();

  await cart.add("tea");

  const items = [{ sku: "tea", price: 12 }];
  expect(views.at(-1)).toEqual({ items, total: 12, notice: "" });
  await vi.waitFor(() => expect(told).toEqual([items]));
});

test("says so when nobody can tell a price", async () => {
  const { cart, views } = await page();
  await cart.add("tea");
  expect(views.at(-1)).toEqual({ items: [], total: 0, notice: "Prices are not available." });
});

test("hears of new prices again after its connection was cut", async () => {
  const bus = await services();
  await bus.respond("price.quote", ({ data }) => ({ sku: data.sku, price: 12 }));
  const { cart, views } = await page();
  await cart.add("tea");

  broker.disconnectAll();
  expect(broker.connections).toBe(0);
  const subjects = (): string[] => broker.subscriptions.map(({ subject }) => subject);
  await vi.waitFor(() => expect(subjects()).toContain("price.changed"), 5_000);
  broker.publish("price.changed", JSON.stringify({ sku: "tea", price: 15 }), {
    headers: {
      "ce-specversion": "1.0",
      "ce-id": "1",
      "ce-source": "/test",
      "ce-type": "price.changed",
      "content-type": "application/json",
    },
  });

  await vi.waitFor(() => expect(views.at(-1)).toEqual({ items: [{ sku: "tea", price: 15 }], total: 15, notice: "" }));
});
