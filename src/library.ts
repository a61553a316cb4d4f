import type { z } from "zod";
import { type AuditResult, audit as auditModel } from "./audit/audit.ts";
import { chooseMethod, type MethodChoice, parseOptions } from "./audit/method-choice.ts";
import { type OpenedModel, openImagesFor, openModel } from "./audit/open.ts";
import { auditOptions } from "./audit/options.ts";
import type { AuditRecord } from "./audit/record.ts";
import { type Emit, silent } from "./core/progress.ts";
import { Random } from "./core/random.ts";
import type { ImageSet } from "./data/images.ts";
import { DEFAULT_DETECTOR, DETECTORS, type DetectorName } from "./detectors/index.ts";
import type { ClassifierOptions } from "./models/classifier.ts";
import type { Preprocessing } from "./models/preprocessing.ts";
import { DEFAULT_REPAIR, REPAIRS, type RepairName } from "./repairs/index.ts";
import { AuditFolder } from "./report/folder.ts";
import type { Device, DeviceName } from "./runtime/device.ts";
import { openDevice } from "./runtime/process-device.ts";

/** Where to compute: a device that is open already, or one to open for this purpose. */
export interface Computing {
  /** Default "cpu". */
  readonly device?: Device | DeviceName | undefined;
  /** Threads of a device that is opened here; all processors by default. */
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A model file, what it computes, and the device that computes it. Disposing closes what was opened. */
export interface LoadedClassifier extends OpenedModel, AsyncDisposable {
  readonly device: Device;
}

/**
 * Reads an ONNX file, or a folder with one and with what its maker states, and finds its image input, class scores, latent and weights.
 *
 * @example
 * await using model = await loadClassifier("suspect.onnx");
 * console.log(model.classifier.classes, model.classifier.image);
 *
 * @throws `MODEL_NOT_FOUND`, `MODEL_NOT_ONNX`, `MODEL_NOT_A_CLASSIFIER` and the other `MODEL_…` codes;
 *   `DEVICE_UNAVAILABLE`; `CANCELLED`
 */
export async function loadClassifier(
  path: string,
  { device: wanted = "cpu", threads, signal, ...options }: Computing & ClassifierOptions = {},
): Promise<LoadedClassifier> {
  const isOpen = typeof wanted !== "string";
  const device = isOpen ? wanted : await openDevice({ name: wanted, threads, signal });
  const close = async () => {
    if (!isOpen) await device.close();
  };
  try {
    const opened = await openModel(device, path, options);
    return { ...opened, device, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** What to audit, and how; only the first two must be given. */
export interface AuditRequest extends Computing, z.input<typeof auditOptions> {
  /** An ONNX file, a folder with one, or a model that `loadClassifier` has loaded; its device computes. */
  readonly model: string | LoadedClassifier;
  /** A folder of images with their classes (see `imageFolder`), CIFAR-10 or idx files, or images in the model's size. */
  readonly images: string | ImageSet;
  /** File with the class names in label order, for images in a folder. */
  readonly classes?: string | undefined;
  /** Table of file names and labels, for images in a folder that does not hold it. */
  readonly labels?: string | undefined;
  /** How pictures in a folder get the model's size: pixels of the shorter side before the centre is cut out. */
  readonly resize?: number | "stretch" | undefined;
  /** Image size, if the file leaves it open. */
  readonly size?: ClassifierOptions["size"];
  /** Output with the class scores, if the file has several that may hold them. */
  readonly output?: ClassifierOptions["output"];
  /** Without one, it is chosen by accuracy on the images. */
  readonly preprocessing?: Preprocessing | undefined;
  readonly repair?: MethodChoice<RepairName> | undefined;
  readonly detector?: MethodChoice<DetectorName> | undefined;
  /** The same seed, versions and threads repeat the result. Default 0. */
  readonly seed?: number | undefined;
  /** Gets progress, notes and warnings. */
  readonly onProgress?: Emit | undefined;
}

/**
 * Audits a classifier: searches it for a backdoor, repairs it, and gives a verdict. Writes nothing.
 *
 * @example
 * const result = await audit({
 *   model: "suspect.onnx",
 *   images: "trusted/",
 *   effort: "quick",
 *   signal: AbortSignal.timeout(600_000),
 *   onProgress: (event) => console.error(event),
 * });
 * console.log(result.record.verdict, result.record.targetClass?.name);
 * await writeAudit("audit/", result);
 *
 * @throws `AntidoteError` with a `code`, a `place` and the `next` step, see `ERROR_CODES`
 */
export async function audit(request: AuditRequest): Promise<AuditResult> {
  const { model, images, classes, labels, size, output, preprocessing, seed = 0, signal } = request;
  const { resize, onProgress: emit = silent, device, threads } = request;
  const repair = chooseMethod("repair", REPAIRS, request.repair ?? { name: DEFAULT_REPAIR });
  const chosen = request.detector ?? { name: DEFAULT_DETECTOR };
  const detector = chooseMethod("detector", DETECTORS, chosen);
  const own = Object.keys(auditOptions.shape) as (keyof typeof auditOptions.shape)[];
  const given = Object.fromEntries(own.map((name) => [name, request[name]]));
  const options = parseOptions("audit", auditOptions, given);

  const isLoaded = typeof model !== "string";
  const loaded = isLoaded
    ? model
    : await loadClassifier(model, { device, threads, size, output, signal });
  try {
    const trusted =
      typeof images === "string"
        ? await openImagesFor(loaded, images, { classes, labels, resize, emit, signal })
        : images;
    const context = { device: loaded.device, random: Random.fromSeed(seed), signal, emit };
    const { file, classifier, stated } = loaded;
    const subject = { file, model: classifier, trusted, preprocessing, stated };
    return await auditModel(context, { ...subject, repair, detector, seed }, options);
  } finally {
    if (!isLoaded) await loaded[Symbol.asyncDispose]();
  }
}

/**
 * Writes the folder of an audit: `report.html`, `report.json`, `repaired.onnx`, and the pictures. The
 * folder may be new, empty, or hold an earlier audit.
 * @returns the record, with the paths of the page and of the repaired model
 * @throws `OUTPUT_NOT_WRITABLE`
 */
export async function writeAudit(folder: string, result: AuditResult): Promise<AuditRecord> {
  await using claimed = await AuditFolder.claim(folder, result.file.parts ?? [result.file.path]);
  return await claimed.write(result);
}
