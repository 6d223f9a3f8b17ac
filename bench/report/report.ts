/** What scripts/bench.mjs makes the page with. */
export { comparisons, themes } from "../registry.ts";
export { ratioChart } from "./chart.ts";
export { benchmarksPage } from "./page.ts";
