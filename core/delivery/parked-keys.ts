import type { Environment } from "../environment.ts";
import type { Delivery } from "../transport.ts";
import type { DeadLetters } from "./dead-letters.ts";

/** The keys of a group whose later events follow one that failed. */
export interface ParkedKeys {
  /** Whether the event of this delivery has to follow. */
  holds(delivery: Delivery): Promise<boolean>;
  /** An event of the key is set aside as that letter: what comes after it follows. */
  park(delivery: Delivery, key: string, letter: string): Promise<void>;
  /** Everything up to that letter was redriven. The key is free unless something followed since. */
  release(delivery: Delivery, letter: string): Promise<void>;
}
export async function openParkedKeys(_env: Environment, _letters: DeadLetters, _group: string): Promise<ParkedKeys> {
  throw new Error("to come");
}
