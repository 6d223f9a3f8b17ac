import { expect, test } from "vitest";
import { type PostgresClient, postgresInbox } from "waybill/outbox";
import { gate } from "./gate.ts";

const keep = { keepMs: 1_000 };

/** A client that only writes down what it is asked, with a private field, as classes have them. */
class RecordingClient implements PostgresClient {
  readonly #statements: string[] = [];
  readonly kind = "recording";

  async query(text: string): Promise<{ rows: unknown[] }> {
    this.#statements.push(text.split(" ")[0]!);
    return { rows: [{}] };
  }
  release(): void {
    this.#statements.push("(released)");
  }
  get statements(): readonly string[] {
    return this.#statements;
  }
}

test("work is lent the client as it is, and refused once it has ended", async () => {
  const client = new RecordingClient();
  const inbox = postgresInbox<RecordingClient>({ pool: { connect: async () => client } });
  let kept: RecordingClient | undefined;
  await inbox.run(
    "k",
    async (transaction) => {
      kept = transaction;
      expect(transaction).toBeInstanceOf(RecordingClient);
      expect([transaction.kind, transaction.statements.length]).toEqual(["recording", 2]);
      await transaction.query("select 1");
      return undefined;
    },
    keep,
  );
  expect(() => kept!.query("select 2")).toThrow(expect.objectContaining({ code: "fenced" }));
  expect(() => kept!.release()).toThrow(expect.objectContaining({ code: "fenced" }));
  expect(client.statements).toEqual(["begin", "insert", "select", "update", "commit", "(released)"]);
});

test("work that has failed is refused before its rollback is sent", async () => {
  const client = new RecordingClient();
  const inbox = postgresInbox<RecordingClient>({ pool: { connect: async () => client } });
  const open = gate();
  let late: Promise<unknown> | undefined;
  const run = inbox.run(
    "k",
    async (transaction) => {
      late = open.passed.then(() => transaction.query("update"));
      late.catch(() => undefined);
      queueMicrotask(() => open.pass());
      throw new Error("too late");
    },
    keep,
  );
  await expect(run).rejects.toThrow("too late");
  await expect(late).rejects.toMatchObject({ code: "fenced" });
  expect(client.statements).toEqual(["begin", "insert", "rollback", "(released)"]);
});
