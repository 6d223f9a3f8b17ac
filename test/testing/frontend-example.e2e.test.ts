import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";

const at = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

interface Report {
  readonly testResults: readonly {
    readonly assertionResults: readonly { readonly title: string; readonly status: string }[];
  }[];
}

/** Runs one project of an example's tests in a process of its own: titles by status. */
function run(folder: string, project: string): Readonly<Record<string, readonly string[]>> {
  const report = at(`.cache/reports/${folder.replaceAll("/", "-")}-${project}.json`);
  mkdirSync(at(".cache/reports"), { recursive: true });
  rmSync(report, { force: true });
  const args = [at("node_modules/vitest/vitest.mjs"), "run", "--config", at(`${folder}/vitest.config.ts`)];
  const options = ["--project", project, "--reporter=json", `--outputFile=${report}`];
  // The runner of this test speaks to its own workers through the environment.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^VITEST/.test(name)));
  spawnSync(process.execPath, [...args, ...options], { cwd: at("."), env, stdio: "inherit", timeout: 150_000 });
  const byStatus: Record<string, string[]> = {};
  const { testResults } = JSON.parse(readFileSync(report, "utf8")) as Report;
  for (const { title, status } of testResults.flatMap(({ assertionResults }) => assertionResults)) {
    byStatus[status] ??= [];
    byStatus[status]?.push(title);
  }
  return byStatus;
}

const example = "examples/frontend-tests";
const titles = [...readFileSync(at(`${example}/cart-page.test.ts`), "utf8").matchAll(/^test\("(.+)",/gm)].map(
  ([, title]) => title,
);

const control = ".cache/frontend-tests-control";
afterAll(() => rmSync(at(control), { recursive: true, force: true }));

test.each(["node", "chromium"])("the tests of examples/frontend-tests pass in %s", (project) => {
  expect(titles.length).toBeGreaterThan(0);
  expect(run(example, project)).toEqual({ passed: titles });
});

test("without the broker behind the page's URL they fail", () => {
  cpSync(at(example), at(control), { recursive: true });
  const broker = readFileSync(at(`${control}/broker.ts`), "utf8");
  const elsewhere = broker.replace("natsHandler(servers", 'natsHandler("ws://localhost:9333"');
  expect(elsewhere).not.toBe(broker);
  writeFileSync(at(`${control}/broker.ts`), elsewhere);
  expect(run(control, "node")).toEqual({ failed: titles });
});
