import type { NatsEngine, NatsPeer } from "../embedded-nats/engine.ts";
import { joined } from "../embedded-nats/joined.ts";

/** A frame as the page handed it to its WebSocket. */
type Frame = string | Blob | ArrayBufferLike | ArrayBufferView;

/** The server's end of a WebSocket that msw mocks. */
export interface MockedSocket {
  send(frame: ArrayBuffer): void;
  close(): void;
  addEventListener(type: "message", listener: (event: { readonly data: Frame }) => void): void;
  addEventListener(type: "close", listener: () => void): void;
}

/** Gives a mocked socket a session of its own with the engine. */
export function serveMockedSocket(engine: NatsEngine, socket: MockedSocket): void {
  let parts: Uint8Array[] = [];
  const flush = (): void => {
    if (parts.length === 0) return;
    const frame = joined(parts);
    parts = [];
    socket.send(frame.buffer as ArrayBuffer);
  };
  const peer: NatsPeer = {
    write(part) {
      // One frame per turn: clients read frames, and each one costs them a message event.
      if (parts.push(part) === 1) queueMicrotask(flush);
    },
    close() {
      flush();
      // msw hands a frame over in a microtask, and drops it when the socket is closing by then.
      queueMicrotask(() => socket.close());
    },
  };
  const session = engine.connect(peer);
  let fed: Promise<void> = Promise.resolve();
  socket.addEventListener("message", ({ data }) => {
    // One after the other: the bytes of a Blob come later than those of a buffer sent after it.
    fed = Promise.all([bytesOf(data), fed]).then(
      ([bytes]) => session.feed(bytes),
      () => session.end(),
    );
  });
  socket.addEventListener("close", () => session.close());
}

const encoder = new TextEncoder();

/** The bytes of a frame, copied at once: clients write their memory again. */
async function bytesOf(frame: Frame): Promise<Uint8Array> {
  if (typeof frame === "string") return encoder.encode(frame);
  if (ArrayBuffer.isView(frame)) return new Uint8Array(frame.buffer, frame.byteOffset, frame.byteLength).slice();
  return new Uint8Array(frame instanceof Blob ? await frame.arrayBuffer() : frame).slice();
}
