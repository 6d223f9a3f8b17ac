/** Every way in which Waybill fails, as a closed list. Each has a section of its own in `docs/errors.md`. */
export type EventErrorCode =
  | "aborted"
  | "buffer-expired"
  | "buffer-full"
  | "closed"
  | "configuration-mismatch"
  | "denied"
  | "duplicate-handler"
  | "fenced"
  | "handler-failed"
  | "hop-limit"
  | "invalid-data"
  | "invalid-destination"
  | "invalid-event"
  | "invalid-header"
  | "invalid-option"
  | "malformed-message"
  | "no-responders"
  | "no-route"
  | "peer-missing"
  | "remote-error"
  | "reserved-header"
  | "schema-async"
  | "timeout"
  | "too-large"
  | "transport-failed"
  | "unauthorized"
  | "unknown-type"
  | "unreachable"
  | "unsupported";

/** What may go with an {@link EventError}. */
export interface EventErrorOptions {
  /** The error underneath, kept as it was. */
  cause?: unknown;
  /** Whether the same call may succeed later. Default: false. */
  retryable?: boolean;
  /** Of a rejected publish: `failed` is certainly not stored, `unknown` may be. */
  outcome?: "failed" | "unknown" | undefined;
  /** Of a rejected publish: whether sending it again cannot store it twice. */
  retrySafe?: boolean | undefined;
}

const brand: unique symbol = Symbol.for("waybill.EventError") as never;

/**
 * The one error of Waybill. Branch on `code`, never on the message.
 *
 * `instanceof` works across several copies of the package in one process.
 *
 * @example
 * ```ts
 * import { createEventBus, EventError } from "waybill";
 * import { memoryTransport } from "waybill/memory";
 *
 * const bus = createEventBus({ source: "/shop", transports: { memory: memoryTransport() } });
 * try {
 *   await bus.publish("order.placed", { orderId: "o-1" }, { destination: "a..b" });
 * } catch (error) {
 *   if (error instanceof EventError && error.code === "invalid-destination") console.log(error.docs);
 * }
 * ```
 */
export class EventError extends Error {
  /** The same for every code. */
  override readonly name: string = "EventError";
  /** What went wrong, from the closed list {@link EventErrorCode}. */
  readonly code: EventErrorCode;
  /** Whether the same call may succeed later. */
  readonly retryable: boolean;
  /** Of a rejected publish: `failed` is certainly not stored, `unknown` may be. */
  readonly outcome: "failed" | "unknown" | undefined;
  /** Of a rejected publish: whether sending it again cannot store it twice. */
  readonly retrySafe: boolean | undefined;

  constructor(code: EventErrorCode, message: string, options: EventErrorOptions = {}) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.retryable = options.retryable ?? false;
    this.outcome = options.outcome;
    this.retrySafe = options.retrySafe;
    Object.defineProperty(this, brand, { value: true });
  }

  /** Where this code is explained, relative to the installed package. */
  get docs(): string {
    return `waybill/docs/errors.md#${this.code}`;
  }

  /** True for errors of every copy of the package. Subclasses are not told apart. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === "object" && value !== null && brand in value;
  }

  /** Returns an EventError as it is and wraps anything else, with `code` and the original as `cause`. */
  static from(reason: unknown, code: EventErrorCode = "transport-failed", retryable = false): EventError {
    let given: unknown;
    try {
      if (reason instanceof EventError) return reason;
      given = reason instanceof Error ? reason.message : reason;
    } catch {
      // What throws when it is looked at is kept from whoever would look at a cause.
      reason = code;
    }
    // An object need not have a text: one without prototype throws when it is asked for it.
    return new EventError(code, typeof given === "string" ? given : code, { cause: reason, retryable });
  }
}
