import type { AuditRecord } from "./record.ts";

/** What there is to say about where a repaired model comes from. */
export type Provenance = Pick<
  AuditRecord,
  "model" | "preprocessing" | "seed" | "versions" | "startedAt"
> & { readonly repair: AuditRecord["config"]["repair"] };

/**
 * Entries for `metadata_props` of a repaired model: that it was repaired, from which file, by what, and
 * how images must be prepared for it. Values that are not plain text are JSON.
 */
export function provenance(about: Provenance): Record<string, string> {
  const { range, channels, mean, std } = about.preprocessing;
  return {
    "antidote.repaired_from": `${about.model.file}, SHA-256 ${about.model.sha256}`,
    "antidote.version": about.versions.antidote,
    "antidote.date": about.startedAt,
    "antidote.seed": String(about.seed),
    "antidote.repair": JSON.stringify(about.repair),
    "antidote.preprocessing": JSON.stringify({ range, channels, mean, std }),
  };
}
