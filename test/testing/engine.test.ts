import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { NatsEngine, type NatsEngineOptions, type NatsSession } from "../../testing/index.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

interface Client {
  readonly session: NatsSession;
  send(text: string): void;
  /** Everything written since the last call. */
  output(): string;
  readonly state: { closed: boolean };
}

function clientOf(engine: NatsEngine): Client {
  let written: Uint8Array[] = [];
  const state = { closed: false };
  const session = engine.connect({
    write: (part) => void written.push(part.slice()),
    close() {
      state.closed = true;
    },
  });
  return {
    session,
    state,
    send: (text) => session.feed(encoder.encode(text)),
    output() {
      const text = written.map((part) => decoder.decode(part)).join("");
      written = [];
      return text;
    },
  };
}

function connected(engine: NatsEngine, connect = '{"headers":true,"no_responders":true}'): Client {
  const client = clientOf(engine);
  client.send(`CONNECT ${connect}\r\n`);
  client.output();
  return client;
}

const SCRIPT = [
  'CONNECT {"headers":true,"no_responders":true,"verbose":false}\r\nPING\r\n',
  "SUB a.* 1\r\nSUB a.> g 2\r\nUNSUB 1 2\r\n",
  "PUB a.b 5\r\nh\r\nlo\r\n",
  "HPUB a.c reply 18 20\r\nNATS/1.0\r\nk: v\r\n\r\nxy\r\n",
  "pub a.d 0\r\n\r\n",
  "SUB inbox 3\r\nPUB nobody inbox 1\r\nx\r\nPONG\r\nPING\r\n",
].join("");

/** What a fresh engine answers when the script arrives in these pieces. */
function answer(cuts: readonly number[]): string {
  const client = clientOf(new NatsEngine());
  client.output();
  const bytes = encoder.encode(SCRIPT);
  const ends = [...new Set(cuts)].sort((a, b) => a - b);
  let at = 0;
  for (const end of [...ends, bytes.length]) {
    client.session.feed(bytes.slice(at, end));
    at = end;
  }
  return client.output();
}

describe("NatsEngine", () => {
  const whole = answer([]);

  test("speaks the protocol byte for byte", () => {
    expect(whole).toBe(
      [
        "PONG\r\n",
        "MSG a.b 1 5\r\nh\r\nlo\r\nMSG a.b 2 5\r\nh\r\nlo\r\n",
        "HMSG a.c 1 reply 18 20\r\nNATS/1.0\r\nk: v\r\n\r\nxy\r\nHMSG a.c 2 reply 18 20\r\nNATS/1.0\r\nk: v\r\n\r\nxy\r\n",
        "MSG a.d 2 0\r\n\r\n",
        "HMSG inbox 3 16 16\r\nNATS/1.0 503\r\n\r\n\r\n",
        "PONG\r\n",
      ].join(""),
    );
  });

  test("answers the same wherever the input is cut", () => {
    for (let cut = 1; cut < SCRIPT.length; cut++) expect(answer([cut])).toBe(whole);
    expect(answer(Array.from({ length: SCRIPT.length - 1 }, (_, n) => n + 1))).toBe(whole);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: SCRIPT.length - 1 })), (cuts) => answer(cuts) === whole),
      { numRuns: 300 },
    );
  });

  test("greets with what clients need to know", () => {
    const client = clientOf(new NatsEngine({ maxPayloadBytes: 99, token: "t" }));
    const [, info] = /^INFO (.*)\r\n$/.exec(client.output())!;
    expect(JSON.parse(info!)).toMatchObject({ headers: true, max_payload: 99, proto: 1, auth_required: true });
  });

  test.each<[string, string, string]>([
    ["an unknown operation", "JUMP\r\n", "-ERR 'Unknown Protocol Operation'\r\n"],
    ["a size that is no number", "PUB a x\r\n", "-ERR 'Parser Error'\r\n"],
    ["a CONNECT that is no object", "CONNECT null\r\n", "-ERR 'Parser Error'\r\n"],
    ["headers longer than the message", "HPUB a 9 8\r\n", "-ERR 'Parser Error'\r\n"],
    ["a payload without its line end", "PUB a 1\r\nxyz", "-ERR 'Unknown Protocol Operation'\r\n"],
    ["more than the maximum payload", "PUB a 11\r\n", "-ERR 'Maximum Payload Violation'\r\n"],
    ["a line without an end", "x".repeat(70_000), "-ERR 'Maximum Control Line Exceeded'\r\n"],
  ])("ends the session for %s", (_, input, error) => {
    const client = connected(new NatsEngine({ maxPayloadBytes: 10 }));
    client.send(input);
    expect(client.output()).toBe(error);
    expect(client.state.closed).toBe(true);
    client.send("PING\r\n");
    expect(client.output()).toBe("");
  });

  test.each<[string, string]>([
    ["PUB a.* 0\r\n\r\n", "-ERR 'Invalid Publish Subject'\r\n"],
    ["PUB a..b 0\r\n\r\n", "-ERR 'Invalid Publish Subject'\r\n"],
    ["SUB a..b 1\r\n", "-ERR 'Invalid Subject'\r\n"],
    ["SUB >.a 1\r\n", "-ERR 'Invalid Subject'\r\n"],
  ])("goes on after %j", (input, error) => {
    const client = connected(new NatsEngine());
    client.send(`${input}PING\r\n`);
    expect(client.output()).toBe(`${error}PONG\r\n`);
  });

  test.each<[string, NatsEngineOptions, string, boolean]>([
    ["the right token", { token: "t" }, '{"auth_token":"t"}', true],
    ["a wrong token", { token: "t" }, '{"auth_token":"x"}', false],
    ["the right password", { user: "u", pass: "p" }, '{"user":"u","pass":"p"}', true],
    ["a wrong password", { user: "u", pass: "p" }, '{"user":"u","pass":"x"}', false],
    ["no credentials", { token: "t" }, "{}", false],
  ])("judges %s", (_, options, connect, admitted) => {
    const client = clientOf(new NatsEngine(options));
    client.output();
    client.send(`CONNECT ${connect}\r\nPING\r\n`);
    expect(client.output()).toBe(admitted ? "PONG\r\n" : "-ERR 'Authorization Violation'\r\n");
    expect(client.state.closed).toBe(!admitted);
  });

  test("refuses forbidden subjects and says which", () => {
    const client = connected(new NatsEngine({ permissions: { denyPublish: ["no.>"], denySubscribe: ["no.*"] } }));
    client.send("PUB no.a 0\r\n\r\nSUB no.b 1\r\nSUB no.c g 2\r\nPING\r\n");
    expect(client.output()).toBe(
      [
        `-ERR 'Permissions Violation for Publish to "no.a"'`,
        `-ERR 'Permissions Violation for Subscription to "no.b"'`,
        `-ERR 'Permissions Violation for Subscription to "no.c" using queue "g"'`,
        "PONG\r\n",
      ].join("\r\n"),
    );
  });

  test("keeps a client's own messages from it when it asks so", () => {
    const engine = new NatsEngine();
    const quiet = connected(engine, '{"echo":false}');
    const other = connected(engine, "{}");
    for (const client of [quiet, other]) client.send("SUB a 1\r\nSUB a g 2\r\n");
    quiet.send("PUB a 1\r\nx\r\n");
    expect(quiet.output()).toBe("");
    expect(other.output()).toBe("MSG a 1 1\r\nx\r\nMSG a 2 1\r\nx\r\n");
  });

  test("confirms every operation to a verbose client", () => {
    const client = connected(new NatsEngine(), '{"verbose":true}');
    client.send("SUB a 1\r\nUNSUB 1\r\nPUB a 1\r\nx\r\n");
    expect(client.output()).toBe("+OK\r\n+OK\r\n+OK\r\n");
  });

  test("knows its clients and what they are subscribed to", () => {
    const engine = new NatsEngine();
    const [one, two] = [connected(engine), connected(engine)];
    one.send("SUB a.* 1\r\nSUB b g 2\r\nUNSUB 1\r\n");
    two.send("SUB c 1\r\n");
    expect(engine.connections).toBe(2);
    expect(engine.subscriptions).toEqual([
      { subject: "b", queue: "g" },
      { subject: "c", queue: "" },
    ]);
    one.session.close();
    expect([engine.connections, engine.subscriptions]).toEqual([1, [{ subject: "c", queue: "" }]]);
  });

  test("publishes what comes from no client", () => {
    const engine = new NatsEngine();
    const client = connected(engine);
    client.send('CONNECT {"echo":false,"headers":true}\r\nSUB a 1\r\nSUB a g 2\r\n');
    expect(engine.publish("a", "hi", { headers: { k: ["v", "w"] }, reply: "r" })).toBe(2);
    const head = "NATS/1.0\r\nk: v\r\nk: w\r\n\r\n";
    const message = (sid: number): string => `HMSG a ${sid} r ${head.length} ${head.length + 2}\r\n${head}hi\r\n`;
    expect(client.output()).toBe(message(1) + message(2));
    expect(engine.publish("a")).toBe(2);
    expect(client.output()).toBe("MSG a 1 0\r\n\r\nMSG a 2 0\r\n\r\n");
    expect(engine.publish("b", "nobody listens", { reply: "r" })).toBe(0);
  });

  test.each<[string, Parameters<NatsEngine["publish"]>, string]>([
    ["a wildcard", ["a.*"], "invalid-destination"],
    ["a reply that is no subject", ["a", "", { reply: "b c" }], "invalid-destination"],
    ["a line break in a header", ["a", "", { headers: { k: "v\r\nx: y" } }], "invalid-header"],
    ["a header's name with a colon", ["a", "", { headers: { "k:": "v" } }], "invalid-header"],
    ["more than the maximum payload", ["a", "x".repeat(11)], "too-large"],
  ])("does not publish %s", (_, args, code) => {
    const engine = new NatsEngine({ maxPayloadBytes: 10 });
    expect(() => engine.publish(...args)).toThrow(expect.objectContaining({ code }));
  });

  test("throws for no input at all, and is silent once it has sent a client away", () => {
    const operations = [
      "CONNECT {}\r\n",
      "CONNECT ",
      "null",
      "PUB a 3\r\n",
      "HPUB a 1 ",
      "SUB ",
      "UNSUB 1 ",
      "PING",
      "a b",
      "-1",
    ];
    const word = fc.oneof(
      fc.constantFrom(...operations, "\r\n", "\n", "\r", " ", "\t", "\0"),
      fc.string({ unit: "binary" }),
    );
    const piece = fc.oneof(
      word.map((text) => encoder.encode(text)),
      fc.uint8Array({ maxLength: 40 }),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
        const client = clientOf(new NatsEngine());
        for (const bytes of pieces) client.session.feed(bytes);
        if (!client.state.closed) return;
        expect(client.output()).toMatch(/-ERR '[^\r]*'\r\n$/);
        client.send("PING\r\n");
        expect(client.output()).toBe("");
      }),
      { numRuns: 2_000 },
    );
  });
});
