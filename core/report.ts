import type { CloseReport } from "./transport.ts";

/** Adds reports up. */
export function sumReports(reports: readonly CloseReport[]): CloseReport {
  return reports.reduce(
    (sum, { unsent, unsettled }) => ({ unsent: sum.unsent + unsent, unsettled: sum.unsettled + unsettled }),
    { unsent: 0, unsettled: 0 },
  );
}
