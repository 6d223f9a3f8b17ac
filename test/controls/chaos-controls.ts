import type { Control } from "./control.ts";

const poison = "test/chaos/poison-memory.chaos.test.ts";
const sameStream = "test/chaos/same-stream-memory.chaos.test.ts";
const misbehaving = "test/chaos/misbehaving-memory.chaos.test.ts";

/** Guards of delivery under failure whose tests in small size are fast; the others have a control in the test itself. */
export const chaosControls: readonly Control[] = [
  {
    id: "chaos.poison-attempts",
    guard: "an event is given up after as many failures as it may have, and not one more",
    file: "core/delivery/retry-policy.ts",
    from: "if (count >= attempts)",
    to: "if (count > attempts)",
    tests: [poison],
    title: "each is set aside once",
  },
  {
    id: "chaos.parked-follow",
    guard: "events of a parked key follow the one that failed",
    file: "core/delivery/admission.ts",
    from: "if (parked && (await parked.holds(delivery))) {",
    to: "if (parked && !(await parked.holds(delivery)) && attempt < 0) {",
    tests: [poison],
    title: "each key keeps its order",
  },
  {
    id: "chaos.parked-until-last",
    guard: "a key is free only when its last letter was redriven",
    file: "core/delivery/parked-keys.ts",
    from: "if (before.parked?.last === letter)",
    to: "if (before.parked)",
    tests: [poison],
    title: "each key keeps its order",
  },
  {
    id: "chaos.only-failed-group",
    guard: "a copy is for the group that failed alone",
    file: "core/delivery/admission.ts",
    from: "if (only !== undefined && only !== group) {",
    to: "if (only !== undefined && only !== group && attempt < 0) {",
    tests: [sameStream],
    title: "of several groups",
  },
  {
    id: "chaos.letter-of-its-group",
    guard: "letters of two groups of one event are two",
    file: "core/delivery/letter.ts",
    from: "fingerprint([group, transport, destination,",
    to: "fingerprint([transport, destination,",
    tests: [sameStream],
    title: "of several groups",
  },
  {
    id: "chaos.copy-of-its-letter",
    guard: "a copy is taken for no other copy of its event",
    file: "core/dead-letter/redriven-copy.ts",
    from: "const dedupId =",
    to: "const dedupId = facts.originLane + facts.originPosition; void",
    tests: [sameStream],
    title: "of several groups|how often it goes round",
  },
  {
    id: "chaos.wildcards-leave-letters",
    guard: "a wildcard takes no dead letters",
    file: "core/dispatch.ts",
    from: "&& setAside.test(destination)",
    to: '&& setAside.test("")',
    tests: [sameStream],
    title: "own wildcard",
  },
  {
    id: "chaos.hanging-handler",
    guard: "an attempt ends with its limit of time",
    file: "core/attempt.ts",
    from: "if (view.limited) view.limited.watch(pending, done, failed);",
    to: "if (false as boolean) done();",
    tests: [misbehaving],
    title: "hangs",
  },
  {
    id: "chaos.first-word",
    guard: "of what a handler asks for the first word counts",
    file: "core/handler-delivery.ts",
    from: 'this.request ??= { kind: "dead-letter", reason };',
    to: 'this.request = { kind: "dead-letter", reason };',
    tests: [misbehaving],
    title: "settles twice",
  },
  {
    id: "chaos.late-word",
    guard: "whose lane has gone sets nothing aside",
    file: "core/delivery/failing.ts",
    from: "if (delivery.signal.aborted) {",
    to: "if (delivery.signal === undefined) {",
    tests: [misbehaving],
    title: "its lane went to another member",
  },
];
