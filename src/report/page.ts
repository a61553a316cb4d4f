import type { AuditRecord } from "../audit/record.ts";
import { html } from "./html.ts";
import { Gallery, type Pictures } from "./pictures.ts";
import { classes } from "./sections/classes.ts";
import { evidence } from "./sections/evidence.ts";
import { repair } from "./sections/repair.ts";
import { run } from "./sections/run.ts";
import { summary } from "./sections/summary.ts";
import { trigger } from "./sections/trigger.ts";
import { pageAround } from "./shell.ts";
import { HEADLINES } from "./words.ts";

/**
 * The report of an audit as one self-contained HTML page.
 * @param record the audit's result
 * @param pictures the PNG files that the record names; one that is missing leaves a placeholder
 */
export function auditPage(record: AuditRecord, pictures: Pictures): string {
  const gallery = new Gallery(pictures, record.model);
  const main = html`${summary(record)}
${evidence(record)}
${trigger(record, gallery)}
${classes(record, gallery)}
${repair(record)}
${run(record)}`;
  const title = `${HEADLINES[record.verdict]}: ${record.model.file}`;
  const about = { kind: "audit report", mood: record.verdict, numbers: "report.json" };
  return pageAround(main, { title, ...about, record });
}
