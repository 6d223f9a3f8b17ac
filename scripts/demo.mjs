// `npm run demo`: the shop of examples/shop on this machine alone. Needs Node and the npm packages, nothing native.
import { runMain } from "./lib/run-main.mjs";

await runMain("examples/shop/main.ts");
