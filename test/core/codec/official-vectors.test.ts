import { describe, expect, test } from "vitest";
import { cloudEventsBinary, cloudEventsStructured, createEvent } from "waybill";
import { decode, encode, type Pair, record, roundTrip, type Wire, wires } from "./wire.ts";

const attributes = {
  id: "1234-1234-1234",
  type: "com.example.someevent",
  source: "/mycontext/subcontext",
  time: "2018-04-05T03:56:24Z",
};
const message = { message: "Hello World!" };
const structuredTypes = ["application/cloudevents+json", "application/cloudevents+json; charset=utf-8"];

describe("the features of the CloudEvents conformance repository", () => {
  const headers = (prefix: string): Pair[] => [
    [`${prefix}specversion`, "1.0"],
    ...Object.entries(attributes).map(([name, value]): Pair => [prefix + name, value]),
  ];
  const document = JSON.stringify(
    { specversion: "1.0", ...attributes, datacontenttype: "application/json", data: message },
    null,
    4,
  );

  test.each(["application/json", "application/json; charset=utf-8"])("HTTP, binary: %s", (type) => {
    const read = decode([...headers("ce-"), ["Content-Type", type]], JSON.stringify(message, null, 4), wires.http);
    expect(read).toMatchObject({ ...attributes, datacontenttype: type, data: message });
  });
  test.each(structuredTypes)("HTTP, structured: %s", (type) => {
    const read = decode([["Content-Type", type]], document, wires.http);
    expect(read).toMatchObject({ ...attributes, datacontenttype: "application/json", data: message });
  });
  test("Kafka, binary", () => {
    const type: Pair = ["content-type", "application/json"];
    const read = decode([...headers("ce_"), type], JSON.stringify(message), wires.kafka);
    expect(read).toMatchObject({ ...attributes, datacontenttype: "application/json", data: message });
  });
  test.each(structuredTypes)("Kafka, structured: %s", (type) => {
    const read = decode([["content-type", type]], document, wires.kafka);
    expect(read).toMatchObject({ ...attributes, datacontenttype: "application/json", data: message });
  });
});

describe.each(Object.entries<Wire>(wires))("the conformance repository's minimum events over %s", (_, wire) => {
  const utf8 = new TextEncoder();
  // The data as the bytes that they give, and what it is for a handler: in binary mode, and in structured.
  test.each<[id: string, type: string, body: string, data: unknown, binary?: unknown]>([
    ["conformance-0001", "text/plain; charset=us-ascii", "Hello, World!\n", "Hello, World!\n"],
    ["conformance-0002", "text/plain; charset=utf-8", "Hello, 🌎!\n", "Hello, 🌎!\n"],
    ["conformance-0003", "application/json; charset=utf-8", '"Hello, 🌎!"\n', "Hello, 🌎!"],
    ["conformance-0004", "application/json; charset=utf-8", '{"msg":"Hello, 🌎!"}\n', { msg: "Hello, 🌎!" }],
    ["conformance-0005", "application/json; charset=utf-8", '["Hello","🌎!"]\n', ["Hello", "🌎!"]],
    [
      "conformance-0006",
      "application/xml; charset=utf-8",
      "<msg>Hello, 🌎!</msg>\n",
      "<msg>Hello, 🌎!</msg>\n",
      utf8.encode("<msg>Hello, 🌎!</msg>\n"),
    ],
  ])("%s: %s", (id, datacontenttype, body, data, binary = data) => {
    const source = "//github.com/cloudevents/cloudeventsconformance/yaml/v1.yaml";
    const event = createEvent({ id, type: "io.cloudevents.minimum", source, datacontenttype, data });
    const { time: _, ...minimum } = event;
    const { prefix, contentType } = wire.binding;
    const written = encode(cloudEventsBinary(), minimum, wire.binding);
    expect(record(written.headers)).toEqual({
      [`${prefix}specversion`]: "1.0",
      [`${prefix}type`]: "io.cloudevents.minimum",
      [`${prefix}id`]: id,
      [`${prefix}source`]: source,
      [contentType]: contentType === "content-type" ? datacontenttype : datacontenttype.replace(" ", "%20"),
    });
    expect(decode(written.headers, body, wire)).toEqual({ ...minimum, data: binary });
    expect(roundTrip(cloudEventsBinary(), minimum, wire)).toEqual({ ...minimum, data: binary });
    expect(roundTrip(cloudEventsStructured(), minimum, wire)).toEqual(minimum);
  });
});

describe("the examples of the JSON format, with their re-encoding for HTTP", () => {
  const common = {
    specversion: "1.0",
    type: "com.example.someevent",
    source: "/mycontext",
    time: "2018-04-05T17:31:00Z",
    comexampleextension1: "value",
    comexampleothervalue: 5,
  };
  const thrift = new Uint8Array([0x82, 0x21, 0, 255]);
  const json = "application/json";

  test.each<[id: string, members: object, contentType: string, body: string | Uint8Array]>([
    [
      "A234-1234-1234",
      { datacontenttype: "application/vnd.apache.thrift.binary", data_base64: "giEA/w==" },
      "application/vnd.apache.thrift.binary",
      thrift,
    ],
    [
      "B234-1234-1234",
      { unsetextension: null, datacontenttype: "application/xml", data: '<much wow="xml"/>' },
      "application/xml",
      '<much wow="xml"/>',
    ],
    [
      "C234-1234-1234",
      { subject: null, datacontenttype: json, data: { appinfoA: "abc", appinfoB: 123, appinfoC: true } },
      json,
      '{"appinfoA":"abc","appinfoB":123,"appinfoC":true}',
    ],
    ["C234-1234-1234", { subject: null, datacontenttype: json, data: 1.5 }, json, "1.5"],
    ["D234-1234-1234", { subject: null, data: "I'm just a string" }, json, `"I'm just a string"`],
  ])("%s with %j", (id, members, contentType, body) => {
    const document = JSON.stringify({ ...common, id, ...members });
    const event = decode([["Content-Type", "application/cloudevents+json"]], document, wires.http);
    expect(event.extensions).toMatchObject({ comexampleextension1: "value", comexampleothervalue: 5 });
    const http = encode(cloudEventsBinary(), event, wires.http.binding);
    const { specversion, type, source, time } = common;
    const named = { specversion, type, source, id, time, comexampleextension1: "value", comexampleothervalue: "5" };
    expect(record(http.headers)).toEqual({
      ...Object.fromEntries(Object.entries(named).map(([name, value]) => [`ce-${name}`, value])),
      "content-type": contentType,
    });
    expect(http.body).toEqual(body);
    // And back: what was written as null is left out.
    const back = JSON.parse(encode(cloudEventsStructured(), event, wires.http.binding).body as string);
    const present = Object.fromEntries(Object.entries(members).filter(([, value]) => value !== null));
    expect(back).toEqual({ ...common, id, ...present });
  });

  test("D234-1234-1234 with base64 and no media type", () => {
    const members = { specversion: "1.0", type: "com.example.someevent", source: "/mycontext", id: "D234-1234-1234" };
    const document = JSON.stringify({ ...members, data_base64: "eyAieHl6IjogMTIzIH0=" });
    const event = decode([["Content-Type", "application/cloudevents+json"]], document, wires.http);
    expect(event.datacontenttype).toBeUndefined();
    const { headers, body } = encode(cloudEventsBinary(), event, wires.http.binding);
    expect(body).toEqual(new TextEncoder().encode('{ "xyz": 123 }'));
    // The format's text sends no Content-Type here. We say that they are bytes, since readers (this one too) take a
    // body without a type for JSON.
    expect(record(headers)["content-type"]).toBe("application/octet-stream");
    expect(JSON.parse(encode(cloudEventsStructured(), event, wires.http.binding).body as string)).toEqual({
      ...members,
      data_base64: "eyAieHl6IjogMTIzIH0=",
    });
  });
});
