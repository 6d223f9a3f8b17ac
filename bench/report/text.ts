import { type Due, type Figure, type Result, verdictOf } from "../result.ts";

const threeDigits = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });

/** `73,400/s`, `212 µs`. */
export function figure({ value, unit }: Figure): string {
  return `${threeDigits.format(value)}${unit === "per second" ? "/s" : ` ${unit}`}`;
}

/** Never rounded so that a missed due looks met. */
export function ratioText(ratio: number, due?: Due): string {
  const text = ratio.toFixed(2);
  if (due === undefined) return text;
  const [bound] = Object.values(due) as [number];
  const looksLike = Number(text) >= bound;
  const hides = "atLeast" in due ? looksLike !== ratio >= bound : Number(text) <= bound !== ratio <= bound;
  return hides ? ratio.toPrecision(5) : text;
}

/** `≥ 1.4`. */
export function dueText(due: Due): string {
  return "atLeast" in due ? `≥ ${due.atLeast}` : `≤ ${due.atMost}`;
}

/** What the terminal shows of a comparison. */
export function printed({ name, rows, smoke }: Result): string {
  const lines = rows.map((row) => {
    const { measure, ours, theirs, ratio, cpuRatio, due, rounds, heapGrowthMiB, note } = row;
    if (ours === undefined) return `${measure}: not run, ${note ?? "no reason given"}`;
    const verdict = due ? ` (due ${dueText(due)}, ${verdictOf(row)})` : "";
    const byCpu = cpuRatio === undefined ? "" : `, by processor time ${cpuRatio.toFixed(2)}`;
    const details = [
      ...[ours, theirs].flatMap((each) => (each ? [`${each.name} ${figure(each)}`] : [])),
      ...(rounds === undefined ? [] : [`${rounds} rounds`]),
      ...(heapGrowthMiB === undefined ? [] : [`heap ${heapGrowthMiB.toFixed(1)} MiB`]),
    ];
    const head = ratio === undefined ? measure : `${measure}: ${ratioText(ratio, due)}${verdict}${byCpu}`;
    return `${head}\n  ${details.join(" · ")}`;
  });
  return [`${name}${smoke ? " (smoke: these figures mean nothing)" : ""}`, ...lines, ""].join("\n");
}
