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

/** The members that `declaration` gives to users: no private ones, no constructors and signatures without a name. */
function membersOf(declaration: ts.Declaration): (ts.ClassElement | ts.TypeElement)[] {
  const members =
    ts.isInterfaceDeclaration(declaration) || ts.isClassDeclaration(declaration)
      ? [...declaration.members]
      : ts.isTypeAliasDeclaration(declaration) && ts.isTypeLiteralNode(declaration.type)
        ? [...declaration.type.members]
        : [];
  const hidden = ts.ModifierFlags.Private | ts.ModifierFlags.Protected;
  return members.filter(
    (member) =>
      member.name !== undefined &&
      !ts.isPrivateIdentifier(member.name) &&
      (ts.getCombinedModifierFlags(member) & hidden) === 0,
  );
}

/** Members of the interfaces, classes and object types that `file` exports without a docstring: `Type.member`, sorted. */
export function undocumentedMembers(program: ts.Program, file: string): string[] {
  const checker = program.getTypeChecker();
  const source = program.getSourceFile(file);
  const module = source && checker.getSymbolAtLocation(source);
  if (!module) return [];
  const bare = checker
    .getExportsOfModule(module)
    .map((exported) => (exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported))
    .flatMap((symbol) =>
      (symbol.declarations ?? [])
        .flatMap(membersOf)
        .filter((member) => !checker.getSymbolAtLocation(member.name!)?.getDocumentationComment(checker).length)
        .map((member) => `${symbol.name}.${member.name!.getText()}`),
    );
  return [...new Set(bare)].sort();
}
