import { nkeys } from "@nats-io/nats-core";

/** Keys and configuration of a nats-server that knows its users by JWT. */
export interface JwtSetup {
  /** For `startNatsServer({ config })`. */
  readonly config: string;
  readonly jwt: string;
  readonly nkeySeed: string;
  /** What a `.creds` file of that user holds. */
  readonly creds: string;
}

type KeyPair = ReturnType<typeof nkeys.createUser>;

const base64url = (data: string | Uint8Array): string => Buffer.from(data).toString("base64url");
const seedOf = (key: KeyPair): string => new TextDecoder().decode(key.getSeed());

/** A JWT as NATS has them: signed with an nkey. */
function signed(issuer: KeyPair, subject: KeyPair, name: string, nats: object): string {
  const claims = {
    jti: name,
    iat: Math.floor(Date.now() / 1000),
    iss: issuer.getPublicKey(),
    sub: subject.getPublicKey(),
    name,
    nats: { version: 2, ...nats },
  };
  const text = `${base64url('{"typ":"JWT","alg":"ed25519-nkey"}')}.${base64url(JSON.stringify(claims))}`;
  return `${text}.${base64url(issuer.sign(new TextEncoder().encode(text)))}`;
}

/** Makes an operator, an account and a user of it. */
export function jwtSetup(): JwtSetup {
  const operator = nkeys.createOperator();
  const account = nkeys.createAccount();
  const user = nkeys.createUser();
  const unlimited = { subs: -1, data: -1, payload: -1, imports: -1, exports: -1, wildcards: true, conn: -1, leaf: -1 };
  const accountJwt = signed(operator, account, "A", { type: "account", limits: unlimited });
  const jwt = signed(account, user, "U", { type: "user", subs: -1, data: -1, payload: -1 });
  const nkeySeed = seedOf(user);
  const rule = (text: string): string => `-----${text}-----`;
  return {
    config: [
      `operator: ${signed(operator, operator, "O", { type: "operator" })}`,
      "resolver: MEMORY",
      `resolver_preload: { ${account.getPublicKey()}: ${accountJwt} }`,
    ].join("\n"),
    jwt,
    nkeySeed,
    creds: [
      rule("BEGIN NATS USER JWT"),
      jwt,
      rule("-END NATS USER JWT-"),
      "",
      rule("BEGIN USER NKEY SEED"),
      nkeySeed,
      rule("-END USER NKEY SEED-"),
      "",
    ].join("\n"),
  };
}

/** An nkey and the configuration of a server that knows it. */
export function nkeySetup(): { readonly config: string; readonly nkeySeed: string; readonly strangerSeed: string } {
  const user = nkeys.createUser();
  return {
    config: `authorization { users: [ { nkey: ${user.getPublicKey()} } ] }`,
    nkeySeed: seedOf(user),
    strangerSeed: seedOf(nkeys.createUser()),
  };
}
