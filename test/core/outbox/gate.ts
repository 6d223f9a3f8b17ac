/** Where one part of a test waits for another. */
export interface Gate {
  /** Resolves when {@link passed} was asked for. */
  readonly reached: Promise<void>;
  /** Asking for it tells that one waits here. */
  readonly passed: Promise<void>;
  pass(): void;
}

export function gate(): Gate {
  let pass = (): void => undefined;
  let reach = (): void => undefined;
  const passed = new Promise<void>((resolve) => {
    pass = resolve;
  });
  const reached = new Promise<void>((resolve) => {
    reach = resolve;
  });
  return {
    reached,
    get passed() {
      reach();
      return passed;
    },
    pass,
  };
}
