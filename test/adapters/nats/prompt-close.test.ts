import { expect, test } from "vitest";
import { promptClose } from "../../../adapters/nats/index.ts";

test("tells of a close at once, once, and passes the arguments on", () => {
  const calls: unknown[][] = [];
  const events: unknown[] = [];
  const socket = promptClose({
    close: (...args: unknown[]) => void calls.push(args),
    onclose: (event: unknown) => void events.push(event),
    onmessage: () => undefined,
    onerror: () => undefined,
  });
  socket.close();
  socket.close(1_000, "bye");
  expect(calls).toEqual([[], [1_000, "bye"]]);
  expect(events).toEqual([{ wasClean: false, reason: "", code: 1006 }]);
  expect([socket.onclose, socket.onmessage]).toEqual([null, null]);
});
