import { EventError } from "../../core/errors.ts";
import type { NatsCredentials } from "./connect-options.ts";

/** What makes authenticators of a NATS client: nats-core and transport-node have them alike. */
export interface NatsAuthenticators {
  nkeyAuthenticator(seed: Uint8Array): unknown;
  jwtAuthenticator(jwt: string, seed: Uint8Array): unknown;
  credsAuthenticator(creds: Uint8Array): unknown;
}

/**
 * The client's own options for credentials.
 *
 * @throws EventError `invalid-option` for credentials that the client cannot read; it quotes nothing of them.
 */
export function natsLogin(
  vendor: NatsAuthenticators,
  credentials: NatsCredentials | undefined,
): Readonly<Record<string, unknown>> {
  if (!credentials) return {};
  if ("token" in credentials) return { token: text("token", credentials.token) };
  if ("user" in credentials) {
    return { user: text("user", credentials.user), pass: text("password", credentials.password) };
  }
  return { authenticator: authenticator(vendor, credentials) };
}

type KeyCredentials = Exclude<NatsCredentials, { readonly token: string } | { readonly user: string }>;

function authenticator(vendor: NatsAuthenticators, credentials: KeyCredentials): unknown {
  const encoder = new TextEncoder();
  let name = "creds";
  try {
    if ("creds" in credentials) {
      const { creds } = credentials;
      // The client looks into it when the server asks: too late to name the option.
      if (!/BEGIN NATS USER JWT/.test(creds) || !/BEGIN USER NKEY SEED/.test(creds)) throw new Error();
      return vendor.credsAuthenticator(encoder.encode(creds));
    }
    name = "nkeySeed";
    if (!/^SU[A-Z2-7]{56}$/.test(credentials.nkeySeed)) throw new Error();
    const seed = encoder.encode(credentials.nkeySeed);
    if (!("jwt" in credentials)) return vendor.nkeyAuthenticator(seed);
    name = "jwt";
    if (credentials.jwt.split(".").length !== 3) throw new Error();
    return vendor.jwtAuthenticator(credentials.jwt, seed);
  } catch {
    // Without the cause: it may quote the secret.
    throw new EventError("invalid-option", `nats.credentials.${name} is not what NATS calls by that name`);
  }
}

function text(name: string, value: unknown): string {
  if (typeof value === "string" && value !== "") return value;
  throw new EventError("invalid-option", `nats.credentials.${name} must be a string that is not empty`);
}
