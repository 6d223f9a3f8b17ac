import { checkEvent } from "../check-event.ts";
import { EventError } from "../errors.ts";
import { type CloudEvent, type ExtensionValue, optionalAttributes } from "../event.ts";

const names: ReadonlySet<string> = /* @__PURE__ */ new Set(["id", "source", "type", ...optionalAttributes]);

/** Whether an event has this attribute of its own, beside its extensions. */
export function isAttribute(name: string): boolean {
  return names.has(name);
}

/** Throws unless `version` is one of CloudEvents that this reads: 1.0 and what may follow it compatibly. */
export function checkVersion(version: unknown): void {
  if (typeof version === "string" && version.startsWith("1.")) return;
  throw new EventError("malformed-message", `CloudEvents ${JSON.stringify(version)?.slice(0, 64)} is not supported`);
}

/**
 * A record without prototype. V8 keeps one that is made so as it keeps other objects; one of `Object.create(null)` is a
 * table, which costs up to three times as much to fill, to freeze and to look through. In Bun it is the other way round,
 * and less.
 */
export function newExtensions(): Record<string, ExtensionValue> {
  return Object.setPrototypeOf({}, null) as Record<string, ExtensionValue>;
}

/** Checks and freezes what was read from a message. */
export function finishEvent(event: Record<string, unknown>, extensions: Record<string, ExtensionValue>): CloudEvent {
  event.extensions = Object.freeze(extensions);
  checkEvent(event as unknown as CloudEvent, "malformed-message");
  return Object.freeze(event) as unknown as CloudEvent;
}
