import { mkdir, readdir, readFile, rename, rm, rmdir } from "node:fs/promises";
import { dirname, join, relative, resolve, sep } from "node:path";
import type { AuditResult } from "../audit/audit.ts";
import { provenance } from "../audit/provenance.ts";
import { type AuditRecord, auditRecord } from "../audit/record.ts";
import { AntidoteError } from "../core/errors.ts";
import {
  assertApart,
  assertWritable,
  makeFolder,
  notWritable,
  writeAtomically,
} from "../core/write-file.ts";
import { exportModel } from "../onnx/export.ts";
import { writeOnnxFile } from "../onnx/file.ts";
import { auditPage } from "./page.ts";

const PAGE = "report.html";
const DOCUMENT = "report.json";
const MODEL = "repaired.onnx";

/** What an audit puts into its folder, by the first part of the name; the document is written last. */
const ENTRIES = [PAGE, MODEL, `${MODEL}.data`, "triggers", "samples", DOCUMENT];

/** Begins the name of the folder in which an audit is put together. */
const LEFTOVER = ".antidote-";

/** Every name that an audit writes, and what an audit that was killed may have left. */
const OURS =
  /^(report\.(html|json)|repaired\.onnx(\.data)?|(triggers|samples)([\\/][\w-]+\.png)?|\.antidote-\d+(\.part|[\\/].*)?)$/;

/**
 * The folder of one audit. It is claimed before the work begins, so that hours of computing do not end at
 * a folder that cannot be written; disposing removes it if it was made for nothing.
 */
export class AuditFolder implements AsyncDisposable {
  readonly path: string;
  /** The outermost folder that had to be made; undefined if all were there. */
  readonly #made: string | undefined;

  private constructor(path: string, made: string | undefined) {
    this.path = path;
    this.#made = made;
  }

  /**
   * Makes the folder, or takes one that is empty or holds nothing but an earlier audit.
   * @param models what is audited, and what it is compared with: none of them may lie in the folder
   * @throws `OUTPUT_NOT_WRITABLE`, `USAGE`
   */
  static async claim(path: string, models: readonly string[]): Promise<AuditFolder> {
    await assertApart(path, models);
    const folder = new AuditFolder(path, await makeFolder(path));
    await folder.#assertOurs();
    await assertWritable(join(path, DOCUMENT));
    return folder;
  }

  /**
   * Writes `report.html`, `report.json`, `repaired.onnx`, and the pictures. All of it is written aside
   * first and then moved into place, the document last: a failure leaves an earlier audit as it was.
   * @returns the record with the paths of the page and of the repaired model
   * @throws `OUTPUT_NOT_WRITABLE`
   */
  async write({ record, pictures, repaired, file }: AuditResult): Promise<AuditRecord> {
    const aside = join(this.path, `${LEFTOVER}${process.pid}`);
    const written: AuditRecord = {
      ...record,
      repairedModel: join(this.path, MODEL),
      report: join(this.path, PAGE),
    };
    try {
      await makeFolder(aside);
      for (const folder of ["triggers", "samples"]) await mkdir(join(aside, folder));
      for (const [name, png] of pictures) await writeWhole(join(aside, name), png);
      const metadata = provenance({ ...record, repair: record.config.repair });
      await writeOnnxFile(join(aside, MODEL), exportModel(file, repaired.changes, metadata));
      await writeWhole(join(aside, PAGE), text(auditPage(written, pictures)));
      await writeWhole(join(aside, DOCUMENT), text(`${JSON.stringify(written, null, 2)}\n`));
      await this.#moveIntoPlace(aside);
    } catch (cause) {
      if (!(cause instanceof AntidoteError)) throw notWritable(this.path, cause);
      // The place inside the temporary folder means nothing to the user.
      const next = cause.next === undefined ? {} : { next: cause.next };
      throw new AntidoteError(cause.code, cause.message, { place: this.path, ...next, cause });
    } finally {
      await rm(aside, { recursive: true, force: true }).catch(() => {});
    }
    return written;
  }

  /** Removes the folders that were made, as far as they are empty. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#made === undefined) return;
    const outermost = resolve(this.#made);
    for (let at = resolve(this.path); at.startsWith(outermost); at = dirname(at)) {
      const removed = await rmdir(at).then(
        () => true,
        () => false,
      );
      if (!removed) return;
    }
  }

  async #moveIntoPlace(aside: string): Promise<void> {
    // Without its document the folder is no audit, so a mixture of two cannot pass for one.
    await rm(join(this.path, DOCUMENT), { force: true });
    const present = await readdir(aside);
    for (const name of ENTRIES) {
      await rm(join(this.path, name), { recursive: true, force: true });
      if (present.includes(name)) await rename(join(aside, name), join(this.path, name));
    }
  }

  async #assertOurs(): Promise<void> {
    const entries = await readdir(this.path, { recursive: true, withFileTypes: true });
    const names = entries.map((entry) => relative(this.path, join(entry.parentPath, entry.name)));
    const foreign = names.find((name) => !OURS.test(name));
    // Leftovers of an audit that was killed are no loss.
    if (foreign === undefined && names.every((name) => name.startsWith(LEFTOVER))) return;
    if (foreign === undefined && (await holdsAudit(this.path))) return;
    const what = foreign === undefined ? "parts of an audit" : `"${foreign.split(sep)[0]}"`;
    throw new AntidoteError("OUTPUT_NOT_WRITABLE", `The folder already holds ${what}.`, {
      place: this.path,
      next: "Choose a new folder: only a complete earlier audit is written over.",
    });
  }
}

async function holdsAudit(folder: string): Promise<boolean> {
  try {
    const { document } = JSON.parse(await readFile(join(folder, DOCUMENT), "utf8"));
    return document === auditRecord.shape.document.value;
  } catch {
    return false;
  }
}

function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  return writeAtomically(path, [{ offset: 0, bytes }]);
}

function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}
