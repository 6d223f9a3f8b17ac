import { isNetwork, within } from "./errors.ts";
import type { VendorOffset } from "./vendor.ts";

/** What the broker said about the records of one partition: `code` 0 is stored, from `offset` on. */
export interface Answer {
  readonly code: number;
  readonly offset: number;
}

/** Answers by topic and partition. */
export type Answers = ReadonlyMap<string, ReadonlyMap<number, Answer>>;

interface Responses {
  readonly responses?: readonly {
    readonly name: string;
    readonly partitionResponses: readonly {
      readonly index: number;
      readonly errorCode: number;
      readonly baseOffset: bigint;
    }[];
  }[];
}

/**
 * The truth per partition. One refused partition makes the client reject the whole send, and only the broker's own
 * answer inside the error tells what was stored beside it. A refusal counts only while no request of the send was lost:
 * what was lost may have been stored.
 */
export function answersOf(offsets: readonly VendorOffset[] | undefined, error?: unknown): Answers {
  const answers = new Map<string, Map<number, Answer>>();
  const add = (topic: string, partition: number, answer: Answer): void => {
    const partitions = answers.get(topic) ?? new Map<number, Answer>();
    answers.set(topic, partitions);
    // Stored is stored, whatever a repeat of the same request was told later.
    if (partitions.get(partition)?.code !== 0) partitions.set(partition, answer);
  };
  const stored =
    offsets ?? (error as { produced?: { offsets?: readonly VendorOffset[] } } | undefined)?.produced?.offsets;
  for (const { topic, partition, offset } of stored ?? []) add(topic, partition, { code: 0, offset: Number(offset) });
  if (error === undefined) return answers;
  const lost = isNetwork(error);
  for (const each of within(error)) {
    for (const { name, partitionResponses } of (each as { response?: Responses }).response?.responses ?? []) {
      for (const { index, errorCode, baseOffset } of partitionResponses) {
        if (errorCode === 0 || !lost) add(name, index, { code: errorCode, offset: Number(baseOffset) });
      }
    }
  }
  return answers;
}
