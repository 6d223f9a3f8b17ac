/**
 * What failed, to be looked at and mended: list, show, redrive, park, discard.
 *
 * @module
 */
export type { LetterReason } from "../delivery/letter.ts";
export {
  createDeadLetterQueue,
  type DeadLetterBus,
  type DeadLetterQueue,
  type DeadLetterQueueOptions,
  type ListOptions,
  type NoteOptions,
} from "./dead-letter-queue.ts";
export type { LetterFilter } from "./letter-filter.ts";
export type { Letter, LetterStatus } from "./letter-view.ts";
export type { RedriveOptions, RedriveProgress, RedriveReport } from "./redrive.ts";
export type { RedriveTarget } from "./target.ts";
