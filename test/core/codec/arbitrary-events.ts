// Events with every attribute there is and any legal value, for each format, and what arrives of them.
import fc from "fast-check";
import {
  type CloudEvent,
  type Codec,
  cloudEventsBinary,
  cloudEventsStructured,
  createEvent,
  type EventInit,
  envelope,
} from "waybill";

const unit = fc.oneof(
  fc.constantFrom(..."%\"\\ a€😀'+/=;,{}<>|^`~"),
  fc.integer({ min: 0x20, max: 0x10ffff }).map((n) => String.fromCodePoint(n)),
);
const legal = fc
  .array(unit, { maxLength: 8 })
  .map((characters) => characters.join("").replace(/[\p{Cc}\p{Cs}\p{NChar}]/gu, ""));
const text = legal.map((value) => value || "%");

const word = fc.stringMatching(/^[A-Za-z0-9.!#$&^_-]{1,8}$/);
const parameters = fc.constantFrom("", ";charset=utf-8", '; charset="UTF-8"', " ; a=b; c=100%", ";q=%20");
const mediaType = (base: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.tuple(base, parameters).map((p) => p.join(""));
const jsonTypes = mediaType(
  fc.oneof(
    fc.constantFrom("application/json", "Application/JSON", "text/json"),
    fc.tuple(word, word).map(([a, b]) => `${a}/${b}+json`),
  ),
);
const textTypes = mediaType(fc.constantFrom("text/plain", "TEXT/html", "text/csv"));
const otherTypes = mediaType(
  fc.constantFrom("application/xml", "image/png", "application/jsonl", "json", "x", "a/b/c"),
);
/** Beyond what a media type may be; HTTP cannot carry them, for they are no legal header. */
const oddTypes = fc.tuple(text, fc.constantFrom("€/x", "/é;😀", ";%41")).map((parts) => `z${parts.join("")}z`);

// A member named __proto__ is refused on arrival, by every format.
const key = fc.string({ unit: "grapheme", maxLength: 6 }).filter((name) => name !== "__proto__");
const json = fc
  .oneof(fc.jsonValue({ maxDepth: 3, stringUnit: "grapheme" }), fc.dictionary(key, fc.string({ unit: "grapheme" })))
  .filter((value) => !JSON.stringify(value).includes("__proto__"))
  .map((value): unknown => JSON.parse(JSON.stringify(value))); // JSON writes -0 as 0
const bytes = fc.uint8Array({ maxLength: 64 });
const string = fc.string({ unit: "grapheme", maxLength: 16 });

const extensionName = fc
  .string({ unit: fc.constantFrom(..."az09"), minLength: 1, maxLength: 20 })
  .filter((name) => name !== "timestamp");
const extensions = fc.dictionary(extensionName, fc.oneof(legal, fc.boolean(), fc.integer()), { maxKeys: 5 });

/** Any attributes with this data. */
function events(payload: fc.Arbitrary<Partial<EventInit>>): fc.Arbitrary<CloudEvent> {
  const time = fc.constantFrom("2026-01-02T03:04:05.123456789+01:00", "1970-01-01t00:00:00z", "2026-01-02T03:04:05Z");
  const attributes = fc.record(
    { id: text, source: text, type: text, time, subject: text, dataschema: text, extensions },
    { requiredKeys: ["id", "source", "type", "time", "extensions"] },
  );
  return fc.tuple(attributes, payload).map(([given, data]) => createEvent({ ...given, ...data }));
}

/** An event with its extensions as a plain record, to be compared. */
export function plain({ extensions, ...event }: CloudEvent): object {
  return { ...event, extensions: { ...extensions } };
}
const asText = ({ extensions, ...event }: CloudEvent): object => ({
  ...event,
  extensions: Object.fromEntries(Object.entries(extensions).map(([name, value]) => [name, String(value)])),
});

/** A format, what it can carry, and what arrives. */
export interface Format {
  readonly codec: Codec;
  /** `legalTypes`: the media types are legal headers, as HTTP demands. */
  events(legalTypes?: boolean): fc.Arbitrary<CloudEvent>;
  arrives(event: CloudEvent): object;
}

const typed = (data: fc.Arbitrary<unknown>, datacontenttype: fc.Arbitrary<string>): fc.Arbitrary<Partial<EventInit>> =>
  fc.record({ data, datacontenttype });
const bare: fc.Arbitrary<Partial<EventInit>> = fc.constant({});

/** Everything, but the type of extensions, of text and of data without a media type. */
const binary: Format = {
  codec: cloudEventsBinary(),
  events(legalTypes = false) {
    const others = legalTypes ? otherTypes : fc.oneof(otherTypes, oddTypes);
    return events(
      fc.oneof(
        bare,
        fc.record({ data: json }),
        fc.record({ data: bytes }),
        typed(json, jsonTypes),
        typed(fc.constant(undefined), jsonTypes),
        typed(string, fc.oneof(textTypes, others)),
        typed(bytes, others),
      ),
    );
  },
  arrives(event) {
    const { data, datacontenttype } = event;
    const expected: Record<string, unknown> = { ...asText(event) };
    // What has no media type gets the one that it is written in.
    if (datacontenttype === undefined && data !== undefined) {
      expected.datacontenttype = data instanceof Uint8Array ? "application/octet-stream" : "application/json";
    }
    // Text of a type that does not say text arrives as its bytes.
    const kept = datacontenttype === undefined || /^text\/|[/+]json *(;|$)/i.test(datacontenttype);
    if (typeof data === "string" && !kept) expected.data = new TextEncoder().encode(data);
    return expected;
  },
};

/** Everything, with the types of extensions and of all data. */
const structured: Format = {
  codec: cloudEventsStructured(),
  events: () =>
    events(
      fc.oneof(
        bare,
        fc.record({ data: json }),
        fc.record({ data: bytes }),
        typed(json, jsonTypes),
        typed(bytes, fc.oneof(jsonTypes, textTypes, otherTypes, oddTypes)),
        typed(string, fc.oneof(textTypes, otherTypes, oddTypes)),
        typed(fc.constant(undefined), fc.oneof(jsonTypes, textTypes, otherTypes, oddTypes)),
      ),
    ),
  arrives: plain,
};

const object = fc.dictionary(key, json);
/** Everything, with an object as data. */
const enveloped: Format = {
  codec: envelope(),
  events: () =>
    events(
      fc.oneof(fc.record({ data: object }), typed(object, fc.oneof(jsonTypes, oddTypes))) as fc.Arbitrary<
        Partial<EventInit>
      >,
    ),
  arrives: plain,
};

export const formats = { binary, structured, envelope: enveloped } satisfies Record<string, Format>;
