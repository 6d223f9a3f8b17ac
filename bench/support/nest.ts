import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { cache } from "./paths.ts";

/** What `peers/nest.mjs` exports. Its packages are not in this project's node_modules, so neither are their types. */
export interface Nest {
  natsClient(url: string): Promise<{
    emit(pattern: string, data: unknown): void;
    emitted(pattern: string, data: unknown): Promise<unknown>;
    send(pattern: string, data: unknown): Promise<unknown>;
    flush(): Promise<void>;
    close(): Promise<void>;
  }>;
  kafkaClient(brokers: string): Promise<{
    emitted(topic: string, message: unknown): Promise<unknown>;
    close(): Promise<void>;
  }>;
  natsEvents(url: string, pattern: string, handle: (data: unknown) => unknown): Promise<NestService>;
  natsReplies(url: string, pattern: string, handle: (data: unknown) => unknown): Promise<NestService>;
  kafkaEvents(brokers: string, topic: string, group: string, handle: (data: unknown) => unknown): Promise<NestService>;
}

export interface NestService {
  close(): Promise<void>;
}

const folder = cache("bench-peers");

/** NestJS from `.cache/bench-peers`, where `npm run bench` installs it. */
export async function nest(): Promise<Nest> {
  return (await import(pathToFileURL(`${folder}/nest.mjs`).href)) as Nest;
}

/** The versions of the installed peers. */
export function peerVersions(): Record<string, string> {
  const { dependencies } = JSON.parse(readFileSync(`${folder}/package.json`, "utf8")) as {
    dependencies: Record<string, string>;
  };
  return dependencies;
}
