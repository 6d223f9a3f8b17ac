import { EventError } from "../../core/errors.ts";

const encoder = new TextEncoder();

/** The header block of a message. Throws `invalid-header` for what would end a line or a name too early. */
export function headBlock(headers: Readonly<Record<string, string | readonly string[]>>): Uint8Array {
  let text = "NATS/1.0\r\n";
  for (const [name, values] of Object.entries(headers)) {
    for (const value of typeof values === "string" ? [values] : values) {
      if (!/^[!-9;-~]+$/.test(name) || /[\r\n\0]/.test(value)) {
        throw new EventError("invalid-header", `embedded NATS: no header: ${name}`);
      }
      text += `${name}: ${value}\r\n`;
    }
  }
  return encoder.encode(`${text}\r\n`);
}
