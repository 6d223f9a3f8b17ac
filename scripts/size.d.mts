/** The measured size of one entry, or of a combination that the README names. */
export interface SizeRow {
  readonly name: string;
  readonly bytes?: number;
  readonly budgetBytes?: number;
  readonly reason?: string;
  /** Why the row fails. */
  readonly problem?: string;
}

export function measureSizes(): Promise<SizeRow[]>;
