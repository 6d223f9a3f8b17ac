import { EventError } from "../../core/errors.ts";
import type { DestinationSpec, ProvidedDestination } from "../../core/transport.ts";
import type { Api } from "./api.ts";
import { partitionsOf, readStream, type StreamConfig } from "./ensure-stream.ts";
import { provideGivenUp } from "./given-up-stream.ts";
import { letterSubjects } from "./letter-subjects.ts";
import { provideStream, verifyKeeps } from "./provide-stream.ts";
import type { ReceiveContext } from "./receive-context.ts";
import { streamsOf } from "./sources.ts";
import { covers } from "./subjects.ts";

/**
 * Provides the dead letters of a source: a stream `<STREAM>_DLQ` for each stream that has some of it, where letters stay
 * until somebody removes them, and `<STREAM>_GIVEN_UP` for what the server gives up by itself.
 *
 * `of` goes by the subject of the stream that has the destination, see {@link letterSubjects}; for a destination that no
 * stream had when this was called it is the destination with `.dlq` behind it. With a `destination` of its own all
 * letters go there: into the stream that has it, or one that is made for it.
 *
 * Rejects with `unsupported` for other roles, and for a stream that takes the subjects of its letters itself;
 * `invalid-destination` where no stream has the source; `configuration-mismatch` for a stream that does not keep letters.
 */
export async function ensureDeadLetters(context: ReceiveContext, spec: DestinationSpec): Promise<ProvidedDestination> {
  const { role, source, destination } = spec;
  if (role !== "dead-letter") {
    throw new EventError("unsupported", `jetstream: a ${role} destination is not needed: the server itself keeps it`);
  }
  if (destination !== undefined) return provideOne(context, source, destination);
  const { api } = context;
  const letters = await Promise.all(
    (await streamsOf(context, source)).map(async (name) => {
      const config = await configOf(api, name);
      const subjects = letterSubjects(name, destinationsOf(config));
      await provideStream(api, lettersStream(`${name}_DLQ`, subjects.all, config));
      await provideGivenUp(api, config);
      return subjects;
    }),
  );
  return {
    destinations: [...new Set(letters.flatMap((each) => each.within(source)))],
    of(one) {
      for (const each of letters) {
        const found = each.of(one);
        if (found !== undefined) return found;
      }
      return `${one}.dlq`;
    },
  };
}

async function provideOne(context: ReceiveContext, source: string, destination: string): Promise<ProvidedDestination> {
  const { api } = context;
  if (/[*>]/.test(destination)) {
    throw new EventError("invalid-destination", `jetstream: dead letters have one destination, not ${destination}`);
  }
  // The source may be of another transport.
  const sources = await Promise.all((await streamsOrNone(context, source)).map((name) => configOf(api, name)));
  if (sources.length > 0 && covers(source, destination)) {
    const text = `jetstream: dead letters of ${source} in ${destination} would come back to who subscribes`;
    throw new EventError("invalid-destination", text);
  }
  const existing = await streamsOrNone(context, destination);
  for (const name of existing) verifyKeeps(await configOf(api, name), "limits");
  if (existing.length === 0) {
    const name = destination.toUpperCase().replace(/[.\\/]/g, "_");
    await provideStream(api, lettersStream(name.endsWith("_DLQ") ? name : `${name}_DLQ`, [destination], sources[0]));
  }
  for (const config of sources) await provideGivenUp(api, config);
  return { destinations: [destination], of: () => destination };
}

function lettersStream(name: string, subjects: readonly string[], source: StreamConfig | undefined) {
  const { name: of, storage, num_replicas, duplicate_window } = source ?? {};
  const metadata = of === undefined ? undefined : { "waybill-source": of };
  return {
    ...({ role: "dead-letter", retention: "limits" } as const),
    ...{ name, subjects, storage, num_replicas, duplicate_window, metadata },
  };
}

async function configOf(api: Api, name: string): Promise<StreamConfig> {
  const found = await readStream(api, name);
  if (found) return found;
  throw new EventError("invalid-destination", `jetstream: the stream ${name} is gone`, { retryable: true });
}

async function streamsOrNone(context: ReceiveContext, destination: string): Promise<readonly string[]> {
  try {
    return await streamsOf(context, destination);
  } catch (reason) {
    if (reason instanceof EventError && reason.code === "invalid-destination" && reason.retryable) return [];
    throw reason;
  }
}

/** The subjects of a stream as destinations. */
function destinationsOf(config: StreamConfig): string[] {
  const { subjects } = config;
  return partitionsOf(config) === undefined
    ? [...subjects]
    : subjects.map((subject) => subject.replace(/^p\.\*\./, ""));
}
