import { EventError } from "../../core/errors.ts";

/** A user name and a password. They appear in no error and no log of this package. */
export interface PasswordSasl {
  /** `plain` sends the password itself, so use it with TLS only. */
  readonly mechanism: "plain" | "scram-sha-256" | "scram-sha-512";
  /** Not empty. */
  readonly username: string;
  /** Not empty. */
  readonly password: string;
}

/** A bearer token, asked for whenever a client connects and before the last one ends. */
export interface BearerSasl {
  /** Tells a token from a password. */
  readonly mechanism: "oauthbearer";
  /** Resolves with the token. Its `exp` and `sub`, where it is a JWT, tell how long it lasts and whose it is. */
  readonly token: () => Promise<string>;
}

/** How a client proves to the brokers who it is. */
export type SaslOptions = PasswordSasl | BearerSasl;

/** TLS towards the brokers. */
export interface TlsOptions {
  /** Trusted authorities, PEM. Default: the host's. */
  readonly ca?: string | undefined;
  /** Client certificate, PEM. */
  readonly cert?: string | undefined;
  /** Key of the client certificate, PEM. */
  readonly key?: string | undefined;
}

/** What both drivers take about security. */
export interface SecurityOptions {
  /** Default: no TLS. `true` trusts the host's authorities. */
  readonly tls?: boolean | TlsOptions | undefined;
  /** Default: no SASL. */
  readonly sasl?: SaslOptions | undefined;
}

const passwordMechanisms = ["plain", "scram-sha-256", "scram-sha-512"];

/** Throws `invalid-option` for security that cannot work, and names no secret. */
export function checkSecurity({ sasl }: SecurityOptions): void {
  if (!sasl) return;
  const mechanism: string = sasl.mechanism;
  if (sasl.mechanism === "oauthbearer") {
    if (typeof sasl.token !== "function") throw refused("sasl.token", "a function that resolves with the token");
  } else if (!passwordMechanisms.includes(mechanism)) {
    throw refused("sasl.mechanism", `oauthbearer or one of ${passwordMechanisms.join(", ")}, not "${mechanism}"`);
  } else {
    for (const name of ["username", "password"] as const) {
      if (typeof sasl[name] !== "string" || sasl[name] === "")
        throw refused(`sasl.${name}`, "a string that is not empty");
    }
  }
}

function refused(name: string, wanted: string): EventError {
  return new EventError("invalid-option", `${name}: ${wanted}`);
}
