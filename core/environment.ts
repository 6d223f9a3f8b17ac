import type { TextMapPropagator } from "@opentelemetry/api";
import type { Clock } from "./clock.ts";
import type { Codec } from "./codec/codec.ts";
import type { EventError } from "./errors.ts";
import type { IdGenerator } from "./id.ts";
import type { Limits } from "./limits.ts";
import type { ErrorOrigin } from "./options.ts";
import type { Router } from "./routing.ts";
import type { Metrics } from "./telemetry/metrics.ts";
import type { Tracing } from "./telemetry/tracing.ts";

/** What the parts of one bus share. */
export interface Environment {
  readonly source: string;
  readonly router: Router;
  readonly codec: Codec;
  readonly limits: Limits;
  readonly propagator: TextMapPropagator;
  readonly clock: Clock;
  readonly ids: IdGenerator;
  readonly tracing: Tracing;
  readonly metrics: Metrics;
  /** Takes an error that no promise carries. */
  report(error: EventError, origin: ErrorOrigin): void;
  /** Throws `closed` once the bus takes nothing more. */
  checkOpen(): void;
}
