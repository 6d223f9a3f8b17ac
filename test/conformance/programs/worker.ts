// Runs a cell in workerd: one request runs all of it, since a socket is bound to the request that opened it.
import { pageTarget } from "./page-target.ts";
import { type CellOrder, runCell } from "./run-cell.ts";

const handler = {
  async fetch(request: Request): Promise<Response> {
    const order = (await request.json()) as CellOrder;
    const lines: string[] = [];
    try {
      for await (const result of runCell(pageTarget(order), order)) lines.push(`RESULT ${JSON.stringify(result)}`);
      lines.push("DONE");
    } catch (error) {
      lines.push(`ERROR ${error instanceof Error ? error.stack : String(error)}`);
    }
    return new Response(lines.join("\n"));
  },
};

// workerd takes the handler as the default export.
export { handler as default };
