import type { MeterProvider, TextMapPropagator } from "@opentelemetry/api";
import type { Clock } from "./clock.ts";
import type { Codec } from "./codec/codec.ts";
import type { EventError } from "./errors.ts";
import type { IdGenerator } from "./id.ts";
import type { Limits } from "./limits.ts";
import type { BusHealth, ErrorOrigin, StatusListener } from "./options.ts";
import type { Router } from "./routing.ts";
import type { Tracing } from "./telemetry/tracing.ts";

/** What the parts of one bus share. */
export interface Environment {
  readonly source: string;
  readonly router: Router;
  readonly codec: Codec;
  readonly limits: Limits;
  /** undefined: W3C Trace Context and Baggage. */
  readonly propagator: TextMapPropagator | undefined;
  readonly clock: Clock;
  readonly ids: IdGenerator;
  readonly tracing: Tracing;
  /** undefined: the global one. */
  readonly meterProvider: MeterProvider | undefined;
  health(): BusHealth;
  /** Takes an error that no promise carries. */
  report(error: EventError, origin: ErrorOrigin): void;
  /** Tells those who listen for the status. */
  tell(status: Parameters<StatusListener>[0]): void;
  /** Throws `closed` once the bus takes nothing more; new subscriptions are refused as soon as it closes. */
  checkOpen(toListen?: boolean): void;
}

/** Under which a bus has its environment, for the entries beside the root. The same across copies of the package. */
export const environmentKey: unique symbol = /* @__PURE__ */ Symbol.for("waybill") as never;
