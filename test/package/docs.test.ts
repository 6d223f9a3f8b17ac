import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { programOf } from "./support/compile.ts";
import { undocumented, undocumentedMembers } from "./support/docstrings.ts";
import { deadLinks } from "./support/links.ts";
import { checkSnippets, snippetsOf } from "./support/snippets.ts";
import { filesBelow, layers, root, writtenEntries } from "./support/sources.ts";

const at = (file: string): string => join(root, file);

describe("docstrings", () => {
  const sources = writtenEntries.map(({ source }) => source);
  const program = programOf("tsconfig.json", sources);

  test.each(writtenEntries)("$name documents every export", ({ source }) => {
    expect(undocumented(program, at(source))).toEqual([]);
  });

  test("a missing one is found", () => {
    const fixture = "test/fixtures/docs/undocumented.ts";
    const names = undocumented(programOf("tsconfig.json", [fixture]), at(fixture));
    expect(names).toEqual([`bare (${fixture})`, `BareOptions (${fixture})`]);
  });

  test.each(writtenEntries)("$name documents every member of its exported types", ({ source }) => {
    expect(undocumentedMembers(program, at(source))).toEqual([]);
  });

  test("a member without one is found", () => {
    const fixture = "test/fixtures/docs/undocumented.ts";
    expect(undocumentedMembers(programOf("tsconfig.json", [fixture]), at(fixture))).toEqual([
      "BareClass.accessor",
      "BareClass.method",
      "BareOptions.name",
      "BareShape.field",
    ]);
  });
});

describe("code in documents", () => {
  const show = ({ file, line, message }: { file: string; line: number; message: string }): string =>
    `${file}:${line}: ${message}`;

  test("compiles in README.md, CONTRIBUTING.md and docs", () => {
    const documents = ["README.md", "CONTRIBUTING.md"].filter((file) => existsSync(at(file)));
    const snippets = snippetsOf([...documents, ...filesBelow("docs", ".md"), ...filesBelow("examples", ".md")]);
    expect(checkSnippets("documents", snippets).map(show)).toEqual([]);
  });

  test("compiles in the examples of docstrings", () => {
    const snippets = snippetsOf(layers.flatMap((layer) => filesBelow(layer, ".ts")));
    expect(checkSnippets("examples", snippets).map(show)).toEqual([]);
  });

  test("that does not compile is found, at its own line", () => {
    const files = ["test/fixtures/docs/broken.md", "test/fixtures/docs/broken-example.ts"];
    const snippets = snippetsOf(files);
    expect(snippets.map(({ line }) => line)).toEqual([4, 16, 6]);
    const found = checkSnippets("broken", snippets).map(({ file, line }) => `${file}:${line}`);
    expect(found.sort()).toEqual([`${files[1]}:6`, `${files[0]}:4`, `${files[0]}:6`].sort());
  });
});

describe("links in documents", () => {
  test("lead to files that are there", () => {
    const documents = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"];
    expect(deadLinks([...documents, ...filesBelow("docs", ".md"), ...filesBelow("examples", ".md")])).toEqual([]);
  });

  test("that lead nowhere are found, at their lines", () => {
    const fixture = "test/fixtures/docs/links.md";
    expect(deadLinks([fixture])).toEqual([`${fixture}:5: missing.md`]);
  });
});
