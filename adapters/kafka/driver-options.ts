import { EventError } from "../../core/errors.ts";
import { checkGroup, type GroupOptions } from "./group-options.ts";
import { checkSecurity, type SecurityOptions } from "./security.ts";

/** What every driver takes. */
export interface DriverOptions extends SecurityOptions, GroupOptions {
  /** `host:port`, at least one. */
  readonly brokers: readonly string[] | string;
  /** How brokers and their logs name this client. Default: `waybill`. */
  readonly clientId?: string | undefined;
  /** How long a client may take to reach a broker, in milliseconds. Default: 10,000. */
  readonly connectTimeoutMs?: number | undefined;
  /** How long a record may stay unconfirmed before it is reported as unknown, in milliseconds. Default: 60,000. */
  readonly deliveryTimeoutMs?: number | undefined;
}

/** The brokers one by one. A string may name several, with commas between. */
export function brokerList({ brokers }: DriverOptions): string[] {
  const list = typeof brokers === "string" ? brokers.split(",") : [...(brokers ?? [])];
  return list.map((each) => each.trim()).filter(Boolean);
}

/** Throws `invalid-option` for what cannot work, naming the option and what it wants. */
export function checkDriverOptions(options: DriverOptions): void {
  if (brokerList(options).length === 0) {
    throw new EventError("invalid-option", "brokers: at least one host:port is needed");
  }
  for (const name of ["connectTimeoutMs", "deliveryTimeoutMs"] as const) checkMs(name, options[name], 1);
  checkSecurity(options);
  checkGroup(options);
}

/** Throws `invalid-option` for a number of milliseconds below `least`. */
export function checkMs(name: string, value: number | undefined, least: number): void {
  if (value === undefined || (Number.isFinite(value) && value >= least)) return;
  throw new EventError("invalid-option", `${name}: a number of milliseconds, at least ${least}, not ${String(value)}`);
}
