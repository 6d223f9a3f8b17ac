// Runs a cell in a page: `runOrder` is called by the test, the results go to the console.
import { pageTarget } from "./page-target.ts";
import { type CellOrder, runCell } from "./run-cell.ts";

declare global {
  interface Window {
    runOrder(order: CellOrder): Promise<void>;
  }
}

window.runOrder = async (order) => {
  for await (const result of runCell(pageTarget(order), order)) console.log(`RESULT ${JSON.stringify(result)}`);
};
