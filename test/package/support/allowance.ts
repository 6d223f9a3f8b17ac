import type { Reach } from "./graph.ts";

/** What an entry point may bring along, by where its source lies. */
interface Allowance {
  /** Own files. */
  readonly files: RegExp;
  /** Loaded at once, beside the OpenTelemetry API. */
  readonly eager: RegExp;
  /** Behind an `import()`. */
  readonly lazy: RegExp;
}

const api = "@opentelemetry/api";
const none = /^$/;
const natsVendors = /^(@nats-io\/.+|nats\.ws|ws)$/;
const allVendors = /^(@nats-io\/.+|nats\.ws|ws|@confluentinc\/.+|@platformatic\/.+)$/;

function allowance(source: string): Allowance {
  const [layer, part] = source.split("/");
  if (layer === "core") return { files: /^core\//, eager: none, lazy: none };
  if (layer === "adapters") {
    const vendors = part === "kafka" ? /^@(confluentinc|platformatic)\/.+$/ : part === "memory" ? none : natsVendors;
    // JetStream is spoken over a NATS connection.
    const own = part === "jetstream" ? "(jetstream|nats)" : part;
    return { files: new RegExp(`^(core|adapters/${own})/`), eager: none, lazy: vendors };
  }
  if (layer === "testing") return { files: /^(core|testing|adapters\/memory)\//, eager: /^node:/, lazy: /^(ws|msw)$/ };
  if (part === "browser" || part === "edge") {
    return {
      files: new RegExp(`^(core|adapters/(?!kafka/)|runtimes/(${part}|shared)/)`),
      eager: none,
      lazy: natsVendors,
    };
  }
  return { files: new RegExp(`^(core|adapters|runtimes/(${part}|shared))/`), eager: /^node:/, lazy: allVendors };
}

/** What the entry at `source` brings along and may not, as `file …`, `at once …` or `on demand …`. */
export function trespasses(source: string, { files, eager, lazy }: Reach): string[] {
  const allowed = allowance(source);
  return [
    ...files.filter((file) => !allowed.files.test(file)).map((file) => `file ${file}`),
    ...eager.filter((name) => name !== api && !allowed.eager.test(name)).map((name) => `at once ${name}`),
    ...lazy
      .filter((name) => name !== api && !allowed.lazy.test(name) && !allowed.eager.test(name))
      .map((name) => `on demand ${name}`),
  ];
}
