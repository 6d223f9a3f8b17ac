import type { Delivery } from "../transport.ts";
import { redriveHeaders } from "./letter.ts";

/*
 * The front of a parked key: how far its line of letters goes, as far as that matters to the copies of a redrive. It
 * moves with an event that failed by itself and with a copy that followed once more, since letters of later events may
 * stand before theirs; not with an event that followed for the first time, which is later than all before it.
 *
 * It is written `<series>:<position>`. `<position>` is where the event occurred first. A series begins with a message,
 * after which it is named, and goes on as long as positions ascend. So a run that has read the letters up to some front
 * knows of every event up to its position that was set aside, for as long as the series lasts.
 */

/** The front with one more event set aside. `failed`: by itself, it did not follow another. */
export function nextFront(front: string | undefined, { message, position }: Delivery, failed: boolean): string {
  const { headers, timestampMs } = message;
  const again = failed || headers.get(redriveHeaders.count) !== undefined;
  if (front !== undefined && !again) return front;
  const own = originPosition({ message, position });
  const [series, last] = parse(front);
  return `${Number(own) > last ? series : `${position}@${timestampMs}`}:${own}`;
}

/** Whether the run that sent a copy, and had read the letters up to `known`, knew of everything that goes before it. */
export function isKnownUpTo(
  known: string | undefined,
  front: string,
  delivery: Pick<Delivery, "message" | "position">,
): boolean {
  if (known === front) return true;
  const [series, last] = parse(known);
  return series === parse(front)[0] && Number(originPosition(delivery)) <= last;
}

function originPosition({ message, position }: Pick<Delivery, "message" | "position">): string {
  return message.headers.get(redriveHeaders.originPosition) ?? position;
}

/** Positions that are no numbers compare as neither, so that each begins a series and copies have to know them all. */
function parse(front = ""): readonly [series: string, position: number] {
  const at = front.lastIndexOf(":");
  return [front.slice(0, at), at < 0 ? Number.NaN : Number(front.slice(at + 1))];
}
