/** A token as the binding wants it. */
export interface VendorToken {
  readonly tokenValue: string;
  /** When it ends, in Unix milliseconds. */
  readonly lifetime: number;
  readonly principal: string;
}

/** How long a token is taken to last that does not tell. librdkafka asks again at 80 % of it. */
const unknownLifetimeMs = 300_000;

/** Reads from a JWT when it ends and whose it is. Any other token is sent all the same. */
export function bearerToken(token: string): VendorToken {
  const { exp, sub } = claims(token);
  return {
    tokenValue: token,
    lifetime: typeof exp === "number" ? exp * 1_000 : Date.now() + unknownLifetimeMs,
    principal: typeof sub === "string" ? sub : "",
  };
}

function claims(token: string): { exp?: unknown; sub?: unknown } {
  try {
    const base64 = (token.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/");
    const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
    return (JSON.parse(new TextDecoder().decode(bytes)) as object | null) ?? {};
  } catch {
    return {};
  }
}
