import type { ConformanceCase } from "../case.ts";
import { backpressure } from "./backpressure.ts";
import { closing } from "./closing.ts";
import { delivery } from "./delivery.ts";
import { destinations } from "./destinations.ts";
import { groups } from "./groups.ts";
import { malformed } from "./malformed.ts";
import { order } from "./order.ts";
import { outages } from "./outages.ts";
import { publishing } from "./publishing.ts";
import { redelivery } from "./redelivery.ts";
import { replay } from "./replay.ts";
import { requests } from "./requests.ts";
import { roundTrips } from "./round-trips.ts";
import { tracing } from "./tracing.ts";

/**
 * Every claim that a transport has to meet, as data: `{ id, title, needs, lacks, core, run }`. `runConformance` makes
 * tests of them, `runCases` runs them where there is no test framework.
 */
export const conformanceCases: readonly ConformanceCase[] = [
  ...publishing,
  ...roundTrips,
  ...malformed,
  ...destinations,
  ...groups,
  ...order,
  ...redelivery,
  ...delivery,
  ...closing,
  ...backpressure,
  ...replay,
  ...requests,
  ...tracing,
  ...outages,
];
