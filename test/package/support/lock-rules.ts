/** One package of a lock file, as far as the guards look. */
export interface LockPackage {
  readonly integrity?: string;
  readonly resolved?: string;
  readonly link?: boolean;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly os?: readonly string[];
  readonly hasInstallScript?: boolean;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>;
}

/** A package-lock.json. The package itself has the key `""`. */
export interface Lock {
  readonly packages: Readonly<Record<string, LockPackage>>;
}

/** Where npm finds `name` from the package at `key`: beside it, or in a folder further out. */
function resolve({ packages }: Lock, key: string, name: string): string | undefined {
  for (let base = key; ; base = base.slice(0, Math.max(0, base.lastIndexOf("node_modules/") - 1))) {
    const candidate = `${base === "" ? "" : `${base}/`}node_modules/${name}`;
    if (packages[candidate] !== undefined) return candidate;
    if (base === "") return undefined;
  }
}

/** What one package brings along. The package itself brings every peer: a user installs them beside it. */
function broughtBy(key: string, entry: LockPackage): string[] {
  const isNeeded = (peer: string): boolean => key === "" || entry.peerDependenciesMeta?.[peer]?.optional !== true;
  return [
    ...Object.keys(entry.dependencies ?? {}),
    ...Object.keys(entry.optionalDependencies ?? {}),
    ...Object.keys(entry.peerDependencies ?? {}).filter(isNeeded),
  ];
}

/** The keys of everything that a user installs with the package and all of its peers. */
export function usersPackages(lock: Lock): string[] {
  const keys = new Set([""]);
  for (const key of keys) {
    const entry = lock.packages[key];
    for (const name of entry === undefined ? [] : broughtBy(key, entry)) {
      const found = resolve(lock, key, name);
      if (found !== undefined) keys.add(found);
    }
  }
  return [...keys].filter((key) => key !== "").sort();
}

/** Packages of users that run a script when they are installed. */
export function installScripts(lock: Lock): string[] {
  return usersPackages(lock).filter((key) => lock.packages[key]?.hasInstallScript === true);
}

/**
 * Packages whose content nothing vouches for. A development tool's binary for another platform may be one:
 * `scripts/complete-lock.mjs` adds those by name alone.
 */
export function withoutIntegrity(lock: Lock): string[] {
  const users = new Set(usersPackages(lock));
  const isOtherPlatforms = (key: string, { dev, optional, os }: LockPackage): boolean =>
    !users.has(key) && dev === true && optional === true && os !== undefined;
  return Object.entries(lock.packages)
    .filter(([key, entry]) => key !== "" && entry.link !== true && entry.integrity === undefined)
    .filter(([key, entry]) => !isOtherPlatforms(key, entry))
    .map(([key]) => key);
}

/** Packages that name the host they came from. */
export function withHost(lock: Lock): string[] {
  return Object.keys(lock.packages).filter((key) => lock.packages[key]?.resolved !== undefined);
}
