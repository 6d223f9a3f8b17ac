/** What Waybill refuses to write or read, whatever a transport would take. */
export interface Limits {
  /** Largest body of an event. Default: 1 MiB. */
  readonly maxEventBytes: number;
  /** Largest sum of header names and values. Default: 64 KiB. */
  readonly maxHeaderBytes: number;
  /** Most header values. Default: 256. */
  readonly maxHeaders: number;
  /** Deepest nesting of JSON data. Default: 64. */
  readonly maxJsonDepth: number;
}

/** The limits in force unless others are given. */
export const defaultLimits: Limits = {
  maxEventBytes: 1_048_576,
  maxHeaderBytes: 65_536,
  maxHeaders: 256,
  maxJsonDepth: 64,
};
