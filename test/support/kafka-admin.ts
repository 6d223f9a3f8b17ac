// The few requests tests make of a broker, in Kafka's own protocol: neither client under test runs on every Node.
import { connect } from "node:net";

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const int8 = (n: number): Buffer => Buffer.from([n]);
const int16 = (n: number): Buffer => {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(n);
  return bytes;
};
const int32 = (n: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(n);
  return bytes;
};
const int64 = (n: bigint): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(n);
  return bytes;
};
const text = (value: string): Buffer => Buffer.concat([int16(Buffer.byteLength(value)), Buffer.from(value)]);
const list = (items: readonly Buffer[]): Buffer => Buffer.concat([int32(items.length), ...items]);

class Answer {
  readonly #bytes: Buffer;
  #at = 0;
  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }
  int8(): number {
    this.#at += 1;
    return this.#bytes.readInt8(this.#at - 1);
  }
  int16(): number {
    this.#at += 2;
    return this.#bytes.readInt16BE(this.#at - 2);
  }
  int32(): number {
    this.#at += 4;
    return this.#bytes.readInt32BE(this.#at - 4);
  }
  int64(): bigint {
    this.#at += 8;
    return this.#bytes.readBigInt64BE(this.#at - 8);
  }
  text(): string | null {
    const length = this.int16();
    if (length < 0) return null;
    this.#at += length;
    return this.#bytes.toString("utf8", this.#at - length, this.#at);
  }
  list<T>(read: () => T): T[] {
    return Array.from({ length: this.int32() }, read);
  }
}

/** Sends one request over a connection of its own and returns the answer's body. */
function ask(port: number, api: number, version: number, body: Buffer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    let received = Buffer.alloc(0);
    socket.setTimeout(15_000, () => socket.destroy(new Error("Kafka did not answer within 15 s")));
    socket.once("error", reject);
    socket.once("close", () => reject(new Error("Kafka closed the connection")));
    socket.on("data", (chunk) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 4 || received.length < 4 + received.readInt32BE(0)) return;
      resolve(new Answer(received.subarray(8))); // after the length and the correlation id
      socket.destroy();
    });
    const request = Buffer.concat([int16(api), int16(version), int32(1), text("test"), body]);
    socket.write(Buffer.concat([int32(request.length), request]));
  });
}

/** Creates a topic and waits until its partitions have a leader. */
export async function createTopic(
  port: number,
  topic: string,
  partitions: number,
  config: Record<string, string> = {},
): Promise<void> {
  const configs = Object.entries(config).map(([name, value]) => Buffer.concat([text(name), text(value)]));
  const wanted = Buffer.concat([text(topic), int32(partitions), int16(1), list([]), list(configs)]);
  const answer = await ask(port, 19, 2, Buffer.concat([list([wanted]), int32(10_000), int8(0)]));
  answer.int32();
  const [created] = answer.list(() => ({ name: answer.text(), code: answer.int16(), message: answer.text() }));
  if (created?.code !== 0) throw new Error(`Kafka did not create ${topic}: ${created?.code} ${created?.message}`);
  for (let attempt = 0; attempt < 100; attempt++) {
    if ((await leaders(port, topic)).filter((leader) => leader >= 0).length === partitions) return;
    await sleep(50);
  }
  throw new Error(`Topic ${topic} got no leader within 5 s`);
}

async function leaders(port: number, topic: string): Promise<number[]> {
  const answer = await ask(port, 3, 0, list([text(topic)]));
  answer.list(() => [answer.int32(), answer.text(), answer.int32()]);
  const topics = answer.list(() => {
    answer.int16();
    answer.text();
    return answer.list(() => {
      answer.int16();
      answer.int32();
      const leader = answer.int32();
      answer.list(() => answer.int32());
      answer.list(() => answer.int32());
      return leader;
    });
  });
  return topics.flat();
}

/** The next offset to be written, whatever transactions are open. */
export async function logEnd(port: number, topic: string, partition: number): Promise<number> {
  const partitions = list([Buffer.concat([int32(partition), int64(-1n)])]);
  const answer = await ask(port, 2, 1, Buffer.concat([int32(-1), list([Buffer.concat([text(topic), partitions])])]));
  const [offset] = answer.list(() => {
    answer.text();
    return answer.list(() => {
      answer.int32();
      answer.int16();
      answer.int64();
      return Number(answer.int64());
    })[0]!;
  });
  return offset!;
}

/** Settings of a topic, by Kafka's own names. */
export async function topicConfig(port: number, topic: string): Promise<Record<string, string | null>> {
  const resource = Buffer.concat([int8(2), text(topic), int32(-1)]);
  const answer = await ask(port, 32, 1, Buffer.concat([list([resource]), int8(0)]));
  answer.int32();
  const [config] = answer.list(() => {
    const code = answer.int16();
    if (code !== 0) throw new Error(`Kafka did not describe ${topic}: ${code}`);
    answer.text();
    answer.int8();
    answer.text();
    return answer.list(() => {
      const entry = [answer.text()!, answer.text()] as const;
      answer.int8();
      answer.int8();
      answer.int8();
      answer.list(() => [answer.text(), answer.text(), answer.int8()]);
      return entry;
    });
  });
  return Object.fromEntries(config!);
}

const operations = { read: 3, write: 4, create: 5, describe: 8 } as const;

/** Lets a user do this to a topic; `*` is every one. */
export async function allow(
  port: number,
  user: string,
  operation: keyof typeof operations,
  topic: string,
): Promise<void> {
  const [topicResource, literal, allowed] = [2, 3, 3];
  const place = [int8(topicResource), text(topic), int8(literal)];
  const rule = [text(`User:${user}`), text("*"), int8(operations[operation]), int8(allowed)];
  const answer = await ask(port, 30, 1, list([Buffer.concat([...place, ...rule])]));
  answer.int32();
  const [refused] = answer.list(() => ({ code: answer.int16(), message: answer.text() }));
  if (refused?.code !== 0) throw new Error(`Kafka did not allow ${user}: ${refused?.code} ${refused?.message}`);
}

/** How many partitions a topic has. */
export async function partitionsOf(port: number, topic: string): Promise<number> {
  return (await leaders(port, topic)).length;
}

/** The ids of the groups the broker knows. */
export async function groups(port: number): Promise<string[]> {
  const answer = await ask(port, 16, 0, Buffer.alloc(0));
  answer.int16();
  return answer.list(() => {
    const id = answer.text()!;
    answer.text();
    return id;
  });
}
