import fc from "fast-check";
import { expect, test } from "vitest";
import type { IncomingRecord } from "../../../adapters/kafka/driver.ts";
import { RecordQueue } from "../../../adapters/kafka/record-queue.ts";

const recordOf = (offset: number): IncomingRecord => ({
  topic: "orders",
  partition: 0,
  offset,
  key: null,
  value: null,
  headers: [],
  timestampMs: 0,
  bytes: offset % 7,
});

test("a queue of records is a list of them, whether it empties or never does", () => {
  const step = fc.oneof(
    fc.record({ push: fc.integer({ min: 1, max: 400 }) }),
    fc.record({ shift: fc.integer({ min: 1, max: 400 }) }),
    { weight: 1, arbitrary: fc.constant("clear" as const) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: "max" }), (steps) => {
      const queue = new RecordQueue();
      let model: IncomingRecord[] = [];
      let offset = 0;
      for (const each of steps) {
        if (each === "clear") {
          queue.clear();
          model = [];
        } else if ("push" in each) {
          for (let n = 0; n < each.push; n++) {
            const record = recordOf(offset++);
            queue.push(record);
            model.push(record);
          }
        } else {
          for (let n = 0; n < each.shift; n++) expect(queue.shift()).toBe(model.shift());
        }
        expect(queue.peek()).toBe(model[0]);
        expect([queue.length, queue.bytes]).toEqual([model.length, model.reduce((sum, { bytes }) => sum + bytes, 0)]);
      }
    }),
    { numRuns: 200 },
  );
});
