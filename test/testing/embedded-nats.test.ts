import { createConnection } from "node:net";
import { expect, test } from "vitest";
import { startEmbeddedNats } from "../../testing/index.ts";

test("frees its ports on close, and closing again does nothing", async () => {
  const server = await startEmbeddedNats();
  await server.close();
  await server.close();
  const again = await startEmbeddedNats({ port: server.port, websocketPort: server.websocketPort });
  expect(again.url).toBe(`nats://127.0.0.1:${server.port}`);
  expect(again.websocketUrl).toBe(`ws://127.0.0.1:${server.websocketPort}`);
  await again[Symbol.asyncDispose]();
});

test("names the port that is taken", async () => {
  await using server = await startEmbeddedNats();
  await expect(startEmbeddedNats({ port: server.port })).rejects.toMatchObject({ code: "unreachable" });
  await expect(startEmbeddedNats({ websocketPort: server.websocketPort })).rejects.toMatchObject({
    code: "unreachable",
  });
});

test("survives clients that vanish in the middle of a message", async () => {
  await using server = await startEmbeddedNats();
  for (const input of ["", "PUB a 10\r\nabc", "\u0000\u0001\u0002\r\n", "CONNECT {}\r\nSUB a 1\r\nHPUB a 5"]) {
    const socket = createConnection(server.port, "127.0.0.1");
    await new Promise((resolve) => socket.once("data", resolve));
    socket.write(input);
    await new Promise((resolve) => setTimeout(resolve, 5));
    socket.resetAndDestroy();
  }
  const socket = createConnection(server.port, "127.0.0.1");
  await new Promise((resolve) => socket.once("data", resolve));
  socket.write("PING\r\n");
  expect(String(await new Promise((resolve) => socket.once("data", resolve)))).toBe("PONG\r\n");
  socket.destroy();
});
