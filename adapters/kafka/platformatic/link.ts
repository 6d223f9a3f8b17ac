import { EventError } from "../../../core/errors.ts";
import type { ConnectionEvents } from "../driver.ts";
import { brokerList } from "../driver-options.ts";
import { rest } from "../rest.ts";
import { connectMs, type PlatformaticDriverOptions } from "./config.ts";
import { isRefused, reasonOf, toEventError, within } from "./errors.ts";
import type { VendorClient } from "./vendor.ts";

const retryMs = 250;
const probeMs = 1_000;

const certificate = /^(CERT_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|ERR_TLS|INVALID_CA|HOSTNAME_MISMATCH)/;

/** Reaches the brokers, and finds out whether they are still there when a connection of any client breaks. */
export class Link {
  readonly #client: VendorClient;
  readonly #options: PlatformaticDriverOptions;
  readonly #events: ConnectionEvents;
  #open = false;
  #probing = false;
  #down = false;

  /** `client` is asked for the brokers; it must not repeat by itself. */
  constructor(client: VendorClient, options: PlatformaticDriverOptions, events: ConnectionEvents) {
    this.#client = client;
    this.#options = options;
    this.#events = events;
    this.watch(client);
  }

  /** Rejects with `unreachable` or `unauthorized`, naming the brokers and nothing else of the configuration. */
  async open(): Promise<void> {
    const timeoutMs = connectMs(this.#options);
    const brokers = brokerList(this.#options).join(", ");
    for (const until = Date.now() + timeoutMs; ; await rest(retryMs)) {
      const left = Math.max(1, until - Date.now());
      const failed = await limited(this.#client.metadata({ topics: [] }), left).then(
        () => undefined,
        (cause: unknown) => ({ cause }),
      );
      if (!failed) break;
      const { cause } = failed;
      if (isRefused(cause)) {
        throw new EventError("unauthorized", `Kafka at ${brokers} refused the credentials`, { cause });
      }
      const untrusted = [...within(cause)].find((each) => certificate.test(each.code ?? ""));
      if (untrusted) {
        const why = `its certificate is not trusted (${untrusted.code}: ${untrusted.message})`;
        throw new EventError("unreachable", `No secure connection to Kafka at ${brokers}: ${why}`, { cause });
      }
      if (Date.now() + retryMs < until) continue;
      const why = `No Kafka broker answers at ${brokers}: ${reasonOf(cause)}`;
      throw new EventError("unreachable", why, { cause, retryable: true });
    }
    this.#open = true;
  }

  /** Looks after the brokers whenever one of this client's connections breaks. */
  watch(client: VendorClient): void {
    // An emitter without a listener for errors throws them.
    client.on("error", () => undefined);
    client.on("client:broker:disconnect", () => void this.check());
    client.on("client:broker:failed", () => void this.check());
  }

  /** Ends the watch. */
  close(): void {
    this.#open = false;
  }

  /** Asks the brokers until one answers, and tells when none did and when one is back. */
  async check(): Promise<void> {
    if (this.#probing || !this.#open) return;
    this.#probing = true;
    // While it tells that a connection broke, the client still hands it out.
    for (await rest(0); this.#open; await rest(probeMs)) {
      const failed = await limited(this.#client.metadata({ topics: [], forceUpdate: true }), 5_000).then(
        () => undefined,
        (cause: unknown) => ({ cause }),
      );
      if (!this.#open) break;
      if (!failed) {
        if (this.#down) this.#events.connected();
        this.#down = false;
        break;
      }
      if (!this.#down) this.#events.disconnected(toEventError(failed.cause, "Kafka is out of reach", "unreachable"));
      this.#down = true;
    }
    this.#probing = false;
  }
}

/** What the client promises within a time of our own: some of its calls never settle. */
export async function limited<T>(promise: Promise<T>, timeoutMs: number): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    const error = new EventError("timeout", `Kafka did not answer within ${timeoutMs} ms`, { retryable: true });
    timer = setTimeout(() => reject(error), timeoutMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
