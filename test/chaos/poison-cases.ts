import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Place, stored } from "./places.ts";
import { parkedCase } from "./poison-parked.ts";
import { attempts, isPoison, lettersOf, numberOf, p99, type Run, runLoad } from "./poison-run.ts";
import { percentile, report, sized, until } from "./support/chaos.ts";

const row = 1;

/** Poison at a place: what fails is set aside once, the rest is handled as if nothing failed, a redrive drains. */
export function poisonCases(open: () => Promise<Place>, keyed = true): void {
  let place: Place;
  beforeAll(async () => {
    place = await open();
  });
  afterAll(() => place?.[Symbol.asyncDispose]());

  if (keyed) parkedCase(() => place);

  describe("poison", () => {
    const total = sized(1_000, 10_000);
    const pairs = sized(1, 3);
    const bad = Array.from({ length: total }, (_, n) => n).filter(isPoison);

    test(`${bad.length} of ${total} fail: each is set aside once after ${attempts} attempts, redriven once, and the others wait no longer than without`, async () => {
      const ratios: number[] = [];
      const beside: number[] = [];
      const figures = { with: [] as number[], without: [] as number[] };
      const loaded = async (name: string, poison: boolean): Promise<Run> => {
        const run = await runLoad(place, name, total, poison);
        if (poison) return run;
        expect(await lettersOf(run.letters)).toEqual([]);
        await run.bus.close();
        return run;
      };
      const compare = (run: Run, clean: Run): void => {
        figures.with.push(p99(run));
        figures.without.push(p99(clean));
        ratios.push(p99(run) / p99(clean));
        if (run.besideMs.length > 0) beside.push(percentile(run.besideMs, 0.99) / percentile(clean.besideMs, 0.99));
      };
      for (let pair = 0; pair < pairs; pair++) {
        // In turns, so that neither is always the one that comes first.
        const clean = pair % 2 === 0 ? await loaded(`without-${pair}`, false) : undefined;
        const run = await loaded(`with-${pair}`, true);
        if (pair === 0) await checkLetters(run);
        await run.bus.close();
        compare(run, clean ?? (await loaded(`without-${pair}`, false)));
      }
      const ratio = percentile(ratios, 0.5);
      const rounded = (value: number): number => Math.round(value * 100) / 100;
      report(row, place.name, {
        ...{ events: total, poison: bad.length, "letters, each once": bad.length, attempts },
        "healthy p99 with poison, ms": rounded(percentile(figures.with, 0.5)),
        "healthy p99 without, ms": rounded(percentile(figures.without, 0.5)),
        [`ratio of interleaved runs, median of ${pairs}`]: rounded(ratio),
        ...(beside.length > 0 && { "ratio for keys in a partition with poison": rounded(percentile(beside, 0.5)) }),
      });
      // One short pair on a machine that also does other things says little: only the full size decides.
      if (sized(0, 1) === 1) expect(ratio).toBeLessThanOrEqual(2);
    });

    /** Mends what failed, so that a redrive must drain the letters. */
    async function checkLetters(run: Run): Promise<void> {
      const { letters, calls, handled, destination } = run;
      const found = await lettersOf(letters);
      expect(found.map(numberOf).sort((a, b) => a - b)).toEqual(bad);
      expect(new Set(found.map(({ id }) => id)).size).toBe(bad.length);
      expect(new Set(found.map((letter) => `${letter.attempts} ${letter.reason}`))).toEqual(
        new Set([`${attempts} attempts-exhausted`]),
      );
      for (let n = 0; n < total; n++) expect([n, calls.get(n)]).toEqual([n, isPoison(n) ? attempts : 1]);
      const before = await stored(place, destination);
      run.mend();
      const redriven = await letters.redrive();
      expect(redriven.failures).toEqual([]);
      expect(redriven).toMatchObject({ matched: bad.length, redriven: bad.length, failed: 0 });
      await until("the copies are handled", () => handled.size === total);
      expect(await lettersOf(letters)).toEqual([]);
      expect(await stored(place, destination)).toBe(before + bad.length);
      expect(await letters.redrive()).toMatchObject({ matched: 0, redriven: 0, failed: 0 });
      expect(await stored(place, destination)).toBe(before + bad.length);
      for (let n = 0; n < total; n++) expect([n, calls.get(n)]).toEqual([n, isPoison(n) ? attempts + 1 : 1]);
    }
  });
}
