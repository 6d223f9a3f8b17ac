import type { SpanContext } from "@opentelemetry/api";
import type { CloudEvent } from "../event.ts";
import type { HeaderBinding } from "../transport.ts";

/** How events are written. Reading needs no choice: it looks at the message. */
export interface Codec {
  /** For people, such as `cloudevents-binary`; messages do not carry it. */
  readonly name: string;
  /**
   * Appends the event's headers to `headers` (name, value, name, value) and returns the body.
   *
   * @param span The span of this hop, for formats that name it in the body.
   */
  encode(
    event: CloudEvent,
    binding: HeaderBinding,
    headers: (string | Uint8Array)[],
    span: SpanContext | undefined,
  ): string | Uint8Array | null;
}

/** Whether a media type means JSON: `…/json` or `…+json`, parameters aside; an absent one does. */
export function isJson(contentType: string | undefined): boolean {
  return contentType === undefined || /^[^;]*[/+]json\s*(;|$)/i.test(contentType);
}
