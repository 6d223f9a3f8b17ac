/** Whether some name can match both patterns. */
export function overlap(a: string, b: string): boolean {
  const left = a.split(".");
  const right = b.split(".");
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    if (left[i] === "**" || right[i] === "**") return true;
    if (left[i] !== right[i] && left[i] !== "*" && right[i] !== "*") return false;
  }
  return left.length === right.length;
}

/** Destinations that no wildcard reaches: dead letters, retries and parked events. */
export const setAside: RegExp = /\.(dlq|retry|parked)$/;
