import type { Control } from "./control.ts";

const deliveries = "test/adapters/memory/deliveries.test.ts";
const groups = "test/adapters/memory/groups.test.ts";
const log = "test/adapters/memory/log.test.ts";

/** The guards of the memory transport. */
export const memoryControls: readonly Control[] = [
  {
    id: "memory.dedup-id",
    guard: "an event that was sent before is stored once within the window",
    file: "adapters/memory/log.ts",
    from: "const before = dedupId === undefined ? undefined : this.#seen.get(dedupId);",
    to: "const before = undefined;",
    tests: [log],
  },
  {
    id: "memory.unsettled-hold",
    guard: "what a group has not settled is not pushed out of a full partition",
    file: "adapters/memory/log.ts",
    from: "partition.trimTo(Math.min(readers.needed(partition), partition.end - maxMessages + 1));",
    to: "partition.trimTo(partition.end - maxMessages + 1);",
    tests: [log],
  },
  {
    id: "memory.key-partition",
    guard: "a key stays in its partition",
    file: "adapters/memory/log.ts",
    from: "key === undefined ? this.#turn++ % all.length : hash(key) % all.length",
    to: "this.#turn++ % all.length",
    tests: [groups, deliveries],
  },
  {
    id: "memory.contiguous-prefix",
    guard: "the next owner begins at the first event that is not settled",
    file: "adapters/memory/group.ts",
    from: "this.cursor.committed = this.#prefix.next ?? this.cursor.committed;",
    to: "this.cursor.committed = Math.max(this.cursor.committed, work.message.offset + 1);",
    tests: [groups],
  },
  {
    id: "memory.fence",
    guard: "a verdict of a former owner is void",
    file: "adapters/memory/group.ts",
    from: "if (signal.aborted) throw signal.reason;",
    to: "",
    tests: [groups, log],
  },
  {
    id: "memory.drain",
    guard: "a partition moves once its former owner has drained it",
    file: "adapters/memory/consumers.ts",
    from: "if (going.length > 0) await withinDeadline(this.#clock, drainMs, drained);",
    to: "void drained;",
    tests: [groups],
  },
  {
    id: "memory.draining-lane-stands",
    guard: "a partition that is drained hands out nothing more",
    file: "adapters/memory/consumers.ts",
    from: "for (const [, lane] of going) lane.stop();",
    to: "",
    tests: [groups],
  },
  {
    id: "memory.settle-once",
    guard: "the first verdict of a delivery is the only one",
    file: "adapters/memory/group.ts",
    from: "if (over) return false;",
    to: "",
    tests: [deliveries],
  },
  {
    id: "memory.release",
    guard: "what is released comes again",
    file: "adapters/memory/group.ts",
    from: "if (once() && !signal.aborted) this.#repeat(work);",
    to: "once();",
    tests: [deliveries],
  },
  {
    id: "memory.redelivery",
    guard: "a retry comes again after its delay",
    file: "adapters/memory/group.ts",
    from: "this.#repeat({ ...work, attempt: work.attempt + 1 });",
    to: "",
    tests: [deliveries],
  },
  {
    id: "memory.credit",
    guard: "deliveries come against credit alone",
    file: "adapters/memory/consumers.ts",
    from: "const delivery = member.credit > 0 ? lane.take() : undefined;",
    to: "const delivery = lane.take();",
    tests: [deliveries],
  },
  {
    id: "memory.no-responders",
    guard: "a request fails at once when nobody listens",
    file: "adapters/memory/index.ts",
    from: "if (!consumers.listens(message.destination)) {",
    to: "if (false as boolean) {",
    tests: [log],
    title: "fails at once when nobody listens",
  },
];
