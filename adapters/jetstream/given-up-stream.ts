import { EventError } from "../../core/errors.ts";
import type { Api } from "./api.ts";
import { readStream, type StreamConfig } from "./ensure-stream.ts";
import { provideStream } from "./provide-stream.ts";

/** So many are kept for consumers that nobody collects them for; the oldest go first. */
const maxKept = 1_000_000;

/** The name of the stream that keeps what the server gives up of another. */
export function givenUpStream(stream: string): string {
  return `${stream}_GIVEN_UP`;
}

/** Under these the server tells which messages of a consumer it gave up. */
export function givenUpSubjects(stream: string, consumer: string): string[] {
  return ["MAX_DELIVERIES", "MSG_TERMINATED"].map(
    (what) => `$JS.EVENT.ADVISORY.CONSUMER.${what}.${stream}.${consumer}`,
  );
}

/**
 * Keeps what the server says about messages that it gives up, until a member of the group has dealt with it: also when
 * nobody lives at that moment. A work queue, so that what was dealt with goes.
 */
export function provideGivenUp(api: Api, { name, storage, num_replicas }: StreamConfig): Promise<void> {
  return provideStream(api, {
    role: "given-up",
    name: givenUpStream(name),
    subjects: givenUpSubjects(name, "*"),
    retention: "workqueue",
    storage,
    num_replicas,
    max_msgs: maxKept,
  });
}

/** The configuration of a stream of which that is kept; undefined where it is not, or nobody may look. */
export async function withGivenUp(api: Api, stream: string): Promise<StreamConfig | undefined> {
  try {
    return (await readStream(api, givenUpStream(stream))) && (await readStream(api, stream));
  } catch (reason) {
    if (reason instanceof EventError && reason.code === "denied") return undefined;
    throw reason;
  }
}
