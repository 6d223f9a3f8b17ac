import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { chownSync, existsSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { freePort } from "./free-port.ts";

/** A real PostgreSQL server on 127.0.0.1, in a cluster of its own that nobody keeps. */
export interface PostgresServer extends AsyncDisposable {
  readonly port: number;
  readonly url: string;
  /** Connections of the test, closed at the end. */
  pool(options?: pg.PoolConfig): pg.Pool;
  /** At once, as by a crash, with every process of its own; the cluster stays for {@link restart}. */
  kill(): Promise<void>;
  /** Starts it again on the same port with the same cluster. */
  restart(): Promise<void>;
  /** Ends it and removes its folder. */
  stop(): Promise<void>;
}

const tools = fileURLToPath(new URL("../../.cache/tools/postgresql", import.meta.url));

/**
 * The server refuses to run as root, so that root runs it as `nobody`. Nothing is flushed to the disk (`fsync` is off),
 * since only the power could lose it: what was committed survives every process.
 */
export async function startPostgres(): Promise<PostgresServer> {
  if (!existsSync(tools)) throw new Error(`no PostgreSQL at ${tools}: npm test installs it`);
  const programs = realpathSync(tools);
  const folder = mkdtempSync(join(tmpdir(), "waybill-postgres-"));
  const data = join(folder, "data");
  const nobody = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
  if (nobody.uid !== undefined) chownSync(folder, nobody.uid, nobody.gid);
  const initdb = ["-D", data, "--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C"];
  execFileSync(join(programs, "initdb"), initdb, { cwd: folder, stdio: ["ignore", "ignore", "inherit"], ...nobody });
  const port = await freePort();
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  const settings = {
    listen_addresses: "127.0.0.1",
    port,
    unix_socket_directories: "",
    fsync: "off",
    full_page_writes: "off",
    max_connections: 60,
    deadlock_timeout: "100ms",
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const pools: pg.Pool[] = [];
  let child: ChildProcess | undefined;
  let output = "";

  const launch = async (): Promise<void> => {
    const started = spawn(join(programs, "postgres"), ["-D", data, ...flags], {
      cwd: folder,
      stdio: ["ignore", "ignore", "pipe"],
      ...nobody,
    });
    child = started;
    started.stderr?.on("data", (chunk) => {
      output = (output + chunk).slice(-4_000);
    });
    const until = Date.now() + 20_000;
    while (!(await answers(url))) {
      if (Date.now() > until || started.exitCode !== null) throw new Error(`PostgreSQL did not start:\n${output}`);
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
  };
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    const running = child;
    if (running === undefined || running.exitCode !== null || running.signalCode !== null) return;
    const gone = new Promise((resolve) => running.once("exit", resolve));
    running.kill(signal);
    await gone;
  };
  const stop = async (): Promise<void> => {
    // A pool waits for connections that a failed test has not given back.
    const ended = Promise.all(pools.map((pool) => pool.end().catch(() => undefined)));
    await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 1_000).unref())]);
    // SIGTERM would wait for clients.
    await end("SIGINT");
    process.off("exit", orphaned);
    rmSync(folder, { recursive: true, force: true });
  };
  const orphaned = (): void => void child?.kill("SIGQUIT");
  process.once("exit", orphaned);
  await launch();
  return {
    port,
    url,
    pool(options = {}) {
      const pool = new pg.Pool({ connectionString: url, ...options });
      // Of connections that nobody uses: a server that is killed would end the test's process.
      pool.on("error", () => undefined);
      pools.push(pool);
      return pool;
    },
    kill: () => end("SIGQUIT"),
    async restart() {
      await end("SIGQUIT");
      await launch();
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

async function answers(connectionString: string): Promise<boolean> {
  const client = new pg.Client({ connectionString });
  client.on("error", () => undefined);
  try {
    await client.connect();
    await client.query("select 1");
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
}
