import { type Consuming, createConsuming } from "./consuming.ts";
import type { Environment } from "./environment.ts";
import type { Outbound } from "./outgoing.ts";
import type { Publisher } from "./publisher.ts";
import { createPublishing, type Publishing } from "./publishing.ts";
import { sumReports } from "./report.ts";

/** What of a bus is loaded with its first use: all that receives, and all that publishes more than event by event. */
export type Rest = Consuming & Publishing;

/** Makes it. A page that publishes one event at a time, to one transport each, does not pay for it. */
export function createRest(env: Environment, outbound: Outbound, publisher: Publisher): Rest {
  const consuming = createConsuming(env, outbound, publisher);
  const publishing = createPublishing(env, outbound, publisher);
  return {
    ...consuming,
    ...publishing,
    async close({ deadlineMs = 10_000 }) {
      const until = env.clock.now() + deadlineMs;
      // Handlers that still run may publish, in batches too.
      const consumed = await consuming.close({ deadlineMs });
      const batched = await publishing.close({ deadlineMs: Math.max(0, until - env.clock.now()) });
      return sumReports([consumed, batched]);
    },
  };
}
