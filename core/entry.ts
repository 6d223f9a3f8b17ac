import type { Along } from "./chains.ts";
import type { EventError } from "./errors.ts";
import type { Receipt } from "./options.ts";
import type { Sending } from "./outgoing.ts";
import type { Publisher } from "./publisher.ts";
import { endSpan } from "./telemetry/tracing.ts";
import type { PublishOutcome } from "./transport.ts";

/** An encoded event among others that go together: one object for each, which learns what became of it. */
export abstract class Entry {
  /** Set where the event goes along a fallback chain. */
  along: Along | undefined;
  /** The event as it was encoded for its only transport. */
  only: Sending | undefined;

  /** Learns once what became of the event. */
  abstract settle(result: Receipt | EventError): void;

  /** The event as the transport whose turn it is takes it. */
  get sending(): Sending {
    return (this.only ?? this.along?.sending)!;
  }

  /** Takes the outcome of an attempt; true when `sending` is the next one. */
  done(outcome: PublishOutcome, finish: Publisher["finish"]): boolean {
    const result = this.along ? this.along.done(outcome) : finish(this.only!, outcome);
    if (result) this.settle(result);
    return !result;
  }

  /** Ends an event that is not going to be sent. */
  abandon(error: EventError): void {
    endSpan(this.sending.span, error);
    this.along?.abandon();
    this.settle(error);
  }
}
