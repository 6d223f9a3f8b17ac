import { readFileSync } from "node:fs";
import { env } from "node:process";
import type { DriverOptions } from "../../adapters/kafka/driver-options.ts";
import type { SaslOptions } from "../../adapters/kafka/security.ts";
import { EventError } from "../../core/errors.ts";
import type { NatsCredentials, NatsTcpOptions } from "./connect-options.ts";

/** What {@link fromEnv} found: to be spread into the options of `connect`. */
export interface EnvironmentOptions {
  /** Set when `WAYBILL_SOURCE` or `OTEL_SERVICE_NAME` is; else `connect` needs one from elsewhere. */
  readonly source?: string;
  /** Set when `NATS_URL` is. */
  readonly nats?: NatsTcpOptions;
  /** Set when `NATS_JETSTREAM` is true, which needs `NATS_URL`. */
  readonly jetstream?: true;
  /** Set when `KAFKA_BROKERS` is. */
  readonly kafka?: Pick<DriverOptions, "brokers" | "clientId" | "tls" | "sasl">;
}

/** Variables by name, as `process.env` has them. */
export type Variables = Readonly<Record<string, string | undefined>>;

/**
 * Builds options of `connect` from environment variables; what is not set is left out. Nothing reads them implicitly.
 *
 * | variable | meaning |
 * |---|---|
 * | `WAYBILL_SOURCE`, else `OTEL_SERVICE_NAME` | `source`; of a service's name, a slash and the name |
 * | `NATS_URL` | servers, with commas between |
 * | `NATS_TOKEN`; `NATS_USER` and `NATS_PASSWORD` | credentials |
 * | `NATS_CREDS`, `NATS_NKEY` | files with credentials or a seed, as the `nats` command takes them |
 * | `NATS_CA`, `NATS_CERT`, `NATS_KEY` | files for TLS, PEM |
 * | `NATS_JETSTREAM` | `true`: JetStream too |
 * | `KAFKA_BROKERS`, `KAFKA_CLIENT_ID` | brokers, with commas between; the client's name |
 * | `KAFKA_TLS`; `KAFKA_CA`, `KAFKA_CERT`, `KAFKA_KEY` | `true`: TLS by the host's authorities; files for TLS, PEM |
 * | `KAFKA_SASL_MECHANISM`, `KAFKA_SASL_USERNAME`, `KAFKA_SASL_PASSWORD` | SASL; the mechanism's default is `plain` |
 *
 * @param variables Default: those of the process (Deno asks for `--allow-env`).
 * @throws EventError `invalid-option` for a value that cannot be, naming the variable and never its value.
 *
 * @example
 * ```ts
 * import { connect, fromEnv } from "waybill/node";
 *
 * const bus = await connect({ source: "/orders", ...fromEnv(), routes: [{ type: "**", to: "kafka" }] });
 * ```
 */
export function fromEnv(variables: Variables = env): EnvironmentOptions {
  const get = (name: string): string | undefined => variables[name]?.trim() || undefined;
  const service = get("OTEL_SERVICE_NAME");
  const source = get("WAYBILL_SOURCE") ?? (service && `/${service}`);
  const servers = get("NATS_URL");
  const brokers = get("KAFKA_BROKERS");
  const jetstream = isTrue(get, "NATS_JETSTREAM");
  if (jetstream && !servers) throw refused("NATS_JETSTREAM", "needs NATS_URL");
  return {
    ...(source ? { source } : {}),
    ...(servers ? { nats: { servers, ...natsSecurity(get) } } : {}),
    ...(jetstream ? { jetstream: true as const } : {}),
    ...(brokers ? { kafka: { brokers, ...kafkaSecurity(get) } } : {}),
  };
}

type Get = (name: string) => string | undefined;

function natsSecurity(get: Get): Pick<NatsTcpOptions, "credentials" | "tls"> {
  const credentials = natsCredentials(get);
  const tls = pem(get, "NATS");
  return { ...(credentials ? { credentials } : {}), ...(tls ? { tls } : {}) };
}

function natsCredentials(get: Get): NatsCredentials | undefined {
  const token = get("NATS_TOKEN");
  const user = get("NATS_USER");
  const creds = file(get, "NATS_CREDS");
  const nkeySeed = file(get, "NATS_NKEY")?.match(/SU[A-Z2-7]{56}/)?.[0];
  if (get("NATS_NKEY") && !nkeySeed) throw refused("NATS_NKEY", "names a file without a user's seed");
  const given = [token, user, creds, nkeySeed].filter(Boolean).length;
  if (given > 1) throw refused("NATS_TOKEN, NATS_USER, NATS_CREDS, NATS_NKEY", "set one of them alone");
  if (token) return { token };
  if (creds) return { creds };
  if (nkeySeed) return { nkeySeed };
  if (!user) return undefined;
  const password = get("NATS_PASSWORD");
  if (!password) throw refused("NATS_PASSWORD", "goes with NATS_USER");
  return { user, password };
}

function kafkaSecurity(get: Get): Omit<NonNullable<EnvironmentOptions["kafka"]>, "brokers"> {
  const clientId = get("KAFKA_CLIENT_ID");
  const tls = pem(get, "KAFKA") ?? isTrue(get, "KAFKA_TLS");
  const username = get("KAFKA_SASL_USERNAME");
  const password = get("KAFKA_SASL_PASSWORD");
  if (Boolean(username) !== Boolean(password)) {
    throw refused("KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD", "go together");
  }
  // The driver looks at the mechanism.
  const mechanism = (get("KAFKA_SASL_MECHANISM") ?? "plain").toLowerCase() as "plain";
  const sasl: SaslOptions | undefined = username && password ? { mechanism, username, password } : undefined;
  return { ...(clientId ? { clientId } : {}), ...(tls ? { tls } : {}), ...(sasl ? { sasl } : {}) };
}

function pem(get: Get, prefix: string): { ca?: string; cert?: string; key?: string } | undefined {
  const ca = file(get, `${prefix}_CA`);
  const cert = file(get, `${prefix}_CERT`);
  const key = file(get, `${prefix}_KEY`);
  if (Boolean(cert) !== Boolean(key)) throw refused(`${prefix}_CERT, ${prefix}_KEY`, "go together");
  if (!ca && !cert) return undefined;
  return { ...(ca ? { ca } : {}), ...(cert && key ? { cert, key } : {}) };
}

function file(get: Get, name: string): string | undefined {
  const path = get(name);
  if (!path) return undefined;
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    // Not the cause itself: it quotes the path, which is the secret where somebody gave that instead.
    const { code } = cause as { code?: string };
    throw new EventError("invalid-option", `${name}: its file cannot be read (${code})`);
  }
}

function isTrue(get: Get, name: string): boolean {
  const value = get(name)?.toLowerCase();
  if (value === undefined || value === "false" || value === "0") return false;
  if (value === "true" || value === "1") return true;
  throw refused(name, "true or false");
}

function refused(name: string, what: string): EventError {
  return new EventError("invalid-option", `${name}: ${what}`);
}
