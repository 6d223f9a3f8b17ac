import fc from "fast-check";
import { expect, test } from "vitest";
import { type RandomSource, uuidv7 } from "waybill";

const layout = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const at = (now: () => number) => ({ now, after: () => ({ cancel: () => undefined }) });
const fill =
  (byte: number): RandomSource =>
  (target) =>
    target.fill(byte);
const timeOf = (id: string): number => Number.parseInt(id.replace("-", "").slice(0, 12), 16);
const counterOf = (id: string): number => Number.parseInt(id.slice(15, 18), 16);

function growing(ids: readonly string[]): void {
  for (let i = 1; i < ids.length; i++)
    if (!(ids[i - 1]! < ids[i]!)) expect.fail(`${ids[i - 1]} stands before ${ids[i]}`);
}

test("the layout is that of RFC 9562's example", () => {
  // The counter begins below 0x800, so that it reaches the 0xcc3 of the example by counting.
  const example = [0x98, 0xc4, 0xdc, 0x0c, 0x0c, 0x07, 0x39, 0x8f];
  let first = true;
  const random: RandomSource = (target) => {
    const bytes = first ? [0x04, 0xc3] : [];
    first = false;
    for (let i = 0; i < target.length; i++) target[i] = i < bytes.length ? bytes[i]! : example[(i - bytes.length) % 8]!;
  };
  const next = uuidv7({ clock: at(() => 1_645_557_742_000), random });
  expect(next()).toBe("017f22e2-79b0-74c3-98c4-dc0c0c07398f");
  for (let n = 1; n < 0x800; n++) next();
  expect(next()).toBe("017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
});

test.each([0x00, 0xff])("version and variant stand whatever the random bytes are: 0x%s", (byte) => {
  const next = uuidv7({ random: fill(byte) });
  for (let n = 0; n < 600; n++) expect(next()).toMatch(layout);
});

test("ids grow strictly within a millisecond, past the counter's end", () => {
  const next = uuidv7({ clock: at(() => 1000) });
  const ids = Array.from({ length: 20_000 }, next);
  growing(ids);
  expect(new Set(ids.map(timeOf)).size).toBeGreaterThan(4);
  for (const id of ids) expect(id).toMatch(layout);
});

test("a full counter borrows the next millisecond and begins low again", () => {
  const next = uuidv7({ clock: at(() => 1000), random: fill(0xff) });
  const ids = Array.from({ length: 0x801 + 1 }, next);
  expect(counterOf(ids[0]!)).toBe(0x7ff);
  expect([timeOf(ids[0x800]!), counterOf(ids[0x800]!)]).toEqual([1000, 0xfff]);
  expect([timeOf(ids[0x801]!), counterOf(ids[0x801]!)]).toEqual([1001, 0x7ff]);
});

test("the time is the clock's, in whole milliseconds", () => {
  expect(timeOf(uuidv7({ clock: at(() => 1_767_225_600_000) })())).toBe(1_767_225_600_000);
  const id = uuidv7({ clock: at(() => 1_767_225_600_000.75) })();
  expect(id).toMatch(layout);
  expect(timeOf(id)).toBe(1_767_225_600_000);
});

test("ids grow strictly whatever the clock does", () => {
  const step = fc.oneof(
    fc.integer({ min: -5, max: 5 }),
    fc.integer({ min: -100_000, max: 100_000 }),
    fc.double({ min: 0, max: 1, noNaN: true }),
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(step, fc.integer({ min: 1, max: 40 })), { minLength: 1, maxLength: 12 }), (steps) => {
      let now = 1_767_225_600_000;
      const next = uuidv7({ clock: at(() => now) });
      const ids: string[] = [];
      for (const [by, count] of steps) {
        now += by;
        for (let n = 0; n < count; n++) ids.push(next());
      }
      growing(ids);
      for (const id of ids) if (!layout.test(id)) expect.fail(id);
    }),
    { numRuns: 1000 },
  );
}, 60_000);

test("two generators of one time do not meet", () => {
  const clock = at(() => 1000);
  const [a, b] = [uuidv7({ clock }), uuidv7({ clock })];
  const ids = new Set(Array.from({ length: 5000 }, () => [a(), b()]).flat());
  expect(ids.size).toBe(10_000);
});

test("randomness is asked for at the first id, not before, and then rarely", () => {
  let calls = 0;
  const next = uuidv7({
    random(target) {
      calls++;
      target.fill(1);
    },
  });
  expect(calls).toBe(0);
  for (let n = 0; n < 400; n++) next();
  expect(calls).toBe(1);
});
