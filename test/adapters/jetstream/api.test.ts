import { expect, test } from "vitest";
import { createApi } from "../../../adapters/jetstream/api.ts";
import type { Link } from "../../../adapters/nats/link.ts";
import type { NatsLike } from "../../../adapters/nats/nats-like.ts";
import type { TransportStatus } from "../../../core/transport.ts";

/** A FAKE connection whose requests the test answers, and its link. */
function setUp() {
  const listeners = new Set<(status: TransportStatus) => void>();
  const asked: { subject: string; answer(text: string): void; fail(error: Error): void }[] = [];
  const link = {
    state: "connected" as Link["state"],
    listen(listener: (status: TransportStatus) => void) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
  const become = (state: "connected" | "disconnected" | "closed"): void => {
    link.state = state;
    for (const listener of [...listeners]) listener({ type: state });
  };
  const connection = {
    request: (subject: string) =>
      new Promise((resolve, reject) => {
        asked.push({ subject, answer: (text) => resolve({ data: new TextEncoder().encode(text) }), fail: reject });
      }),
  };
  const api = createApi(connection as unknown as NatsLike, link as unknown as Link, undefined);
  return { api, asked, become, listeners };
}

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

test("what was asked when the connection broke is asked again on the next, and its first failure is nobody's", async () => {
  const { api, asked, become, listeners } = setUp();
  const answer = api.request("STREAM.INFO.A");
  await turn();
  become("disconnected");
  await turn();
  expect(asked).toHaveLength(1);
  become("connected");
  await turn();
  expect(asked.map(({ subject }) => subject)).toEqual(["$JS.API.STREAM.INFO.A", "$JS.API.STREAM.INFO.A"]);
  asked[0]!.fail(new Error("timeout"));
  asked[1]!.answer('{"ok":1}');
  expect(await answer).toEqual({ ok: 1 });
  expect(listeners.size).toBe(0);
});

test("a closed connection ends what was asked", async () => {
  const { api, become } = setUp();
  const answer = api.request("STREAM.INFO.A");
  await turn();
  become("closed");
  await expect(answer).rejects.toMatchObject({ code: "closed" });
});
