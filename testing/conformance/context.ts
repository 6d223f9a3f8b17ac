import { createEventBus } from "../../core/bus.ts";
import { systemClock } from "../../core/clock.ts";
import type { Capabilities } from "../../core/transport.ts";
import { recorder } from "../recorder.ts";
import type { ConformanceClient, ConformanceContext, ConformanceFactory, TestBus } from "./case.ts";
import { ConformanceFailure } from "./expect.ts";

/** Opens what a case asks for, and closes it. */
export interface OpenContext extends ConformanceContext {
  /** Closes everything, last first; the first failure is thrown when all is closed. */
  close(): Promise<void>;
}

/**
 * Makes the context of one case.
 *
 * @param name Distinct among all cases and runs, since brokers remember: the destinations begin with it.
 */
export function createContext(factory: ConformanceFactory, capabilities: Capabilities, name: string): OpenContext {
  const { patienceMs = 10_000 } = factory;
  const closing: (() => unknown)[] = [];
  let only: Promise<ConformanceClient> | undefined;
  let destinations = 0;
  let ended = false;

  async function open(): Promise<ConformanceClient> {
    const client = await factory.open();
    const close = async (): Promise<void> => {
      await client.transport.close({ deadlineMs: 2_000 });
      await client.close?.();
    };
    if (ended) {
      // A case that was given up goes on until it asks for something.
      await close();
      throw new ConformanceFailure("the case is over");
    }
    closing.push(close);
    checkSame(client.transport.capabilities, capabilities);
    return client;
  }

  const context: OpenContext = {
    capabilities,
    factory,
    patienceMs,
    async destination({ ordered = false } = {}) {
      const wanted = `${name}-${destinations++}`;
      return (await factory.provide?.(wanted, { ordered })) ?? wanted;
    },
    client() {
      if (!factory.oneClient) return open();
      only ??= open();
      return only;
    },
    async bus({ client: given, ...options } = {}) {
      const client = given ?? (await context.client());
      const errors: string[] = [];
      const bus = createEventBus({ source: "/conformance", ...options, transports: { tested: client.transport } });
      bus.onError((error) => errors.push(error.code));
      // With one client the bus would close it under the others.
      if (!factory.oneClient) closing.push(() => bus.close({ deadlineMs: 2_000 }));
      return Object.assign(bus, { errors, client }) as unknown as TestBus;
    },
    until(what, condition) {
      const givenUpMs = systemClock.now() + patienceMs;
      return new Promise((resolve, reject) => {
        const look = (): void => {
          try {
            if (condition()) resolve();
            else if (systemClock.now() < givenUpMs) systemClock.after(5, look);
            else reject(new ConformanceFailure(`${what}: not within ${patienceMs} ms`));
          } catch (reason) {
            reject(reason);
          }
        };
        look();
      });
    },
    settled: () => context.pause((factory.vanishedAfterMs ?? 0) + 300),
    pause: (ms) => new Promise((resolve) => systemClock.after(ms, () => resolve())),
    recorder: () => recorder({ timeoutMs: patienceMs }),
    defer: (work) => void closing.push(work),
    async close() {
      ended = true;
      const failures: unknown[] = [];
      for (const work of closing.reverse()) {
        try {
          await work();
        } catch (reason) {
          failures.push(reason);
        }
      }
      if (failures.length > 0) throw failures[0];
    },
  };
  return context;
}

/** What is skipped was decided by the capabilities that were given: a thinner list would skip what has to hold. */
function checkSame(found: Capabilities, given: Capabilities): void {
  for (const name of [...new Set([...Object.keys(found), ...Object.keys(given)])] as (keyof Capabilities)[]) {
    // Asked per destination, or told by the server.
    if (typeof found[name] === "function" || name === "maxMessageBytes") continue;
    if (JSON.stringify(found[name]) === JSON.stringify(given[name])) continue;
    throw new ConformanceFailure(`the transport's capability "${name}" is not the one that was given`);
  }
}
