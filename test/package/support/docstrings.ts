import { relative } from "node:path";
import ts from "typescript";
import { root } from "./sources.ts";

/** Exported symbols of `file` without a docstring, as `name (where it is declared)`. */
export function undocumented(program: ts.Program, file: string): string[] {
  const checker = program.getTypeChecker();
  const source = program.getSourceFile(file);
  const module = source && checker.getSymbolAtLocation(source);
  if (!module) return [];
  return checker
    .getExportsOfModule(module)
    .map((exported) => (exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported))
    .filter((symbol) => symbol.getDocumentationComment(checker).length === 0)
    .map((symbol) => {
      const declaration = symbol.declarations?.[0];
      return `${symbol.name} (${declaration ? relative(root, declaration.getSourceFile().fileName) : file})`;
    });
}
