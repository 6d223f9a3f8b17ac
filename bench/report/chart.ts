import { type Due, type Result, type Row, verdictOf } from "../result.ts";
import { dueText, ratioText } from "./text.ts";

type Drawn = Row & { readonly ratio: number; readonly due: Due };

const width = 860;
const labelWidth = 360;
const plotWidth = 400;
const rowHeight = 24;
const headHeight = 34;
const barHeight = 14;

const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");

// Colours of its own for light and for dark; what a miss is, is also said in words.
const style = `
  text { font: 13px system-ui, sans-serif; fill: #1f2328; }
  .head { font-weight: 600; }
  .small { font-size: 11px; fill: #59636e; }
  .met { fill: #2f6fb5; }
  .missed { fill: #b5542f; }
  .due { stroke: #1f2328; stroke-width: 2; }
  .grid { stroke: #d1d9e0; }
  .one { stroke: #59636e; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .small { fill: #9198a1; }
    .met { fill: #6cb0ff; }
    .missed { fill: #ff9a6c; }
    .due { stroke: #f0f6fc; }
    .grid { stroke: #3d444d; }
    .one { stroke: #9198a1; }
  }`;

const boundOf = (due: Due): number => ("atLeast" in due ? due.atLeast : due.atMost);

/** Powers of two that hold every ratio and every due, with one among them. */
function ticksFor(rows: readonly Drawn[]): number[] {
  const logs = rows.flatMap(({ ratio, due }) => [Math.log2(ratio), Math.log2(boundOf(due))]);
  const from = Math.min(-1, Math.floor(Math.min(...logs)));
  const to = Math.max(1, Math.ceil(Math.max(...logs)));
  return Array.from({ length: to - from + 1 }, (_, n) => 2 ** (from + n));
}

/** One group of bars on a logarithmic axis: equal steps are equal factors, and a bar begins at one. */
function group(heading: string, rows: readonly Drawn[], top: number): string[] {
  const ticks = ticksFor(rows);
  const [from, to] = [Math.log2(ticks[0]!), Math.log2(ticks.at(-1)!)];
  const x = (ratio: number): number => labelWidth + ((Math.log2(ratio) - from) / (to - from)) * plotWidth;
  const at = (value: number): string => value.toFixed(1);
  const bottom = top + headHeight + rows.length * rowHeight;
  const axis = ticks.flatMap((tick) => [
    `<line class="${tick === 1 ? "one" : "grid"}" x1="${at(x(tick))}" x2="${at(x(tick))}" y1="${top + headHeight - 6}" y2="${bottom}"/>`,
    `<text class="small" x="${at(x(tick))}" y="${bottom + 14}" text-anchor="middle">${tick}</text>`,
  ]);
  const bars = rows.flatMap((row, n) => {
    const { measure, ratio, due } = row;
    const y = top + headHeight + n * rowHeight;
    const missed = verdictOf(row) === "MISSED";
    const [left, right] = [Math.min(x(1), x(ratio)), Math.max(x(1), x(ratio))];
    const value = `${ratioText(ratio, due)}${missed ? " MISSED" : ""}`;
    const dueAt = at(x(boundOf(due)));
    return [
      `<text x="${labelWidth - 10}" y="${y + barHeight - 2}" text-anchor="end">${escaped(measure)}</text>`,
      `<rect class="${missed ? "missed" : "met"}" x="${at(left)}" y="${y}" width="${at(Math.max(1, right - left))}" height="${barHeight}"/>`,
      `<line class="due" x1="${dueAt}" x2="${dueAt}" y1="${y - 3}" y2="${y + barHeight + 3}"/>`,
      `<text class="small" x="${at(Math.max(right, x(boundOf(due))) + 6)}" y="${y + barHeight - 2}">${value}</text>`,
    ];
  });
  return [`<text class="head" x="10" y="${top + 16}">${escaped(heading)}</text>`, ...axis, ...bars];
}

const groups = [
  { heading: "Faster than theirs: longer is better", bound: "atLeast" },
  { heading: "Growth of cost or heap: shorter is better", bound: "atMost" },
] as const;

/** docs/benchmarks.svg: every ratio that has a due, with the due as a mark. */
export function ratioChart(results: readonly Result[]): string {
  const rows = results
    .filter(({ smoke }) => !smoke)
    .flatMap((result) => result.rows)
    .filter((row): row is Drawn => row.ratio !== undefined && row.ratio > 0 && row.due !== undefined);
  const parts: string[] = [];
  let top = 10;
  for (const { heading, bound } of groups) {
    const own = rows.filter(({ due }) => bound in due);
    if (own.length === 0) continue;
    parts.push(...group(heading, own, top));
    top += headHeight + own.length * rowHeight + 34;
  }
  const said = rows.map(
    (row) => `${row.measure}: ${ratioText(row.ratio, row.due)}, due ${dueText(row.due)}, ${verdictOf(row)}.`,
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${top}" width="${width}" height="${top}" role="img" aria-labelledby="title desc">`,
    '<title id="title">Ratios of the benchmarks and their dues</title>',
    `<desc id="desc">${escaped(said.length > 0 ? said.join(" ") : "Nothing was measured yet.")}</desc>`,
    `<style>${style}\n</style>`,
    ...parts,
    "</svg>",
    "",
  ].join("\n");
}
