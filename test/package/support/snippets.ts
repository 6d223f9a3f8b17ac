import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Complaint, complaints, programOf } from "./compile.ts";
import { root } from "./sources.ts";

/** One code fence marked `ts`. */
export interface Snippet {
  /** Where it stands, relative to the root. */
  readonly file: string;
  /** The line of its first line of code, from 1. */
  readonly line: number;
  readonly code: string;
}

// A fence may be indented, or stand in a docstring behind ` * `.
const fence = /^(?<lead>[ \t]*(?:\* ?)?[ \t]*)```ts[ \t]*\n(?<body>[\s\S]*?)^[ \t]*(?:\* ?)?[ \t]*```/gm;

/** The `ts` fences of a Markdown file or of the docstrings of a source. Code that should not compile is marked `text`. */
export function snippetsIn(file: string, text: string): Snippet[] {
  return [...text.matchAll(fence)].map((match) => {
    const { lead = "", body = "" } = match.groups ?? {};
    const bare = lead.trimEnd();
    const strip = (line: string): string =>
      line.startsWith(lead) ? line.slice(lead.length) : line.trimEnd() === bare ? "" : line;
    return {
      file,
      line: text.slice(0, match.index).split("\n").length + 1,
      code: body.split("\n").map(strip).join("\n"),
    };
  });
}

/** The name that a snippet gives itself in its first line: `// events.ts`. Others of the document import it by that. */
function nameOf({ code }: Snippet): string | undefined {
  return /^\/\/ ([\w-]+\.ts)$/m.exec(code.split("\n", 1)[0]!)?.[1];
}

/** Compiles every snippet as a module of its own against the sources. Complaints name the place in the document. */
export function checkSnippets(name: string, snippets: readonly Snippet[]): Complaint[] {
  const folder = join(".cache", "snippets", name);
  rmSync(join(root, folder), { recursive: true, force: true });
  mkdirSync(join(root, folder), { recursive: true });
  const byFile = new Map<string, Snippet>();
  for (const [index, snippet] of snippets.entries()) {
    const document = snippet.file.replaceAll(/[^\w.-]/g, "_").replace(/\.\w+$/, "");
    mkdirSync(join(root, folder, document), { recursive: true });
    const path = join(folder, document, nameOf(snippet) ?? `${index}.ts`);
    if (byFile.has(path)) throw new Error(`${snippet.file}:${snippet.line}: a second snippet of that name`);
    writeFileSync(join(root, path), `${snippet.code}\nexport {};\n`);
    byFile.set(path, snippet);
  }
  const program = programOf("tsconfig.json", [...byFile.keys()], { isolatedDeclarations: false, declaration: false });
  return complaints(program).map((complaint) => {
    const snippet = byFile.get(complaint.file);
    return snippet ? { ...complaint, file: snippet.file, line: snippet.line + complaint.line - 1 } : complaint;
  });
}

/** Reads and extracts in one go. */
export function snippetsOf(files: readonly string[]): Snippet[] {
  return files.flatMap((file) => snippetsIn(file, readFileSync(join(root, file), "utf8")));
}
