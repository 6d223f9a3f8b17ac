/** One row of `npm run size`. */
export interface SizeRow {
  readonly name: string;
  /** The entry point, for the rows that measure one whole. */
  readonly entry?: string;
  /** Gzipped bytes that a page loads at once. */
  readonly bytes?: number;
  /** Gzipped bytes that it loads by a dynamic import when they are needed. */
  readonly onDemandBytes?: number;
  readonly budgetBytes?: number;
  readonly reason?: string;
  /** Why the row failed. */
  readonly problem?: string;
}
export function measureSizes(): Promise<readonly SizeRow[]>;
