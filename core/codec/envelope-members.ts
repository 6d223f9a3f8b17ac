/** Holds, as JSON text, the members that cannot be CloudEvents extensions. */
export const others: string = "envelopemembers";

/** CloudEvents attributes that the envelope has no member of its own for. */
export const attributes = ["datacontenttype", "dataschema", "subject"] as const;
