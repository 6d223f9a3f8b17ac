import { EventError } from "../../core/errors.ts";
import type { IncomingMessage } from "../../core/message.ts";
import { sleep } from "../../core/sleep.ts";
import type { ReadOptions } from "../../core/transport.ts";
import { connectionEvents, unsupported } from "./connection-events.ts";
import type { DemandContext, Running } from "./demand-context.ts";
import type { IncomingRecord, KafkaReader, PartitionRange } from "./driver.ts";
import { KafkaMessage } from "./incoming.ts";

/** The most records that wait here for who reads. */
const pollBatch = 256;
/** How long to wait after a failed poll, in milliseconds. */
const restMs = 50;

interface Place {
  readonly partition: number;
  readonly offset: number;
}

/**
 * What a topic holds now, partition after partition, then ends. It asks for more only when the reader does.
 *
 * The end of each partition is an offset that is fixed first: markers of transactions, what was aborted and what was
 * compacted leave gaps, so counting would not find it.
 */
export async function* readStored(
  context: DemandContext,
  { destination, from, signal }: ReadOptions,
): AsyncGenerator<IncomingMessage> {
  const { driver } = context.settings;
  if (!driver.openReader) throw unsupported(context, "read");
  const place = from === undefined ? undefined : placeOf(from);
  const ending = new Ending(context, signal);
  const events = connectionEvents(context, ending, (error) => {
    if (!error.retryable) ending.stop(error);
  });
  let reader: KafkaReader | undefined;
  try {
    const opening = driver.openReader(destination, events);
    // One that is given up while it opens has nobody else to close it.
    opening.then((late) => ending.error && late.close()).catch(() => undefined);
    reader = await ending.race(opening);
    for (const range of await ending.race(reader.ranges())) {
      if (place && range.partition < place.partition) continue;
      const offset = place?.partition === range.partition ? Math.max(place.offset, range.low) : range.low;
      if (offset < range.end) yield* readPartition(context, reader, ending, range, offset);
    }
  } catch (cause) {
    throw EventError.from(cause);
  } finally {
    ending.leave();
    await reader?.close().catch(() => undefined);
  }
}

async function* readPartition(
  { settings: { clock } }: DemandContext,
  reader: KafkaReader,
  ending: Ending,
  { partition, end }: PartitionRange,
  offset: number,
): AsyncGenerator<IncomingMessage> {
  reader.start(partition, offset);
  for (let next = offset; next < end; ) {
    let records: readonly IncomingRecord[];
    try {
      records = await ending.race(reader.poll(pollBatch));
    } catch (cause) {
      const error = EventError.from(cause);
      if (ending.error || !error.retryable) throw error;
      await ending.race(sleep(clock, restMs));
      continue;
    }
    for (const record of records) {
      // Behind the end lies what was stored after the reading began.
      if (record.offset >= end) return;
      if (ending.error) throw ending.error;
      next = record.offset + 1;
      yield new KafkaMessage(record);
    }
    next = Math.max(next, reader.reached() ?? 0);
  }
}

/** Why a reading ends before its end: its signal, the transport's close, or something that failed for good. */
class Ending implements Running {
  readonly #context: DemandContext;
  readonly #signal: AbortSignal | undefined;
  #reject: (error: EventError) => void = () => undefined;
  error: EventError | undefined;

  constructor(context: DemandContext, signal: AbortSignal | undefined) {
    this.#context = context;
    this.#signal = signal;
    context.running.add(this);
    if (signal?.aborted) this.#onAbort();
    else signal?.addEventListener("abort", this.#onAbort);
  }

  readonly #onAbort = (): void =>
    this.stop(new EventError("aborted", "The reading was aborted", { cause: this.#signal?.reason }));

  /** What `work` resolves with, unless the reading ends before. `Promise.race` would keep all that was ever read. */
  race<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#reject = reject;
      if (this.error) reject(this.error);
      work.then(resolve, reject);
    });
  }

  stop(error: EventError): void {
    this.error ??= error;
    this.#reject(this.error);
  }

  async close(): Promise<number> {
    this.stop(new EventError("closed", `Transport ${this.#context.settings.name} is closed`));
    return 0;
  }

  leave(): void {
    this.#signal?.removeEventListener("abort", this.#onAbort);
    this.#context.running.delete(this);
    this.#context.status.forget(this);
  }
}

function placeOf(from: string): Place {
  const [, partition, offset] = /^(\d+)\/(\d+)$/.exec(from) ?? [];
  if (partition === undefined || !Number.isSafeInteger(Number(offset))) {
    throw new EventError("invalid-option", `from: a position as "<partition>/<offset>", not "${from.slice(0, 100)}"`);
  }
  return { partition: Number(partition), offset: Number(offset) };
}
