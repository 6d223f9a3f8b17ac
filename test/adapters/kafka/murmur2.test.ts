import { expect, it } from "vitest";
import { partitionOf } from "../../../adapters/kafka/platformatic/murmur2.ts";
import { javaPartitions } from "./java-partitions.ts";

it("hashes keys to the partitions that Java's clients choose", () => {
  for (const [key, partitions] of Object.entries(javaPartitions)) {
    expect([4, 7, 12].map((count) => partitionOf(new TextEncoder().encode(key), count))).toEqual(partitions);
  }
});
