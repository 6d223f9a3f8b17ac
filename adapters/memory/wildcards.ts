/** Where replies go: one destination per request, which only that request reads. */
export const inboxPrefix = "_INBOX.";

/** Whether the destination stands for others. */
export function isWildcard(destination: string): boolean {
  return /[*>]/.test(destination);
}

/**
 * Whether what is wanted takes the destination: `*` stands for one token and `>` for one or more, at the end or, as in
 * the dead letters of `order.>`, in front of a last token: `order.>.dlq`. Inboxes are reached by their names alone.
 */
export function takes(wanted: string, destination: string): boolean {
  if (wanted === destination) return true;
  if (!isWildcard(wanted) || destination.startsWith(inboxPrefix)) return false;
  const tokens = destination.split(".");
  const pattern = wanted.split(".");
  const rest = pattern.indexOf(">");
  if (rest < 0) return tokens.length === pattern.length && agree(pattern, tokens);
  const behind = pattern.slice(rest + 1);
  if (tokens.length < pattern.length) return false;
  return agree(pattern.slice(0, rest), tokens) && agree(behind, tokens.slice(tokens.length - behind.length));
}

function agree(pattern: readonly string[], tokens: readonly string[]): boolean {
  return pattern.every((token, i) => token === "*" || token === tokens[i]);
}
