import * as v from "valibot";
import { describe, expect, test } from "vitest";
import { EventError, type StandardSchema } from "waybill";
import { z } from "zod";
import { validate } from "../../core/schema.ts";

const isNew = async (sku: string): Promise<boolean> => sku !== "taken";
const schemas: [string, StandardSchema, StandardSchema][] = [
  [
    "zod",
    z.object({ sku: z.string(), items: z.array(z.object({ n: z.string().transform(Number) })) }),
    z.object({ sku: z.string().refine(isNew, "taken already") }),
  ],
  [
    "valibot",
    v.object({ sku: v.string(), items: v.array(v.object({ n: v.pipe(v.string(), v.transform(Number)) })) }),
    v.objectAsync({ sku: v.pipeAsync(v.string(), v.checkAsync(isNew, "taken already")) }),
  ],
];

async function failure(work: () => unknown): Promise<EventError> {
  try {
    await work();
  } catch (error) {
    return error as EventError;
  }
  return expect.fail("nothing was thrown");
}

describe.each(schemas)("a schema of %s", (_, schema, later) => {
  test("answers at once with its output", () => {
    expect(validate(schema, { sku: "a", items: [{ n: "7" }] }, "t")).toEqual({ sku: "a", items: [{ n: 7 }] });
  });
  test("refuses with what, where and why", async () => {
    const error = await failure(() => validate(schema, { sku: "a", items: [{ n: "1" }, { n: 2 }] }, "order.placed"));
    expect(error).toBeInstanceOf(EventError);
    expect(error).toMatchObject({ code: "invalid-data", retryable: false });
    expect(error.message).toMatch(/^order\.placed does not fit its schema: items\.1\.n: \S+/);
    expect(error.cause).toHaveLength(1);
  });
  test("names every complaint", async () => {
    const { message } = await failure(() => validate(schema, { items: 1 }, "t"));
    expect(message).toMatch(/sku: .*; items: /);
  });
  test("answers with a promise when it is asynchronous", async () => {
    const answer = validate(later, { sku: "new" }, "t");
    if (later["~standard"].vendor === "valibot") expect(answer).toBeInstanceOf(Promise);
    expect(await answer).toEqual({ sku: "new" });
    const error = await failure(() => validate(later, { sku: "taken" }, "t"));
    expect(error).toMatchObject({ code: "invalid-data", message: expect.stringContaining("sku: taken already") });
  });
});

describe("any other schema", () => {
  const schemaOf = (validation: StandardSchema["~standard"]["validate"]): StandardSchema => ({
    "~standard": { version: 1, vendor: "own", validate: validation },
  });
  const issues = Array.from({ length: 20 }, (_, i) => ({ message: `no ${i}`, path: ["a", { key: i }] }));

  test("has at most eight issues in the message and all of them as cause", async () => {
    const error = await failure(() =>
      validate(
        schemaOf(() => ({ issues })),
        1,
        "t",
      ),
    );
    expect(error.message).toContain("a.7: no 7");
    expect(error.message).not.toContain("no 8");
    expect(error.cause).toBe(issues);
  });
  test("may complain without a path", async () => {
    const error = await failure(() =>
      validate(
        schemaOf(() => ({ issues: [{ message: "no" }] })),
        1,
        "t",
      ),
    );
    expect(error.message).toBe("t does not fit its schema: no");
  });
  test("may answer with a promise of an issue", async () => {
    const answer = validate(
      schemaOf(async () => ({ issues: [{ message: "later" }] })),
      1,
      "t",
    );
    expect(answer).toBeInstanceOf(Promise);
    await expect(answer).rejects.toMatchObject({ code: "invalid-data" });
  });
  test("may take undefined as its output", () => {
    expect(
      validate(
        schemaOf(() => ({ value: undefined })),
        1,
        "t",
      ),
    ).toBeUndefined();
  });
});
