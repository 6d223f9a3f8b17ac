import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type KafkaBroker, startKafka } from "../../support/kafka-broker.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const script = fileURLToPath(new URL("./runtime-journey.ts", import.meta.url));
const runtimes = `${root}.cache/tools/runtimes/bin/`;
// What the documents tell to grant: nothing else of the machine is needed.
const permissions = ["--allow-net", "--allow-env", "--allow-read", "--no-prompt"];
const commands: Record<string, readonly [file: string, ...args: string[]]> = {
  deno: [`${runtimes}deno`, "run", ...permissions, script],
  bun: [`${runtimes}bun`, script],
  node: [process.execPath, "--import", "tsx", script],
};

let broker: KafkaBroker;
beforeAll(async () => {
  broker = await startKafka();
});
afterAll(() => broker?.stop());

describe("the platformatic driver", () => {
  it.each(Object.keys(commands))(
    "publishes, consumes, commits, stores in a transaction and reads it on %s",
    async (name) => {
      const [file, ...args] = commands[name]!;
      const topic = `journey-${name}`;
      await broker.createTopic(topic, 3);
      const { stdout } = await promisify(execFile)(file, [...args, broker.brokers, topic], {
        cwd: root,
        timeout: 90_000,
      });
      expect(JSON.parse(stdout)).toEqual({ stored: 100, seen: 100, again: 0, letters: 2 });
    },
  );
});
