/**
 * Patterns over dotted names: `*` stands for one token, a final `**` for one or more.
 * `order.*` matches `order.placed`, `order.**` matches `order.item.added` as well, `**` everything.
 */
export function matches(pattern: string, name: string): boolean {
  if (pattern === "**" || pattern === name) return true;
  if (!pattern.includes("*")) return false;
  const tokens = name.split(".");
  const wanted = pattern.split(".");
  if (wanted[wanted.length - 1] === "**") {
    wanted.pop();
    if (tokens.length <= wanted.length) return false;
  } else if (tokens.length !== wanted.length) return false;
  return wanted.every((token, i) => token === "*" || token === tokens[i]);
}

/** Whether the text has a wildcard. */
export function isPattern(text: string): boolean {
  return text.includes("*");
}
