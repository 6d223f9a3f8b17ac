import type { EventErrorCode } from "./errors.ts";
import { type CloudEvent, checkOptional, checkText, type Extensions, type ExtensionValue } from "./event.ts";

/** Copies extensions into a record without prototype, so that no name can reach `Object.prototype`. */
export function copyExtensions(...from: (Extensions | undefined)[]): Record<string, ExtensionValue> {
  return Object.assign(Object.create(null), ...from) as Record<string, ExtensionValue>;
}

/** Throws unless every attribute is what CloudEvents 1.0 asks for. */
export function checkEvent(event: CloudEvent, code?: EventErrorCode): void {
  checkText("id", event.id, code);
  checkText("source", event.source, code);
  checkText("type", event.type, code);
  checkOptional(event, code);
}
