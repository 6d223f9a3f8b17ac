import { appendFileSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";

/** `npm run chaos` asks for the full sizes, and for a file with the figures. */
const results = process.env.WAYBILL_CHAOS;

/** The first in `npm test`, the second in `npm run chaos`. */
export function sized(small: number, full: number): number {
  return results === undefined ? small : full;
}

/** Random numbers that a failed run can be repeated with: `WAYBILL_SEED=<seed>`. Prints the seed. */
export function seeded(test: string): { readonly seed: number; random(): number; integer(below: number): number } {
  const seed = Number(process.env.WAYBILL_SEED ?? Math.floor(Math.random() * 2 ** 31));
  console.log(`${test}: WAYBILL_SEED=${seed}`);
  let state = seed >>> 0;
  // mulberry32
  const random = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  return { seed, random, integer: (below) => Math.floor(random() * below) };
}

/** Figures by name, as they stand in docs/results/delivery.md. */
export type Figures = Readonly<Record<string, string | number>>;

/** Keeps the figures of a test: `row` is its number in the page, `on` the transport or whatever else it ran on. */
export function report(row: number, on: string, figures: Figures): void {
  console.log(`row ${row}, ${on}: ${JSON.stringify(figures)}`);
  if (results === undefined) return;
  mkdirSync(dirname(results), { recursive: true });
  appendFileSync(results, `${JSON.stringify({ row, on, figures })}\n`);
}

/** Waits until it holds; throws with `what` after `timeoutMs`. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, timeoutMs = 60_000): Promise<void> {
  for (const end = Date.now() + timeoutMs; !(await holds()); ) {
    if (Date.now() > end) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** The value below which that part of the sorted values lies. */
export function percentile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}
