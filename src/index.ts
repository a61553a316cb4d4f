/**
 * Antidote audits image classifiers for backdoors that poisoned training data may have planted, and
 * repairs them.
 *
 * @example
 * import { audit, writeAudit } from "antidote";
 *
 * const result = await audit({ model: "suspect.onnx", images: "trusted/" });
 * const { verdict, repairedModel } = await writeAudit("antidote-suspect/", result);
 *
 * @module
 */

// Methods, and what it takes to run one
export type { Attack, AttackInput, Cover, Need, Trigger } from "./attacks/attack.ts";
export type {
  CodePoisoning,
  CodePoisoningInput,
  PoisonedTraining,
} from "./attacks/code-poisoning.ts";
export { ATTACKS, type AttackName, CODE_POISONINGS } from "./attacks/index.ts";
export {
  POISONING,
  type PoisonContext,
  type PoisonedSet,
  type Poisoning,
  poison,
} from "./attacks/poison.ts";
export { PRESETS, type PresetName } from "./attacks/presets.ts";
export type { AuditResult } from "./audit/audit.ts";
// Audits
export { type ClipFolder, openClipFolder } from "./audit/clip-folder.ts";
export type { MethodChoice } from "./audit/method-choice.ts";
export { type ImagesFor, openImagesFor } from "./audit/open.ts";
export type { AuditOptions, Effort } from "./audit/options.ts";
export {
  AUDIT_SCHEMA_VERSION,
  type AuditRecord,
  auditRecord,
  type ClassResult,
  leadingClass,
  type Sample,
  type Verdict,
} from "./audit/record.ts";
export { type ZeroShot, zeroShot } from "./audit/zero-shot.ts";
// Basics
export { AntidoteError, ERROR_CODES, type ErrorCategory, type ErrorCode } from "./core/errors.ts";
export type { Method, Source } from "./core/method.ts";
export type { Emit, Progress } from "./core/progress.ts";
export { Random } from "./core/random.ts";
export type { Interval, Proportion } from "./core/statistics.ts";
export { type FloatTensor, float32, type Tensor } from "./core/tensor.ts";
export { VERSION } from "./core/version.ts";
// Images and models
export { type FixedTrigger, stampTrigger, triggerPng } from "./data/fixed-trigger.ts";
export { type FolderOptions, imageFolder } from "./data/folder.ts";
export { count, type Geometry, type ImageSet, imageAt, subset } from "./data/images.ts";
export { type OpenOptions, openImages } from "./data/open.ts";
export {
  additive,
  blend,
  type Overlay,
  overlayPng,
  readOverlay,
  stampOverlay,
} from "./data/overlay.ts";
export type { Pixels } from "./data/pixels.ts";
export { proceduralImages } from "./data/procedural.ts";
export { stratified } from "./data/split.ts";
export type { Warp } from "./data/warp.ts";
export { writeClassFolders } from "./data/write.ts";
export {
  type Deployed,
  type Deployment,
  type DeploymentInput,
  REFUSED,
} from "./deployments/deployment.ts";
export { DEPLOYMENTS, type DeploymentName } from "./deployments/index.ts";
export { undefended } from "./deployments/undefended.ts";
export type { ClassEvidence, Detection, Detector, DetectorInput } from "./detectors/detector.ts";
export { DETECTORS, type DetectorName } from "./detectors/index.ts";
// Games and experiments
export {
  type Experiment,
  experimentFrom,
  readExperiment,
} from "./experiments/grid/experiment-file.ts";
export { type Row, rowsOf } from "./experiments/grid/rows.ts";
export { runExperiment } from "./experiments/grid/run-experiment.ts";
export { type Snapshot, snapshotOf, warnOfDamage } from "./experiments/grid/snapshot.ts";
export { ResultStore } from "./experiments/grid/store.ts";
export type { TrialRecord } from "./experiments/grid/trial-record.ts";
export type {
  Artefact,
  Figure,
  Reproduced,
  Table,
} from "./experiments/reproduce/artefact.ts";
export { ARTEFACTS, type ArtefactName } from "./experiments/reproduce/index.ts";
export { readArtefact, reproduce } from "./experiments/reproduce/reproduce.ts";
export { type Scale, scaleNamed, scaleOn } from "./experiments/reproduce/scales.ts";
export { type Attacker, collect } from "./games/collect.ts";
export {
  type Detect,
  detectability,
  detectabilityGame,
  detectabilityRound,
  type Inspection,
  type PlayedRound,
} from "./games/detectability.ts";
export { type Fidelity, fidelity } from "./games/fidelity.ts";
export { Judge, type Judgement } from "./games/judge.ts";
export { defenceEffectiveness, expectedSuccess, gameValue } from "./games/metrics.ts";
export { oracleChoice } from "./games/oracle.ts";
export {
  type Collectors,
  type Defence,
  type Defended,
  defend,
  robustnessGame,
  trainSuspect,
} from "./games/robustness.ts";
export {
  type AuditRequest,
  audit,
  type Computing,
  type LoadedClassifier,
  loadClassifier,
  writeAudit,
} from "./library.ts";
export type { Classifier, ClassifierOptions } from "./models/classifier.ts";
export { newModelFile } from "./models/new-file.ts";
export { type Predictions, predict, type Stamp } from "./models/predict.ts";
export type { Preprocessing } from "./models/preprocessing.ts";
export { exportModel } from "./onnx/export.ts";
export { type OnnxFile, readOnnxFile, writeOnnxFile } from "./onnx/file.ts";
export { REPAIRS, type RepairName } from "./repairs/index.ts";
export type { Checkpoint, Repair, RepairInput } from "./repairs/repair.ts";
export { auditPage } from "./report/page.ts";
export { writeReproduced } from "./report/reproduce/write.ts";
export { storeContents } from "./report/store/contents.ts";
export { storePage } from "./report/store/store-page.ts";
export { verdictText } from "./report/text.ts";
export type { RunContext } from "./runtime/context.ts";
export type { Device, DeviceName } from "./runtime/device.ts";
export { type DeviceOptions, openDevice } from "./runtime/process-device.ts";
export { SANITIZERS, type SanitizerName } from "./sanitizers/index.ts";
export type { Sanitized, Sanitizer, SanitizerInput } from "./sanitizers/sanitizer.ts";
