import { EventError } from "./errors.ts";
import { type CloudEvent, checkOptional } from "./event.ts";
import type { Router } from "./routing.ts";
import type { Upcaster } from "./upcasters.ts";

/** Knows the older versions of a catalog's types. */
export interface Versions {
  /** The current type of events that were published under `type`: mostly itself. */
  typeOf(type: string): string;
  /** The event as it would be published now; the very same when it is current, or of no known version. */
  lift(event: CloudEvent): CloudEvent;
}

/** An older version with the ones that follow it. */
interface Version {
  readonly type: string;
  readonly steps: readonly Upcaster[];
}

/** What tells a version; without a `dataschema` the type alone does. */
function mark(type: string, dataschema?: string | null): string {
  return dataschema === undefined ? type : `${type}\n${dataschema ?? ""}`;
}

/** Reads the upcasters of a catalog; throws `invalid-option` when one cannot be told from a type or another version. */
export function createVersions(router: Router): Versions {
  const versions = new Map<string, Version>();
  const types = new Map<string, string>();

  for (const type of router.types() ?? []) {
    const { upcast = [], dataschema } = router.definition(type)!;
    checkOptional({ dataschema }, "invalid-option");
    for (const [i, step] of upcast.entries()) {
      const old = step.type ?? type;
      const by = mark(old, step.dataschema);
      const rival = old !== type && router.definition(old) ? old : types.get(old);
      if (rival !== undefined && rival !== type) {
        throw new EventError(
          "invalid-option",
          `"${type}" has an older version "${old}", which "${rival}" is or has too`,
        );
      }
      if (versions.has(by) || by === type || by === mark(type, dataschema ?? null)) {
        throw new EventError("invalid-option", `an older version of "${type}" is told like another or the current one`);
      }
      types.set(old, type);
      versions.set(by, { type, steps: upcast.slice(i) });
    }
  }

  return {
    typeOf: (type) => types.get(type) ?? type,
    lift(event) {
      if (!types.has(event.type)) return event;
      const version = versions.get(mark(event.type, event.dataschema ?? null)) ?? versions.get(event.type);
      if (!version) return event;
      const { type, steps } = version;
      let { data } = event;
      try {
        for (const { up } of steps) data = up(data, event);
      } catch (cause) {
        throw new EventError(
          "invalid-data",
          `event ${event.id} of type "${event.type}" could not be lifted to "${type}"`,
          {
            cause,
          },
        );
      }
      const { dataschema } = router.definition(type)!;
      const { dataschema: _, ...rest } = event;
      return Object.freeze({ ...rest, ...(dataschema === undefined ? {} : { dataschema }), type, data });
    },
  };
}
