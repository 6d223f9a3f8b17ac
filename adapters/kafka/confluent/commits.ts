import { EventError } from "../../../core/errors.ts";
import type { PartitionOffset } from "../driver.ts";
import { commitFailure } from "./errors.ts";
import type { VendorConsumer, VendorError, VendorPartition } from "./vendor.ts";

/** How long the broker may take to answer a commit. */
const answerMs = 5_000;

const idOf = ({ topic, partition, offset }: VendorPartition): string => `${topic}/${partition}@${offset}`;

interface Waiting {
  readonly left: Set<string>;
  settle(error?: EventError): void;
}

/**
 * Commits whose promise means something. None of the client's own commit calls waits for the broker, `commitSync`
 * excepted, which blocks the event loop: the only true answer comes through `offset_commit_cb`.
 */
export class Commits {
  readonly #waiting = new Set<Waiting>();

  /** The client's `offset_commit_cb`. */
  readonly onAnswer = (error: VendorError | null | undefined, offsets: readonly VendorPartition[]): void => {
    for (const id of offsets.map(idOf)) {
      for (const each of this.#waiting) {
        if (!each.left.delete(id)) continue;
        if (error) each.settle(commitFailure(error));
        else if (each.left.size === 0) each.settle();
      }
    }
  };

  commit(client: VendorConsumer, offsets: readonly PartitionOffset[]): Promise<void> {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        waiting.settle(
          new EventError("timeout", `Kafka did not answer a commit within ${answerMs} ms`, { retryable: true }),
        );
      }, answerMs);
      const waiting: Waiting = {
        left: new Set(offsets.map(idOf)),
        settle: (error) => {
          clearTimeout(late);
          this.#waiting.delete(waiting);
          if (error) reject(error);
          else resolve();
        },
      };
      this.#waiting.add(waiting);
      try {
        client.commit(offsets);
      } catch (error) {
        waiting.settle(commitFailure(error));
      }
    });
  }

  /** Nothing will be answered any more. */
  close(): void {
    for (const each of this.#waiting) each.settle(new EventError("closed", "The consumer was closed"));
  }
}
