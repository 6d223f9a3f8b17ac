import type pg from "pg";
import type { EventBus, Subscription, Transports } from "waybill";
import { createOutbox, type OutboxRelay, postgresInbox, postgresOutbox } from "waybill/outbox";
import type { events } from "./events.ts";

/** Makes the tables: of the books, of the inbox and of the outbox. */
export async function prepare(pool: pg.Pool): Promise<void> {
  await pool.query("create table if not exists bookings (order_id text not null, amount numeric not null)");
  await postgresInbox({ pool }).migrate();
  await postgresOutbox({ pool }).migrate();
}

/**
 * Books each order once. The booking, the mark that the order was handled and the event that tells of it are committed
 * together, or none of them is.
 */
export async function bookOrders(
  bus: EventBus<typeof events, Transports>,
  pool: pg.Pool,
): Promise<{ subscription: Subscription; relay: OutboxRelay }> {
  const outbox = createOutbox({ bus, store: postgresOutbox({ pool }) });
  const relay = await outbox.relay();
  const subscription = await bus.subscribe(
    "orders.placed",
    async (event, { transaction, context }) => {
      const { orderId, amount } = event.data;
      await transaction.query("insert into bookings (order_id, amount) values ($1, $2)", [orderId, amount]);
      const { rows } = await transaction.query("select sum(amount)::float8 as total from bookings");
      await outbox.add(transaction, "orders.booked", { orderId, total: rows[0].total }, { cause: event, context });
    },
    {
      group: "books",
      concurrency: 8,
      idempotency: { store: postgresInbox<pg.PoolClient>({ pool }) },
    },
  );
  return { subscription, relay };
}
