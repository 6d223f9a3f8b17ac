import { EventError } from "../../../core/errors.ts";
import type { ConnectionEvents } from "../driver.ts";
import { brokerList } from "../driver-options.ts";
import type { ConfluentDriverOptions } from "./config.ts";
import { code, toEventError } from "./errors.ts";
import { called, type VendorClient, type VendorError, type VendorMetadata } from "./vendor.ts";

const probeMs = 1_000;

/**
 * Connects a client and watches its connection. librdkafka says when all brokers are down and never when one is back:
 * a metadata request each second finds out.
 */
export class Connection<Events extends ConnectionEvents = ConnectionEvents> {
  /**
   * Until it is closed. The client's native side keeps its callbacks as long as the process lives: they tell what
   * happens through this alone, or every handler that ever listened would be kept with them.
   */
  events: Events | undefined;
  readonly #client: VendorClient;
  readonly #options: ConfluentDriverOptions;
  #refused: VendorError | undefined;
  #insecure = false;
  #open = false;
  #down = false;

  constructor(client: VendorClient, options: ConfluentDriverOptions, events: Events) {
    this.events = events;
    this.#client = client;
    this.#options = options;
    client.on("event.error", (error) => this.#onError(error));
    // A token that was not to be had is thrown by the client where nobody listens.
    client.on("error", (error) => {
      this.#refused = error;
    });
  }

  /**
   * Rejects with `unreachable` or `unauthorized`, naming the brokers and nothing else of the configuration. `poll` makes
   * the client tell what happens: before it is connected it says nothing by itself.
   */
  async open(poll: () => unknown): Promise<void> {
    const timeoutMs = this.#options.connectTimeoutMs ?? 10_000;
    let timer: ReturnType<typeof setInterval> | undefined;
    const until = Date.now() + timeoutMs + 250;
    const deadline = new Promise<never>((_, reject) => {
      timer = setInterval(() => {
        try {
          poll();
        } catch {
          // Not as far yet as to be asked.
        }
        // Also when it was refused before: the attempt holds one of libuv's four threads to its end, and the next that
        // is begun meanwhile another.
        if (Date.now() > until) reject(new Error(`no answer within ${timeoutMs} ms`));
      }, 100);
    });
    try {
      await Promise.race([called((done) => this.#client.connect({ timeout: timeoutMs }, done)), deadline]);
      this.#open = true;
    } catch (cause) {
      this.close();
      const brokers = brokerList(this.#options).join(", ");
      if (this.#refused) {
        throw new EventError("unauthorized", `Kafka at ${brokers} refused the credentials`, { cause: this.#refused });
      }
      if (this.#insecure) {
        // librdkafka keeps the particulars to its log.
        const why = "TLS failed, as it does when no authority in `tls.ca` has signed the broker's certificate";
        throw new EventError("unreachable", `No Kafka broker answers at ${brokers}: ${why}`, { cause });
      }
      throw new EventError("unreachable", `No Kafka broker answers at ${brokers}`, { cause, retryable: true });
    } finally {
      clearInterval(timer);
    }
  }

  /** Ends the watch: nothing more is told. */
  close(): void {
    this.#open = false;
    this.events = undefined;
  }

  metadata(topic: string, timeoutMs: number): Promise<VendorMetadata> {
    return called((done) => this.#client.getMetadata({ topic, timeout: timeoutMs }, done));
  }

  #onError(error: VendorError): void {
    // Its events carry code -1 and the name of what happened.
    if (/authentication failure/i.test(error.message)) this.#refused = error;
    if (/ssl error/i.test(error.message)) this.#insecure = true;
    // While it connects, the rejection tells.
    if (!this.#open) return;
    if (error.code === code.allBrokersDown || /all broker connections are down/i.test(error.message)) {
      if (this.#down) return;
      this.#down = true;
      this.events?.disconnected(toEventError(error, "Kafka is out of reach", "unreachable"));
      void this.#probe();
    } else if (!this.#down && error.code !== code.transport && error.code !== code.timedOutLocally) {
      // A lost connection or a request that is sent again is repaired by the client and worth nobody's attention.
      this.events?.failed(toEventError(error, "Kafka's client reports"));
    }
  }

  async #probe(): Promise<void> {
    while (this.#open && this.#down) {
      await new Promise((resolve) => setTimeout(resolve, probeMs));
      if (!this.#open) return;
      const answered = await this.metadata("", probeMs).then(
        () => true,
        () => false,
      );
      if (!answered || !this.#open) continue;
      this.#down = false;
      this.events?.connected();
    }
  }
}
