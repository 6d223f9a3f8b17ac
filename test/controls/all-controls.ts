import { busControls } from "./bus-controls.ts";
import { chaosControls } from "./chaos-controls.ts";
import type { Control } from "./control.ts";
import { deadLetterControls } from "./dead-letter-controls.ts";
import { deliveryControls } from "./delivery-controls.ts";
import { idempotencyControls } from "./idempotency-controls.ts";
import { inboxControls } from "./inbox-controls.ts";
import { jetstreamControls } from "./jetstream-controls.ts";
import { kafkaControls } from "./kafka-controls.ts";
import { memoryControls } from "./memory-controls.ts";
import { metaControl } from "./meta-control.ts";
import { natsControls } from "./nats-controls.ts";
import { outboxControls } from "./outbox-controls.ts";
import { retryControls } from "./retry-controls.ts";

/** What `npm run controls` runs. */
export const controls: readonly Control[] = [
  ...deliveryControls,
  ...retryControls,
  ...deadLetterControls,
  ...idempotencyControls,
  ...outboxControls,
  ...inboxControls,
  ...busControls,
  ...natsControls,
  ...jetstreamControls,
  ...kafkaControls,
  ...memoryControls,
  ...chaosControls,
];

/** Everything that `WAYBILL_CONTROL` may name. */
export const allControls: readonly Control[] = [...controls, metaControl];
