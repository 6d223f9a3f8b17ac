import type { ConsumeSink, ConsumeSource, Delivery, OutgoingMessage, Transport, TransportSubscription } from "waybill";

export interface Consumer {
  readonly subscription: TransportSubscription;
  /** Everything that was delivered, oldest first. */
  readonly got: Delivery[];
  /** Their bodies as text. */
  bodies(): string[];
  /** Lanes whose revocation was asked for. */
  readonly revoked: string[];
}

export const text = (delivery: Delivery): string => new TextDecoder().decode(delivery.message.body!);

export const message = (body: string, more: Partial<OutgoingMessage> = {}): OutgoingMessage => ({
  destination: "orders",
  headers: [],
  body,
  ...more,
});

/** Consumes with plenty of credit. `onRevoke` holds a revocation up until it resolves. */
export async function consume(
  transport: Transport,
  source: Partial<ConsumeSource> = {},
  options: { credit?: number; deliver?: (delivery: Delivery) => void; onRevoke?: (lane: string) => Promise<void> } = {},
): Promise<Consumer> {
  const got: Delivery[] = [];
  const revoked: string[] = [];
  const sink: ConsumeSink = {
    deliver(delivery) {
      got.push(delivery);
      options.deliver?.(delivery);
    },
    async revoke(lane) {
      revoked.push(lane);
      await options.onRevoke?.(lane);
    },
    failed: () => undefined,
  };
  const subscription = await transport.consume({ destinations: ["orders"], from: "earliest", ...source }, sink);
  subscription.credit(options.credit ?? 1000);
  return { subscription, got, revoked, bodies: () => got.map(text) };
}
