import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ContiguousPrefix, type TrackedPosition } from "../../../core/delivery/contiguous.ts";

/** The trivial model: looks at every entry each time. */
class Model {
  readonly entries: { position: number; bytes: number; finished: boolean }[] = [];
  readonly #start: number | undefined;

  constructor(start: number | undefined) {
    this.#start = start;
  }

  get firstUnfinished(): number {
    const at = this.entries.findIndex((entry) => !entry.finished);
    return at < 0 ? this.entries.length : at;
  }

  get next(): number | undefined {
    const last = this.entries[this.firstUnfinished - 1];
    return last ? last.position + 1 : this.#start;
  }

  get tracked(): readonly { bytes: number }[] {
    return this.entries.slice(this.firstUnfinished);
  }
}

describe("ContiguousPrefix", () => {
  it("agrees with a model that looks at every entry", () => {
    const step = fc.oneof(
      fc.record({ add: fc.integer({ min: 1, max: 4 }), bytes: fc.nat(100) }),
      fc.record({ finish: fc.nat(1_000) }),
    );
    const start = fc.option(fc.nat(50), { nil: undefined });
    fc.assert(
      fc.property(start, fc.array(step, { maxLength: 300, size: "medium" }), (first, steps) => {
        const prefix = new ContiguousPrefix(first);
        const model = new Model(first);
        const handles: TrackedPosition[] = [];
        let position = (first ?? 0) - 1;
        for (const each of steps) {
          if ("add" in each) {
            position += each.add;
            handles.push(prefix.add(position, each.bytes));
            model.entries.push({ position, bytes: each.bytes, finished: false });
          } else if (handles.length > 0) {
            const at = each.finish % handles.length;
            const before = model.next;
            model.entries[at]!.finished = true;
            expect(prefix.finish(handles[at]!)).toBe(before !== model.next);
          }
          expect(prefix.next).toBe(model.next);
          expect(prefix.size).toBe(model.tracked.length);
          expect(prefix.bytes).toBe(model.tracked.reduce((sum, entry) => sum + entry.bytes, 0));
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it("never passes an unfinished position", () => {
    const prefix = new ContiguousPrefix(10);
    const [first, second, third] = [prefix.add(10), prefix.add(11), prefix.add(12)];
    expect(prefix.finish(third!)).toBe(false);
    expect(prefix.finish(second!)).toBe(false);
    expect(prefix.next).toBe(10);
    expect(prefix.finish(first!)).toBe(true);
    expect(prefix.next).toBe(13);
    expect(prefix.size).toBe(0);
  });

  it("goes over gaps of the log", () => {
    const prefix = new ContiguousPrefix(5);
    prefix.finish(prefix.add(9));
    expect(prefix.next).toBe(10);
  });

  it("refuses a position that does not rise", () => {
    const prefix = new ContiguousPrefix(5);
    expect(() => prefix.add(4)).toThrow(RangeError);
    prefix.add(7);
    expect(() => prefix.add(7)).toThrow(RangeError);
  });

  it("finishes a hundred thousand positions in reverse order", () => {
    const prefix = new ContiguousPrefix(0);
    const handles = Array.from({ length: 100_000 }, (_, position) => prefix.add(position));
    for (const handle of handles.reverse()) prefix.finish(handle);
    expect(prefix.next).toBe(100_000);
    expect(prefix.size).toBe(0);
  });
});
