// `npm run conformance -- --runtime <name> --transport <name>` runs one cell of the support table, `npm run conformance:all`
// every one; `-- --write` records the outcome in docs/results, docs/conformance.md and README.md.
import { at } from "./lib/paths.mjs";
import { run } from "./lib/run.mjs";
import { setUp } from "./setup-test.mjs";

if ((await setUp()).length > 0) process.exit(1);
const args = ["--import", "tsx", at("test/conformance/main.ts"), ...process.argv.slice(2)];
const { code } = await run(process.execPath, args);
process.exit(code);
