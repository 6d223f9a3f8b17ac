/** Where Waybill says what nobody asked for: `console` fits. Default: silence. */
export interface Logger {
  /** Reserved: Waybill calls `error` alone so far. */
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  /** Reserved, as `debug` is. */
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  /** Reserved, as `debug` is. */
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  /** Gets an error with `code` and origin in `fields`, or what an `onError` listener threw as `cause`. */
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}
