/** Whether every subject that matches `inner` matches `outer` as well; both may hold `*` and a final `>`. */
export function covers(outer: string, inner: string): boolean {
  const wanted = outer.split(".");
  const given = inner.split(".");
  for (let n = 0; n < wanted.length; n++) {
    if (wanted[n] === ">") return n < given.length;
    if (given[n] === undefined || given[n] === ">") return false;
    if (wanted[n] !== "*" && wanted[n] !== given[n]) return false;
  }
  return wanted.length === given.length;
}

/** The subjects without those that another one covers. A consumer's filters may not overlap. */
export function widest(subjects: readonly string[]): string[] {
  const all = [...new Set(subjects)];
  return all.filter((subject) => !all.some((other) => other !== subject && covers(other, subject))).sort();
}

/** FNV-1a, 32 bits, over UTF-8: what the server's own `partition()` mapping uses. */
export function fnv1a(text: string): number {
  let value = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) value = Math.imul(value ^ byte, 0x01000193);
  return value >>> 0;
}
