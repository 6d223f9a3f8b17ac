import { createServer } from "node:net";
import { expect, test } from "vitest";
import WebSocket from "ws";
import { promptClose } from "../../../adapters/nats/index.ts";

test("tells of a close at once, once, and passes the arguments on", () => {
  const calls: unknown[][] = [];
  const events: unknown[] = [];
  const socket = promptClose({
    close: (...args: unknown[]) => void calls.push(args),
    addEventListener: () => undefined,
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

test("closing a socket that never opened tells at once and leaves no error unheard, whatever the client clears", async () => {
  const silent = createServer(() => undefined);
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  const { port } = silent.address() as { port: number };
  const socket = promptClose(new WebSocket(`ws://127.0.0.1:${port}`));
  const told: number[] = [];
  socket.onclose = ({ code }) => void told.push(code);
  socket.close();
  socket.onerror = null; // as nats-core does
  expect(told).toEqual([1006]);
  // An unheard error of an emitter would end the process in this turn.
  await new Promise((resolve) => setTimeout(resolve, 20));
  await new Promise((resolve) => silent.close(resolve));
});
