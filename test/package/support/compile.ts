import { dirname, join, relative } from "node:path";
import ts from "typescript";
import { root } from "./sources.ts";

/** One complaint of the compiler. */
export interface Complaint {
  /** Relative to the repository's root. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly message: string;
}

/** The options and files of a tsconfig, with everything it extends. */
export function readConfig(file: string): ts.ParsedCommandLine {
  const { config } = ts.readConfigFile(file, ts.sys.readFile);
  return ts.parseJsonConfigFileContent(config, ts.sys, dirname(file), undefined, file);
}

/** A program over `files` with the options of `config`, changed by `options`. */
export function programOf(config: string, files: readonly string[], options: ts.CompilerOptions = {}): ts.Program {
  return ts.createProgram({
    rootNames: files.map((file) => join(root, file)),
    options: { ...readConfig(join(root, config)).options, ...options },
  });
}

/** What the compiler says against a program. */
export function complaints(program: ts.Program): Complaint[] {
  return ts.getPreEmitDiagnostics(program).map(({ file, start, messageText }) => ({
    file: file ? relative(root, file.fileName) : "",
    line: file && start !== undefined ? file.getLineAndCharacterOfPosition(start).line + 1 : 0,
    message: ts.flattenDiagnosticMessageText(messageText, "\n"),
  }));
}
