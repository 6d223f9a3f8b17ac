import type { Timer } from "../clock.ts";
import type { Noted } from "./letter-notes.ts";
import type { StoredLetter } from "./letter-view.ts";
import { claimMs, type Letters } from "./letters.ts";

/** A letter whose copy is on its way. */
export interface HeldClaim {
  readonly stored: StoredLetter;
  /** As it was renewed last. */
  claim: Noted;
  /** A renewal whose answer is not there yet. */
  renewing: Promise<void> | undefined;
}

/**
 * Renews claims while their copies are on their way, however long a transport waits for its connection: no other run
 * takes this one for dead. One timer for all of them.
 */
export interface HeldClaims {
  hold(stored: StoredLetter, claim: Noted): HeldClaim;
  /** Resolves with the claim as it stands, which is renewed no more. */
  end(held: HeldClaim): Promise<Noted>;
  /** Stops the timer. */
  close(): void;
}

const roundMs = claimMs / 3;

/** Makes the claims of a run. */
export function createHeldClaims({ notes, env: { clock } }: Letters): HeldClaims {
  const all = new Set<HeldClaim>();
  let timer: Timer | undefined;

  async function renew(held: HeldClaim): Promise<void> {
    const { stored, claim } = held;
    try {
      const renewed = await notes.set(stored, { ...claim.note!, atMs: clock.now() }, claim);
      if (renewed) held.claim = renewed;
      else all.delete(held); // what another run took over stays lost: the last note will say so
    } catch {
      // It may be written all the same.
      const found = await notes.get(stored).catch(() => undefined);
      if (found?.note?.status === "redriving" && found.note.run === claim.note!.run) held.claim = found;
    }
    held.renewing = undefined;
  }

  function round(): void {
    timer = undefined;
    const now = clock.now();
    for (const held of all) {
      // By the next round it would be late.
      if (now - held.claim.note!.atMs >= roundMs) held.renewing ??= renew(held);
    }
    watch();
  }

  function watch(): void {
    if (all.size > 0) timer ??= clock.after(roundMs, round);
  }

  return {
    hold(stored, claim) {
      const held: HeldClaim = { stored, claim, renewing: undefined };
      all.add(held);
      if (!timer) watch();
      return held;
    },
    async end(held) {
      all.delete(held);
      await held.renewing;
      return held.claim;
    },
    close: () => timer?.cancel(),
  };
}
