import { appendFileSync, existsSync, readFileSync } from "node:fs";

/** Where a consumer dies, in the order in which an event comes by. */
export const crashPoints = [
  "before the claim",
  "after the claim",
  "after the effect",
  "in the commit",
  "after the commit",
  "in the ack",
  "before the letter",
  "after the letter",
] as const;

/** One of them. */
export type CrashPoint = (typeof crashPoints)[number];

/** Ids of events say where the process dies that handles them for the first time. */
export function crashId(point: CrashPoint, n: number): string {
  return `${crashPoints.indexOf(point)}-${n}`;
}

/** What {@link crashId} says. */
export function crashPointOf(id: string): CrashPoint {
  return crashPoints[Number(id.split("-")[0])]!;
}

/** Events that end as dead letters instead of having an effect. */
export function isPoison(point: CrashPoint): boolean {
  return point === "before the letter" || point === "after the letter";
}

/** What the process of a consumer is told. */
export interface MemberSettings {
  readonly broker: "jetstream" | "kafka";
  /** Where it is remembered what was handled: the transaction of the effect, NATS KV, or nowhere. */
  readonly store: "postgres" | "kv" | "none";
  /** Of the nats-server. */
  readonly port: number;
  /** Of Kafka. */
  readonly brokers: string;
  readonly postgres: string;
  readonly destination: string;
  /** Partitions of the destination. */
  readonly lanes: number;
  readonly group: string;
  readonly concurrency: number;
  /** Who died where, one event a line. */
  readonly file: string;
  readonly seed: number;
}

/** Events that no longer need to die. */
export function readCrashes(file: string): Set<string> {
  return new Set(existsSync(file) ? readFileSync(file, "utf8").split("\n").filter(Boolean) : []);
}

/** Nothing that happens for so long: all that runs has come to its point. */
const stillMs = 120;
const never: Promise<never> = new Promise(() => undefined);

/**
 * Kills this process once everything it handles stands at its point, so that nothing dies elsewhere by chance. An event
 * dies at its point once: the file knows of it before.
 */
export class Crash {
  readonly #file: string;
  readonly #delayMs: () => number;
  readonly #died: Set<string>;
  readonly #running = new Set<string>();
  /** By id: what is still sent before the end. */
  readonly #standing = new Map<string, (() => unknown) | undefined>();
  #dying = false;
  #timer: NodeJS.Timeout | undefined;

  /** `delayMs`: how long the process lives after what is sent last. */
  constructor(file: string, delayMs: () => number) {
    this.#file = file;
    this.#delayMs = delayMs;
    this.#died = readCrashes(file);
  }

  /** For who wonders why nothing happens. */
  describe(): string {
    const moving = [...this.#running].filter((id) => !this.#standing.has(id));
    return `${this.#standing.size} stand at their points, ${moving.length} do not: ${moving.join(" ")}`;
  }

  get idle(): boolean {
    return this.#running.size === 0;
  }

  /** An event is taken up. */
  async begin(id: string): Promise<void> {
    if (this.#dying) await never;
    this.#running.add(id);
    this.#watch();
  }

  /** An event is out of hand, perhaps until it begins again. */
  end(id: string): void {
    this.#running.delete(id);
    this.#standing.delete(id);
    this.#watch();
  }

  /** Goes no further where the event is to die here; `send` is then called right before the end. */
  async reach(point: CrashPoint, id: string, send?: () => unknown): Promise<void> {
    if (crashPointOf(id) !== point || this.#died.has(id)) return;
    this.#standing.set(id, send);
    this.#watch();
    await never;
  }

  #watch(): void {
    clearTimeout(this.#timer);
    if (this.#standing.size === 0 || this.#standing.size < this.#running.size) return;
    this.#timer = setTimeout(() => this.#die(), stillMs);
  }

  #die(): void {
    this.#dying = true;
    appendFileSync(this.#file, [...this.#standing.keys()].map((id) => `${id}\n`).join(""));
    for (const send of this.#standing.values()) void send?.();
    setTimeout(() => process.kill(process.pid, "SIGKILL"), this.#delayMs());
  }
}

/** The same object with some members replaced; private fields keep working. */
export function overlay<T extends object>(target: T, replaced: Partial<T>): T {
  return new Proxy(target, {
    get(_, name) {
      if (name in replaced) return Reflect.get(replaced, name);
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
