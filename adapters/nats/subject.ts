// Any of these would end the command early, and the rest would be commands of its own.
const BREAKS_COMMAND = /[\s\0]/;

/** Whether a subject or group can stand in a command of the protocol. Wildcards are for the bus to judge. */
export function isToken(name: string): boolean {
  return name !== "" && !BREAKS_COMMAND.test(name);
}

/** A name for an error message: quoted, and no longer than a line. */
export function shown(name: string): string {
  return JSON.stringify(name).slice(0, 80);
}
