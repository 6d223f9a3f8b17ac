import type { HeaderBinding } from "../transport.ts";

/**
 * What is read from headers, with the place where its value is kept. The last is the transport's own Content-Type: in
 * capitals, since it is no attribute's name.
 */
export const place = {
  specversion: 0,
  id: 1,
  source: 2,
  type: 3,
  datacontenttype: 4,
  dataschema: 5,
  subject: 6,
  time: 7,
  "Content-Type": 8,
} as const;
const names = /* @__PURE__ */ Object.keys(place);
export const placeCount: number = names.length;
export const contentTypePlace: number = place["Content-Type"];

/** What a header carries: the value of an attribute, by its place, or the extension of this name. */
export type Meaning = number | string;

/** What the names of headers mean in one binding. */
export interface HeaderMeanings {
  /** The header that every binary-mode message has. */
  readonly marker: string;
  /** Undefined for a header that is none of the event's. `at` is its place in the message. */
  of(header: string, at: number): Meaning | undefined;
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
  // Most messages have the headers of the one before, in its order.
  const lastHeaders: string[] = [];
  const lastMeanings: (Meaning | undefined)[] = [];

  function look(header: string): Meaning | undefined {
    const found = meanings.get(header);
    if (found !== undefined || meanings.has(header)) return found;
    if (meanings.size >= maxKnown) meanings.clear();
    const meaning = meaningOf(header.toLowerCase(), binding);
    meanings.set(header, meaning);
    return meaning;
  }

  return {
    marker: `${prefix}specversion`,
    of(header, at) {
      if (lastHeaders[at] === header) return lastMeanings[at];
      const meaning = look(header);
      if (at < maxKnown) {
        lastHeaders[at] = header;
        lastMeanings[at] = meaning;
      }
      return meaning;
    },
  };
}

function meaningOf(header: string, { prefix, contentType }: HeaderBinding): Meaning | undefined {
  // Where the media type has a header with the prefix, it is an attribute like any other.
  if (!header.startsWith(prefix)) return header === contentType ? contentTypePlace : undefined;
  const name = header.slice(prefix.length);
  const at = names.indexOf(name);
  return at < 0 ? name : at;
}
