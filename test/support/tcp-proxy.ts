import { connect, createServer, type Socket } from "node:net";

/** A TCP proxy on 127.0.0.1 that can break. */
export interface TcpProxy extends AsyncDisposable {
  readonly port: number;
  /** Destroys new connections; those that exist go on. */
  refuse(): void;
  /** Destroys every connection now and new ones as they come. */
  reset(): void;
  /** Swallows bytes in both directions, on existing connections for ever and on new ones as well. */
  halfOpen(): void;
  /** Stops reading, so that the ends' send buffers fill up; new connections are swallowed. */
  stick(): void;
  /** Swallows what the server answers; what clients send still arrives. New connections are swallowed. */
  mute(): void;
  /** What the server answers arrives this much later, on existing connections as well. */
  delay(ms: number): void;
  /** New connections pass again. Connections that were half open stay dead. */
  heal(): void;
  close(): Promise<void>;
}

interface Pair {
  readonly client: Socket;
  /** Absent for a connection accepted while half open. */
  readonly server: Socket | undefined;
  dead: boolean;
  /** The server's answers do not come through. */
  mute: boolean;
}

/** Starts a proxy in front of a local port. */
export async function startTcpProxy(targetPort: number): Promise<TcpProxy> {
  let mode: "pass" | "refuse" | "half-open" = "pass";
  const answers = { delayMs: 0 };
  const pairs = new Set<Pair>();
  const destroy = (pair: Pair): void => {
    pairs.delete(pair);
    pair.client.destroy();
    pair.server?.destroy();
  };
  const proxy = createServer((client) => {
    if (mode === "refuse") {
      client.destroy();
      return;
    }
    const server = mode === "pass" ? connect(targetPort, "127.0.0.1") : undefined;
    const pair: Pair = { client, server, dead: mode === "half-open", mute: false };
    pairs.add(pair);
    link(pair, client, server, { delayMs: 0 }, () => destroy(pair));
    if (server !== undefined) link(pair, server, client, answers, () => destroy(pair));
  });
  const destroyAll = (): void => {
    for (const pair of [...pairs]) destroy(pair);
  };
  const close = (): Promise<void> => {
    destroyAll();
    return new Promise((resolve) => proxy.close(() => resolve()));
  };
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  return {
    port: (proxy.address() as { port: number }).port,
    refuse() {
      mode = "refuse";
    },
    reset() {
      mode = "refuse";
      destroyAll();
    },
    halfOpen() {
      mode = "half-open";
      for (const pair of pairs) pair.dead = true;
    },
    stick() {
      mode = "half-open";
      for (const { client } of pairs) client.pause();
    },
    mute() {
      mode = "half-open";
      for (const pair of pairs) pair.mute = true;
    },
    delay(ms) {
      answers.delayMs = ms;
    },
    heal() {
      mode = "pass";
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** Copies one direction; a dead pair's bytes are read and dropped, and its ends never hear of each other. */
function link(
  pair: Pair,
  from: Socket,
  to: Socket | undefined,
  pace: { readonly delayMs: number },
  end: () => void,
): void {
  from.setNoDelay(true);
  from.on("data", (chunk) => {
    if (pair.dead || (pair.mute && from === pair.server)) return;
    if (pace.delayMs > 0) setTimeout(() => to?.write(chunk), pace.delayMs);
    else to?.write(chunk);
  });
  from.on("error", () => undefined);
  from.on("close", () => {
    // A client behind a dead pair never hears that its server went away.
    if (!pair.dead || from === pair.client) end();
  });
}
