import { writeFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { entries, manifest } from "../../../scripts/lib/entries.mjs";

/** The resolutions that a consumer may use, with the kind of module that goes with each. */
export const resolutions: readonly (readonly [string, ts.ModuleKind, ts.ModuleResolutionKind])[] = [
  ["nodenext", ts.ModuleKind.NodeNext, ts.ModuleResolutionKind.NodeNext],
  ["bundler", ts.ModuleKind.ESNext, ts.ModuleResolutionKind.Bundler],
];

/** Writes a module that uses the types of every entry point, and misuses one. */
export function writeTypesConsumer(folder: string): void {
  const imports = entries.map((entry, index) => `import * as entry${index} from "${entry.name}";`);
  const uses = entries.map((_, index) => `export type Keys${index} = keyof typeof entry${index};`);
  const wrong = `import { EventError } from "${manifest.name}";\n// @ts-expect-error the code is from a closed list\nnew EventError("no-such-code", "text");`;
  writeFileSync(join(folder, "consumer.ts"), [...imports, ...uses, wrong].join("\n"));
}

/** What the compiler has against `consumer.ts` and the package's declarations, which it checks as well. */
export function typeErrors(
  folder: string,
  [, module, moduleResolution]: (typeof resolutions)[number],
  types: string[],
): string[] {
  const options: ts.CompilerOptions = {
    module,
    moduleResolution,
    target: ts.ScriptTarget.ES2022,
    lib: ["lib.es2023.d.ts", "lib.dom.d.ts", "lib.dom.iterable.d.ts", "lib.esnext.disposable.d.ts"],
    types,
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
  };
  const host = ts.createCompilerHost(options);
  host.getCurrentDirectory = () => folder;
  const found = ts.getPreEmitDiagnostics(ts.createProgram([join(folder, "consumer.ts")], options, host));
  // Declarations of others are their own business.
  const own = found.filter(
    ({ file }) => !file || !/node_modules\/(?!waybill\/)/.test(file.fileName.replace(folder, "")),
  );
  return own.map((one) => `${one.file?.fileName ?? ""}: ${ts.flattenDiagnosticMessageText(one.messageText, "\n")}`);
}
