import type { Clock } from "../../core/clock.ts";
import { withinDeadline } from "../../core/deadline.ts";
import { EventError } from "../../core/errors.ts";
import type { ConsumeSink, ConsumeSource, TransportSubscription } from "../../core/transport.ts";
import { Cursor, Lane } from "./group.ts";
import type { Log, Partition } from "./log.ts";
import { isWildcard, takes } from "./wildcards.ts";

interface Member {
  readonly source: ConsumeSource;
  readonly sink: ConsumeSink;
  readonly lanes: Map<Partition, Lane>;
  credit: number;
  scheduled: boolean;
  closed: boolean;
}

/** Who has to do with a partition: an event costs the same however many others there are. */
interface Interest {
  /** How far each group is in it. */
  readonly cursors: Set<Cursor>;
  /** The members that own it, one of each group. */
  readonly owners: Set<Member>;
}

interface Group {
  readonly cursors: Map<Partition, Cursor>;
  readonly members: Member[];
  /** Assignments happen one after the other. */
  turn: Promise<void>;
}

/** Longest wait for a member's handlers when its partitions go to another. */
const drainMs = 10_000;

/** The consuming half of a memory transport: groups share partitions, one owner each. */
export class Consumers {
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #groups = new Map<string, Group>();
  readonly #alone = new Set<Group>();
  readonly #interests = new WeakMap<Partition, Interest>();

  constructor(log: Log, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  /** Whether a member listens on the destination. */
  listens(destination: string): boolean {
    return this.#all().some(({ members }) => members.some(({ source }) => wants(source, destination)));
  }

  /** The lowest offset of a partition that some group has not settled. */
  needed(partition: Partition): number {
    let lowest = Number.POSITIVE_INFINITY;
    for (const { committed } of this.#interest(partition).cursors) lowest = Math.min(lowest, committed);
    return lowest;
  }

  /** Makes a destination that is not there yet. Groups that wait for it begin with its first message. */
  ensure(destination: string): void {
    if (!this.#log.ensure(destination)) return;
    for (const group of this.#all()) {
      if (!group.members.some(({ source }) => wants(source, destination))) continue;
      for (const partition of this.#log.partitions()) {
        if (partition.destination === destination) this.#follow(group, new Cursor(partition, 0));
      }
      void this.#assign(group);
    }
  }

  /** A message came. */
  arrived(partition: Partition): void {
    for (const member of this.#interest(partition).owners) this.#wake(member);
  }

  async consume(source: ConsumeSource, sink: ConsumeSink): Promise<TransportSubscription> {
    if (!/^(new|earliest|\d+)$/.test(source.from)) {
      const text = `memory: from must be "new", "earliest" or an offset, not "${source.from}"`;
      throw new EventError("invalid-option", text);
    }
    for (const destination of source.destinations) if (!isWildcard(destination)) this.ensure(destination);
    const group = this.#group(source.group);
    const member: Member = { source, sink, lanes: new Map(), credit: 0, scheduled: false, closed: false };
    group.members.push(member);
    await this.#assign(group);
    return {
      credit: (n) => {
        member.credit += n;
        this.#wake(member);
      },
      pauseLane: (lane) => this.#pause(member, lane, true),
      resumeLane: (lane) => this.#pause(member, lane, false),
      lag: async () => Array.from(member.lanes, ([{ lane }, { lag }]) => ({ lane, messages: lag })),
      close: async () => {
        if (member.closed) return { unsent: 0, unsettled: 0 };
        member.closed = true;
        const unsettled = [...member.lanes.values()].reduce((sum, lane) => sum + lane.unsettled, 0);
        for (const [partition, lane] of member.lanes) {
          lane.fence();
          this.#interest(partition).owners.delete(member);
        }
        member.lanes.clear();
        group.members.splice(group.members.indexOf(member), 1);
        if (this.#alone.delete(group)) this.#leave(group);
        await this.#assign(group);
        return { unsent: 0, unsettled };
      },
    };
  }

  #all(): Group[] {
    return [...this.#groups.values(), ...this.#alone];
  }

  #interest(partition: Partition): Interest {
    const known = this.#interests.get(partition);
    if (known) return known;
    const made: Interest = { cursors: new Set(), owners: new Set() };
    this.#interests.set(partition, made);
    return made;
  }

  #follow(group: Group, cursor: Cursor): void {
    group.cursors.set(cursor.partition, cursor);
    this.#interest(cursor.partition).cursors.add(cursor);
  }

  /** Nobody comes back to these positions. */
  #leave(group: Group): void {
    for (const cursor of group.cursors.values()) this.#interest(cursor.partition).cursors.delete(cursor);
  }

  #group(name: string | undefined): Group {
    const known = name === undefined ? undefined : this.#groups.get(name);
    if (known) return known;
    const group: Group = { cursors: new Map(), members: [], turn: Promise.resolve() };
    if (name === undefined) this.#alone.add(group);
    else this.#groups.set(name, group);
    return group;
  }

  #assign(group: Group): Promise<void> {
    group.turn = group.turn.then(() => this.#rebalance(group));
    return group.turn;
  }

  /** Deals the partitions out. One that moves is drained and fenced before its new owner begins. */
  async #rebalance(group: Group): Promise<void> {
    let turn = 0;
    const plan = new Map<Partition, Member>();
    for (const partition of this.#log.partitions()) {
      const able = group.members.filter(({ source }) => wants(source, partition.destination));
      if (able.length > 0) plan.set(partition, able[turn++ % able.length]!);
    }
    await Promise.all(group.members.map((member) => this.#revoke(member, plan)));
    for (const [partition, member] of plan) {
      if (member.lanes.has(partition) || member.closed) continue;
      const cursor = group.cursors.get(partition) ?? new Cursor(partition, startOf(partition, member.source));
      this.#follow(group, cursor);
      member.lanes.set(partition, new Lane(cursor, this.#clock, () => this.#wake(member)));
      this.#interest(partition).owners.add(member);
    }
    for (const member of group.members) this.#wake(member);
  }

  async #revoke(member: Member, plan: ReadonlyMap<Partition, Member>): Promise<void> {
    const going = [...member.lanes].filter(([partition]) => plan.get(partition) !== member);
    for (const [, lane] of going) lane.stop();
    const drained = Promise.all(going.map(([{ lane }]) => member.sink.revoke(lane)));
    if (going.length > 0) await withinDeadline(this.#clock, drainMs, drained);
    for (const [partition, lane] of going) {
      lane.fence();
      member.lanes.delete(partition);
      this.#interest(partition).owners.delete(member);
    }
  }

  #pause(member: Member, lane: string, paused: boolean): void {
    for (const [partition, each] of member.lanes) if (partition.lane === lane) each.paused = paused;
    this.#wake(member);
  }

  /** Deliveries never happen inside the call that causes them. */
  #wake(member: Member): void {
    if (member.scheduled || member.closed) return;
    member.scheduled = true;
    queueMicrotask(() => {
      member.scheduled = false;
      this.#pump(member);
    });
  }

  /** One message of each lane in turn, so that no partition starves. */
  #pump(member: Member): void {
    for (let some = true; some && member.credit > 0 && !member.closed; ) {
      some = false;
      for (const lane of [...member.lanes.values()]) {
        const delivery = member.credit > 0 ? lane.take() : undefined;
        if (!delivery) continue;
        some = true;
        member.credit--;
        member.sink.deliver(delivery);
      }
    }
  }
}

function wants({ destinations }: ConsumeSource, destination: string): boolean {
  return destinations.some((wanted) => takes(wanted, destination));
}

function startOf(partition: Partition, { from }: ConsumeSource): number {
  if (from === "earliest") return partition.start;
  if (from === "new") return partition.end;
  return Math.max(partition.start, Math.min(Number(from), partition.end));
}
