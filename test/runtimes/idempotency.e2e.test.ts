import type { BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { idempotencyCases } from "../core/delivery/idempotency-cases.ts";
import { openPage, type TestPage } from "../support/chromium.ts";
import type { PageApi } from "./idempotency-page.ts";

let served: TestPage;
/** One user's browser, whose tabs share their storage. */
let context: BrowserContext;
let first: Page;

beforeAll(async () => {
  served = await openPage("test/runtimes/idempotency-page.ts");
  context = await served.page.context().browser()!.newContext();
  first = await anotherTab();
});
afterAll(async () => {
  expect(served.errors).toEqual([]);
  await served[Symbol.asyncDispose]();
});

/** Calls the api of a page. */
function call<K extends keyof PageApi>(page: Page, name: K, ...given: Parameters<PageApi[K]>): ReturnType<PageApi[K]> {
  return page.evaluate(
    ([name, given]) => {
      const { api } = globalThis as unknown as { api: Record<string, (...given: unknown[]) => Promise<unknown>> };
      return api[name]!(...given);
    },
    [name, given] as [string, unknown[]],
  ) as ReturnType<PageApi[K]>;
}

/** Another tab of the same user, with the same page. */
async function anotherTab(): Promise<Page> {
  const page = await context.newPage();
  await page.goto(served.page.url());
  await page.waitForFunction(() => "api" in globalThis);
  return page;
}

test("claims in IndexedDB do what every store of claims does", async () => {
  expect(await call(first, "runCases")).toEqual({ ran: idempotencyCases.length, failed: [] });
});

test("of two tabs that claim keys at once one gets each, and all tabs know what is done", async () => {
  const second = await anotherTab();
  const pages = [first, second, first, second];
  const claimed = await Promise.all(pages.map((page) => call(page, "claimAll", "tabs", 200)));
  expect(claimed.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: 200 }, (_, n) => n));
  expect(await call(first, "commit", "tabs", "done", 60_000)).toBe(true);
  expect(await call(second, "stateOf", "tabs", "done")).toBe("done");
  await second.close();
  const third = await anotherTab();
  expect(await call(third, "stateOf", "tabs", "done")).toBe("done");
  await third.close();
});

test("what is over is removed bit by bit", async () => {
  for (let n = 0; n < 20; n++) await call(first, "commit", "old", `k${n}`, 1);
  await first.waitForTimeout(5);
  expect(await call(first, "commit", "old", "another", 60_000)).toBe(true);
  expect(await call(first, "commit", "old", "and another", 60_000)).toBe(true);
  expect(await call(first, "records", "old")).toBeLessThan(6);
});

test("a database that was deleted is made again", async () => {
  const second = await anotherTab();
  expect(await call(first, "commit", "cleared", "k", 60_000)).toBe(true);
  await call(second, "clear", "cleared");
  expect(await call(first, "stateOf", "cleared", "k")).toBe("claimed");
  await second.close();
});

test("a full disk is told with the database's own word, and may pass", async () => {
  const poor = await served.page.context().browser()!.newContext();
  const page = await poor.newPage();
  const session = await poor.newCDPSession(page);
  const { origin } = new URL(served.page.url());
  // Before the origin's first write: later it would be ignored.
  await session.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: 200_000 });
  await page.goto(served.page.url());
  await page.waitForFunction(() => "api" in globalThis);
  expect(await call(page, "failure", "full")).toEqual({
    code: "transport-failed",
    retryable: true,
    cause: "QuotaExceededError",
  });
  await session.send("Storage.overrideQuotaForOrigin", { origin });
  expect(await call(page, "stateOf", "full", "k")).toBe("claimed");
  await poor.close();
});
