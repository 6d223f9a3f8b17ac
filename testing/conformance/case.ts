import type { EventBus } from "../../core/bus.ts";
import type { Catalog } from "../../core/catalog.ts";
import type { EventBusOptions, Transports } from "../../core/options.ts";
import type { Capabilities, Transport } from "../../core/transport.ts";
import type { Recorder } from "../recorder.ts";

/** What a case wants of its destination. */
export interface DestinationPlan {
  /** Events of one key have to stay in order on it. */
  readonly ordered: boolean;
}

/** One client of the broker under test. */
export interface ConformanceClient {
  /** Belongs to this client alone, unless the factory has `oneClient`. */
  readonly transport: Transport;
  /** Breaks the connection, as a network would; the client has to come back by itself. */
  cut?(): Promise<void> | void;
  /** Ends for good without a word to the broker, as a killed process would. */
  vanish?(): Promise<void> | void;
  /** Gives up what the transport does not own, such as its connection. Called after the transport was closed. */
  close?(): Promise<void> | void;
}

/** How the suite gets at a transport. */
export interface ConformanceFactory {
  /** Opens one more client of the broker under test. */
  open(): Promise<ConformanceClient> | ConformanceClient;
  /**
   * Provides a destination of that name, which no case used before, and returns how it has to be called.
   * Default: destinations need no provision.
   */
  provide?(name: string, plan: DestinationPlan): Promise<string> | string;
  /** Each client has a broker of its own, as with transports in memory: cases make do with one. Default: false. */
  readonly oneClient?: boolean;
  /** The transport has `read`. Default: false. */
  readonly reads?: boolean;
  /** The transport has `ensure` and keeps dead letters. Default: false. */
  readonly letters?: boolean;
  /** Clients have `cut`. Default: false. */
  readonly cuts?: boolean;
  /** Clients have `vanish`, and what they had comes to others after so many milliseconds. Default: they have not. */
  readonly vanishedAfterMs?: number;
  /** How long a dedup id is remembered, where that is short enough to wait for. */
  readonly duplicateWindowMs?: number;
  /** How long an event may take before a case gives up. Default: 10,000. */
  readonly patienceMs?: number;
}

/** The capabilities that a case may ask for: flags of the transport, and what the factory can do. */
export type Need =
  | Exclude<keyof Capabilities, "system" | "attributes" | "binding" | "maxMessageBytes">
  | "reads"
  | "letters"
  | "clients"
  | "cuts"
  | "vanishes"
  | "shortWindow";

/** What a case works with. Everything it opens is closed after it. */
export interface ConformanceContext {
  /** Those of the transport under test, as they were given to the run. */
  readonly capabilities: Capabilities;
  /** Tells about the broker what no capability does, such as `duplicateWindowMs`. */
  readonly factory: ConformanceFactory;
  /** How long an event may take. */
  readonly patienceMs: number;
  /** A destination of its own. */
  destination(plan?: Partial<DestinationPlan>): Promise<string>;
  /** One more client; with `oneClient` always the same. */
  client(): Promise<ConformanceClient>;
  /** A bus over {@link client}, or over the one given; its errors are collected in `errors`. */
  bus(options?: BusPlan): Promise<TestBus>;
  /** Resolves when the condition holds; fails after {@link patienceMs}, saying what did not come. */
  until(what: string, condition: () => boolean): Promise<void>;
  /** Waits so long. */
  pause(ms: number): Promise<void>;
  /** Waits as long as it takes until what was not settled would have come again: for what must not. */
  settled(): Promise<void>;
  /** Notes what handlers get; its waits have the patience of the case. */
  recorder(): Recorder;
  /** Called after the case, last first. */
  defer(work: () => unknown): void;
}

/** How a case wants its bus. */
export interface BusPlan extends Partial<Omit<EventBusOptions<Catalog, Transports>, "routes" | "transports">> {
  /** Default: a new client, or the only one with `oneClient`. */
  readonly client?: ConformanceClient;
}

/** An untyped bus, and what it reported. */
export interface TestBus extends EventBus {
  /** The codes of what `onError` got. */
  readonly errors: readonly string[];
  /** The one whose transport the bus uses, as `tested`. */
  readonly client: ConformanceClient;
}

/** One claim about a transport, as data: no test framework runs it. */
export interface ConformanceCase {
  /** `<theme>.<claim>`: stable, for lists of known gaps. */
  readonly id: string;
  /** The claim in the present tense. */
  readonly title: string;
  /** Every one of these must be there, else the case is skipped, and the skip is shown. */
  readonly needs?: readonly Need[];
  /** None of these may be there: such a case says how something is refused. */
  readonly lacks?: readonly Need[];
  /** Runs on every runtime; the others run on one. */
  readonly core?: boolean;
  /** Throws where the claim does not hold. */
  run(context: ConformanceContext): Promise<void>;
}
