import type { Control } from "./control.ts";

const bus = "test/core/bus.test.ts";
const batches = "test/core/batches.test.ts";

/** The guards of the bus: what it refuses, what it believes, what it promises of a call. */
export const busControls: readonly Control[] = [
  {
    id: "bus.validate-before-publish",
    guard: "data that does not fit its schema is not sent",
    file: "core/publisher.ts",
    from: "const valid = plan.definition && validate(plan.definition.schema, data, type);",
    to: "const valid = undefined as Promise<unknown> | undefined;",
    tests: [bus],
  },
  {
    id: "bus.validate-on-arrival",
    guard: "data that does not fit its schema reaches no handler",
    file: "core/receiver.ts",
    from: "if (options.validate ?? true) {",
    to: "if (false as boolean) {",
    tests: [bus],
  },
  {
    id: "bus.trust",
    guard: "a sender who is not trusted gives neither trace nor baggage",
    file: "core/receiver.ts",
    from: 'const context = trust === "continue" ? sent : ROOT_CONTEXT;',
    to: "const context = sent;",
    tests: [bus],
  },
  {
    id: "bus.trust-batches",
    guard: "a sender who is not trusted gives neither trace nor baggage to a batch",
    file: "core/batch-receiver.ts",
    from: 'let own = trust === "continue" ? sent[i]! : context;',
    to: "let own = sent[i]!;",
    tests: [batches],
  },
  {
    id: "bus.destinations",
    guard: "a destination with a wildcard or a command in it is refused",
    file: "core/outgoing.ts",
    from: "      checkDestination(destination);\n",
    to: "",
    tests: [bus],
  },
  {
    id: "bus.reserved-headers",
    guard: "a header that belongs to Waybill, CloudEvents, W3C or NATS is refused",
    file: "core/outgoing.ts",
    from: "if (reserved.test(name)) throw",
    to: "if (false as boolean) throw",
    tests: [bus],
  },
  {
    id: "bus.header-values",
    guard: "a header value that would forge another header is refused",
    file: "core/outgoing.ts",
    from: "if (!token.test(name) || /[\\r\\n\\0]/.test(options.headers[name]!)) {",
    to: "if (!token.test(name)) {",
    tests: [bus],
  },
  {
    id: "bus.size",
    guard: "an event over the limit is refused before it is sent",
    file: "core/outgoing.ts",
    from: "checkSize(body, headers, limits);\n      const",
    to: "const",
    tests: [bus],
  },
  {
    id: "bus.one-handler",
    guard: "two handlers of a group do not take the same type",
    file: "core/dispatch.ts",
    from: "const rival = registrations.rivalOf(registration.pattern);",
    to: "const rival = undefined as Registration | undefined;",
    tests: [bus],
  },
  {
    id: "bus.closed",
    guard: "nothing is accepted after close",
    file: "core/publisher.ts",
    from: "    try {\n      env.checkOpen();",
    to: "    try {",
    tests: ["test/core/delivery/taking.test.ts"],
  },
  {
    id: "bus.error-detail",
    guard: "a failed responder answers with its code and nothing else",
    file: "core/requests.ts",
    from: 'function problem({ code }: EventError): Record<string, unknown> {\n  return { type: "about:blank", title: "The responder failed",',
    to: 'function problem({ code, message }: EventError): Record<string, unknown> {\n  return { type: "about:blank", title: message,',
    tests: [bus],
  },
  {
    id: "bus.unreadable-settled",
    guard: "a message that cannot be read is settled and not repeated",
    file: "core/reception.ts",
    from: 'const again = failure.retryable || failure.code === "closed" || failure.code === "aborted";',
    to: "const again = true;",
    tests: [bus],
  },
];
