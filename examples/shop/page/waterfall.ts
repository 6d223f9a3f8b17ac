import { arrange, type SpanRecord } from "../spans.ts";

const svg = "http://www.w3.org/2000/svg";

/** Draws the spans of one trace as bars over a common time. Text goes in as text, never as markup. */
export function drawWaterfall(target: HTMLElement, spans: readonly SpanRecord[]): void {
  const { tree, orphans } = arrange(spans);
  const rows = [...tree, ...orphans.map((span) => ({ ...span, depth: 0 }))];
  const start = Math.min(...rows.map(({ startMs }) => startMs));
  const total = Math.max(...rows.map(({ endMs }) => endMs)) - start || 1;
  target.replaceChildren(
    ...rows.map(({ name, service, depth, startMs, endMs }) => {
      const row = element("div", "row");
      const label = element("span", "name");
      label.append(
        "\u2003".repeat(depth),
        name,
        " ",
        Object.assign(document.createElement("small"), { textContent: service }),
      );
      const bar = document.createElementNS(svg, "svg");
      const rect = document.createElementNS(svg, "rect");
      rect.setAttribute("x", `${((startMs - start) / total) * 100}%`);
      rect.setAttribute("width", `${Math.max(((endMs - startMs) / total) * 100, 0.6)}%`);
      rect.setAttribute("height", "16");
      rect.setAttribute("rx", "3");
      rect.setAttribute("class", service);
      bar.append(rect);
      const ms = element("span", "ms");
      ms.textContent = `${(endMs - startMs).toFixed(1)} ms`;
      row.append(label, bar, ms);
      return row;
    }),
  );
}

function element(tag: string, className: string): HTMLElement {
  return Object.assign(document.createElement(tag), { className });
}
