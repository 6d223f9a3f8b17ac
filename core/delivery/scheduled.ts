import type { Timer } from "../clock.ts";
import type { Linked, LinkedList } from "../linked-list.ts";
import type { Delivery } from "../transport.ts";
import { Chain, type Chained } from "./chain.ts";
import type { Run, RunResult } from "./scheduler.ts";

/** A delivery from its arrival to its end: one object for all that is kept of it, its runs among that. */
export class Item implements Run, Linked<Item>, Chained<Item> {
  readonly delivery: Delivery;
  readonly lane: Lane;
  /** Number of arrival: the order within a lane. */
  readonly order: number;
  readonly key: string | undefined;
  /** What came after the one in front of its key. Undefined without key order. */
  readonly behind: Behind | undefined;
  attempt: number;
  /** `behind`: an earlier delivery of its key is not over. */
  state: "ready" | "behind" | "running" | "pausing" | "over";
  /** Another has its place. */
  aside = false;
  timer: Timer | undefined;
  previous: Item | undefined;
  next: Item | undefined;
  following: Item | undefined;
  readonly #after: (item: Item, result: RunResult) => void;

  constructor(
    delivery: Delivery,
    lane: Lane,
    order: number,
    key: string | undefined,
    before: Behind | undefined,
    after: (item: Item, result: RunResult) => void,
  ) {
    this.delivery = delivery;
    this.lane = lane;
    this.order = order;
    this.key = key;
    this.behind = before ?? (key === undefined ? undefined : new Behind());
    this.attempt = delivery.attempt;
    this.state = before ? "behind" : "ready";
    this.#after = after;
  }

  over(result: RunResult): void {
    this.#after(this, result);
  }
}

/** What came after a delivery of its key. */
export class Behind extends Chain<Item> {
  /** The one in front has failed and is not over. */
  failing = false;
}

/** What came over one lane of the transport and is not over. */
export interface Lane {
  readonly items: LinkedList<Item>;
  /** Of each key with a delivery that is ready, running or pausing. */
  readonly keys: Map<string, Behind>;
  /** Order of the furthest delivery that was started. */
  furthest: number;
  /** Set while the lane is being revoked: called when it is empty. */
  emptied?: () => void;
}
