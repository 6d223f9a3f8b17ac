/** One entry point of the package. */
export interface Entry {
  /** As in package.json: `./nats`. */
  readonly subpath: string;
  /** As users import it: `waybill/nats`. */
  readonly name: string;
  /** `adapters/nats/index.ts`. */
  readonly source: string;
  /** `dist/adapters/nats/index.js`. */
  readonly dist: string;
  /** `dist/adapters/nats/index.d.ts`. */
  readonly types: string;
}

export const manifest: {
  readonly name: string;
  readonly version: string;
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  readonly peerDependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
};
export const entries: readonly Entry[];
export const peers: readonly string[];
