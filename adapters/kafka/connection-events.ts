import { EventError } from "../../core/errors.ts";
import type { DemandContext } from "./demand-context.ts";
import type { ConnectionEvents } from "./driver.ts";

/** Tells the transport's status what becomes of `client`'s connection. `failed` also learns of what failed for good. */
export function connectionEvents(
  { status }: DemandContext,
  client: object,
  failed: (error: EventError) => void = () => undefined,
): ConnectionEvents {
  return {
    connected: () => status.connected(client),
    disconnected: (error) => status.disconnected(client, error),
    failed(error) {
      status.error(error);
      failed(error);
    },
  };
}

/** The error of a method that the driver has not. */
export function unsupported({ settings }: DemandContext, method: string): EventError {
  return new EventError("unsupported", `The Kafka driver "${settings.driver.name}" cannot do what ${method} needs`);
}
