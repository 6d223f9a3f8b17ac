import { optionalAttributes } from "../event.ts";
import type { HeaderBinding } from "../transport.ts";

/**
 * What is read from headers, in the order in which its values are kept. The last is the transport's own Content-Type: in
 * capitals, since it is no attribute's name.
 */
const places: readonly string[] = ["specversion", "id", "source", "type", ...optionalAttributes, "Content-Type"];
export const placeCount: number = places.length;
export const contentTypePlace: number = placeCount - 1;

/** What a header carries: the value of an attribute, by its place, or the extension of this name. */
export type Meaning = number | string;

/** What the names of headers mean in one binding. */
export interface HeaderMeanings {
  /** The header that every binary-mode message has. */
  readonly marker: string;
  /** Undefined for a header that is none of the event's. */
  of(header: string): Meaning | undefined;
}

// Names come from the network, and bindings with them: what is remembered stays bounded.
const maxKnown = 500;
const known = /* @__PURE__ */ new Map<HeaderBinding, HeaderMeanings>();

/** Names are taken apart once, since they are the same in most messages. */
export function meaningsIn(binding: HeaderBinding): HeaderMeanings {
  const found = known.get(binding);
  if (found) return found;
  if (known.size >= maxKnown) known.clear();
  const made = createMeanings(binding);
  known.set(binding, made);
  return made;
}

function createMeanings(binding: HeaderBinding): HeaderMeanings {
  const { prefix } = binding;
  const meanings = new Map<string, Meaning | undefined>();
  return {
    marker: `${prefix}specversion`,
    of(header) {
      const found = meanings.get(header);
      if (found !== undefined || meanings.has(header)) return found;
      if (meanings.size >= maxKnown) meanings.clear();
      const meaning = meaningOf(header.toLowerCase(), binding);
      meanings.set(header, meaning);
      return meaning;
    },
  };
}

function meaningOf(header: string, { prefix, contentType }: HeaderBinding): Meaning | undefined {
  // Where the media type has a header with the prefix, it is an attribute like any other.
  if (!header.startsWith(prefix)) return header === contentType ? contentTypePlace : undefined;
  const name = header.slice(prefix.length);
  const place = places.indexOf(name);
  return place < 0 ? name : place;
}
