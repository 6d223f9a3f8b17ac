import { describe, expect, it } from "vitest";
import { answersOf } from "../../../adapters/kafka/platformatic/produce-answers.ts";

type Partition = readonly [index: number, errorCode: number, baseOffset: number];

const response = (partitions: readonly Partition[]): object => ({
  responses: [
    {
      name: "t",
      partitionResponses: partitions.map(([index, errorCode, baseOffset]) => ({
        index,
        errorCode,
        baseOffset: BigInt(baseOffset),
      })),
    },
  ],
});
const answered = (...partitions: Partition[]): object =>
  Object.assign(new Error("refused"), { code: "PLT_KFK_RESPONSE", response: response(partitions) });
const lost = (): object => Object.assign(new Error("lost"), { code: "PLT_KFK_NETWORK" });
const several = (...errors: object[]): object =>
  Object.assign(new Error("several"), { code: "PLT_KFK_MULTIPLE", errors });
const of = (error: object, partition: number): unknown => answersOf(undefined, error).get("t")?.get(partition);

describe("what a send says about each partition", () => {
  it("is the broker's own answer where one partition's refusal rejects all", () => {
    const error = answered([0, 0, 40], [1, 10, -1]);
    expect(of(error, 0)).toEqual({ code: 0, offset: 40 });
    expect(of(error, 1)).toEqual({ code: 10, offset: -1 });
  });

  it("is found however deep repeats and brokers nest it", () => {
    expect(of(several(several(answered([0, 19, -1])), answered([1, 0, 7])), 1)).toEqual({ code: 0, offset: 7 });
  });

  it("is no refusal where a request was lost: that one may have been stored", () => {
    const error = several(answered([0, 19, -1], [1, 0, 5]), lost());
    expect(of(error, 0)).toBeUndefined();
    expect(of(error, 1)).toEqual({ code: 0, offset: 5 });
  });

  it("stays stored when a repeat of the same request is refused", () => {
    expect(of(several(answered([0, 0, 5]), answered([0, 6, -1])), 0)).toEqual({ code: 0, offset: 5 });
  });
});
