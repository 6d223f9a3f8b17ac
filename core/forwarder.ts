import { copyExtensions } from "./check-event.ts";
import type { Environment } from "./environment.ts";
import type { CloudEvent, Extensions } from "./event.ts";
import type { ForwardOptions, Receipt } from "./options.ts";
import type { Publisher } from "./publisher.ts";
import type { Plan } from "./routing.ts";

/** Publishes events that exist already. */
export interface Forwarder {
  forward(event: CloudEvent, options?: ForwardOptions): Promise<Receipt>;
}

/** Makes the forwarder of a bus. */
export function createForwarder({ checkOpen, router }: Environment, send: Publisher["send"]): Forwarder {
  return {
    async forward(event, options = {}) {
      checkOpen();
      const { type, data, extensions, ...attributes } = event;
      const kept = copyExtensions(extensions, options.extensions as Extensions);
      for (const extension in kept) if (kept[extension] === undefined) delete kept[extension];
      const key = options.key ?? (kept.partitionkey === undefined ? undefined : String(kept.partitionkey));
      const given = { ...attributes, key, extensions: kept };
      const name = options.transport;
      let plan: Plan;
      if (name === undefined) plan = router.route(type, data, given);
      else {
        const destination = router.definition(type)?.destination ?? type;
        plan = { type, name, transport: router.transport(name), destination, definition: undefined };
      }
      const { context, copy, signal, timeoutMs } = options;
      const { destination } = options;
      return send(plan, data, { ...given, destination, context, copy, signal, timeoutMs });
    },
  };
}
