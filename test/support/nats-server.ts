import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** How a test wants its server. */
export interface NatsServerOptions {
  /** More lines for the configuration file. */
  config?: string;
  /** Switches JetStream on, stored in the server's own temporary folder. */
  jetstream?: boolean;
  /** Accounts by name; `permissions` in the words of the configuration file. */
  users?: readonly { user: string; password: string; permissions?: string }[];
}

/** A real nats-server on 127.0.0.1. */
export interface NatsServer extends AsyncDisposable {
  readonly port: number;
  readonly websocketPort: number;
  readonly url: string;
  readonly websocketUrl: string;
  readonly pid: number;
  /** Lets it finish, then removes its folder. */
  stop(): Promise<void>;
  /** SIGKILL; the folder stays for {@link restart}. */
  kill(): Promise<void>;
  /** Starts it again on the same ports with the same folder. */
  restart(): Promise<void>;
}

const binary = fileURLToPath(new URL("../../.cache/tools/nats-server", import.meta.url));

/** Starts a nats-server on free ports. The binary is put in place by `npm test`. */
export async function startNatsServer(options: NatsServerOptions = {}): Promise<NatsServer> {
  if (!existsSync(binary)) throw new Error(`no nats-server at ${binary}: npm test installs it`);
  const folder = mkdtempSync(join(tmpdir(), "waybill-nats-"));
  const [port, websocketPort] = await freePorts();
  const file = join(folder, "nats.conf");
  writeFileSync(file, configuration(options, folder, port, websocketPort));
  let child: ChildProcess | undefined;
  let output = "";
  const launch = async (): Promise<void> => {
    output = "";
    const started = spawn(binary, ["-c", file], { stdio: ["ignore", "ignore", "pipe"] });
    child = started;
    started.stderr?.on("data", (chunk) => {
      output = (output + chunk).slice(-4_000);
    });
    await Promise.all([answers(port), answers(websocketPort)]).catch(() => {
      throw new Error(`nats-server did not start:\n${output}`);
    });
  };
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    const running = child;
    if (running === undefined || running.exitCode !== null || running.signalCode !== null) return;
    const gone = new Promise((resolve) => running.once("exit", resolve));
    running.kill(signal);
    await gone;
  };
  const stop = async (): Promise<void> => {
    // SIGTERM would wait for clients in lame duck mode.
    await end("SIGINT");
    process.off("exit", orphaned);
    rmSync(folder, { recursive: true, force: true });
  };
  const orphaned = (): void => void child?.kill("SIGKILL");
  process.once("exit", orphaned);
  await launch();
  return {
    port,
    websocketPort,
    url: `nats://127.0.0.1:${port}`,
    websocketUrl: `ws://127.0.0.1:${websocketPort}`,
    get pid() {
      return child!.pid!;
    },
    stop,
    kill: () => end("SIGKILL"),
    async restart() {
      await end("SIGKILL");
      await launch();
    },
    [Symbol.asyncDispose]: stop,
  };
}

function configuration(options: NatsServerOptions, folder: string, port: number, websocketPort: number): string {
  const users = (options.users ?? []).map(({ user, password, permissions }) => {
    const rights = permissions === undefined ? "" : `, permissions: ${permissions}`;
    return `{ user: ${JSON.stringify(user)}, password: ${JSON.stringify(password)}${rights} }`;
  });
  return [
    `host: "127.0.0.1"`,
    `port: ${port}`,
    `websocket { host: "127.0.0.1", port: ${websocketPort}, no_tls: true }`,
    options.jetstream ? `jetstream { store_dir: ${JSON.stringify(join(folder, "store"))} }` : "",
    users.length > 0 ? `authorization { users: [ ${users.join(", ")} ] }` : "",
    options.config ?? "",
  ].join("\n");
}

/** Two different free ports: both are held until both are known. */
async function freePorts(): Promise<[number, number]> {
  const servers = [createServer(), createServer()];
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve) => {
          server.listen(0, "127.0.0.1", () => resolve((server.address() as { port: number }).port));
        }),
    ),
  );
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return [ports[0]!, ports[1]!];
}

async function answers(port: number, deadlineMs = Date.now() + 10_000): Promise<void> {
  for (;;) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, "127.0.0.1", () => resolve(true));
      socket.on("error", () => resolve(false));
      socket.on("connect", () => socket.destroy());
    });
    if (open) return;
    if (Date.now() > deadlineMs) throw new Error(`nothing listens on ${port}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
