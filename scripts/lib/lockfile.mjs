/**
 * Reading package-lock.json: what it misses, and whether node_modules matches it.
 *
 * @typedef {{ version?: string, optional?: boolean, peer?: boolean, link?: boolean, optionalDependencies?: Record<string, string> }} LockEntry
 * @typedef {{ packages: Record<string, LockEntry> }} Lock
 */

/** The keys under which npm looks for `name` from the package at `key`, nearest first. */
function candidates(key, name) {
  const keys = [];
  for (let base = key; ; ) {
    keys.push(base === "" ? `node_modules/${name}` : `${base}/node_modules/${name}`);
    if (base === "") return keys;
    const cut = base.lastIndexOf("node_modules/");
    base = cut <= 0 ? "" : base.slice(0, cut - 1);
  }
}

/**
 * Optional packages that some package names and the lock file lacks.
 *
 * @param {Lock} lock
 * @returns {{ parent: string, name: string, range: string }[]}
 */
export function missingOptionals(lock) {
  const missing = [];
  for (const [parent, entry] of Object.entries(lock.packages)) {
    for (const [name, range] of Object.entries(entry.optionalDependencies ?? {})) {
      if (!candidates(parent, name).some((key) => lock.packages[key] !== undefined))
        missing.push({ parent, name, range });
    }
  }
  return missing;
}

const systems = ["android", "darwin", "freebsd", "linux", "netbsd", "openbsd", "openharmony", "sunos", "win32"];
const processors = ["arm", "arm64", "ia32", "loong64", "mips64el", "ppc64", "riscv64", "s390x", "x64"];

/**
 * The `os`, `cpu` and `libc` fields that a platform package's name tells, as `@biomejs/cli-linux-x64-musl` does.
 *
 * @param {string} name
 */
export function platformOf(name) {
  const words = name.split(/[/-]/);
  const os = systems.filter((system) => words.includes(system));
  const cpu = processors.filter((processor) => words.includes(processor));
  const musl = words.some((word) => word.startsWith("musl"));
  const glibc = words.some((word) => word.startsWith("gnu"));
  return {
    ...(os.length > 0 && { os }),
    ...(cpu.length > 0 && { cpu }),
    ...(os.includes("linux") && (musl || glibc) && { libc: [musl ? "musl" : "glibc"] }),
  };
}

/**
 * Why `installed` (node_modules/.package-lock.json) does not hold what `lock` asks for; undefined when it does.
 * Optional packages may be absent: most are for other platforms.
 *
 * @param {Lock} lock
 * @param {Lock} installed
 */
export function staleness(lock, installed) {
  for (const [key, wanted] of Object.entries(lock.packages)) {
    if (key === "" || wanted.link) continue;
    const found = installed.packages[key];
    if (found === undefined) {
      if (!wanted.optional) return `${key} is not installed`;
    } else if (found.version !== wanted.version) {
      return `${key} is ${found.version}, package-lock.json says ${wanted.version}`;
    }
  }
  return undefined;
}
