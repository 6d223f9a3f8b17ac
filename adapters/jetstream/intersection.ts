/** The subjects that match both patterns, as one pattern; undefined where there are none. */
export function intersection(one: string, other: string): string | undefined {
  const left = one.split(".");
  const right = other.split(".");
  const both: string[] = [];
  for (let n = 0; n < Math.max(left.length, right.length); n++) {
    const [a, b] = [left[n], right[n]];
    if (a === undefined || b === undefined) return undefined;
    if (a === ">") return [...both, ...right.slice(n)].join(".");
    if (b === ">") return [...both, ...left.slice(n)].join(".");
    if (a !== b && a !== "*" && b !== "*") return undefined;
    both.push(a === "*" ? b : a);
  }
  return both.join(".");
}
