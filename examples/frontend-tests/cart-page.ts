import { EventError } from "waybill";
import { connect } from "waybill/browser";
import { events } from "./events.ts";

/** What the page shows. */
export interface CartView {
  readonly items: readonly { readonly sku: string; readonly price: number }[];
  readonly total: number;
  /** A sentence for the customer; empty when all is well. */
  readonly notice: string;
}

/** A cart that is open in a page. */
export interface CartPage {
  /** Asks for the price, puts the item into the cart, and tells the services. */
  add(sku: string): Promise<void>;
  close(): Promise<void>;
}

/** Opens the cart. `show` draws it, with whatever the page is made of, as often as it changes. */
export async function openCart(servers: string, show: (view: CartView) => void): Promise<CartPage> {
  const bus = await connect({ source: "/shop/cart", events, nats: { servers, reconnectWaitMs: 250 } });
  let items: CartView["items"] = [];
  const draw = (notice = ""): void => show({ items, total: items.reduce((sum, { price }) => sum + price, 0), notice });

  await bus.subscribe("price.changed", ({ data }) => {
    items = items.map((item) => (item.sku === data.sku ? data : item));
    draw();
  });
  draw();
  return {
    async add(sku) {
      try {
        const { data } = await bus.request("price.quote", { sku }, { timeoutMs: 2_000 });
        items = [...items, data];
        draw();
        await bus.publish("cart.updated", { items: [...items] });
      } catch (error) {
        if (!(error instanceof EventError)) throw error;
        draw(error.code === "no-responders" ? "Prices are not available." : "That took too long: try again.");
      }
    },
    async close() {
      await bus.close();
    },
  };
}
