// `npm run bench`: the measurements of bench/.
import { runMain } from "./lib/run-main.mjs";

await runMain("bench/main.ts");
