import type { Proportion } from "../../core/statistics.ts";
import type { KeptTrial } from "../../experiments/grid/plans.ts";
import { leadingOf, type TrialRecord } from "../../experiments/grid/trial-record.ts";
import { percent, percentInterval, score, seconds, whole } from "../format.ts";
import { type Content, type Html, html } from "../html.ts";
import type { StoreContents } from "./contents.ts";

type Kind = KeptTrial["config"]["kind"];
type Outcome<K extends Kind> = Extract<TrialRecord["outcome"], { readonly kind: K }>;
type Config<K extends Kind> = Extract<TrialRecord["config"], { readonly kind: K }>;

/** A cell, and what it is sorted by. */
interface Cell {
  readonly content: Content;
  readonly sort: string | number;
}

interface Column<K extends Kind> {
  readonly name: string;
  cell(outcome: Outcome<K>, config: Config<K>): Cell;
}

const NOTHING: Cell = { content: "", sort: "" };

const number = (
  value: number | null | undefined,
  words: (value: number) => string = whole,
): Cell => (typeof value === "number" ? { content: words(value), sort: value } : NOTHING);

/** A share with its interval below it. */
const share = (value: Proportion | null): Cell =>
  value === null
    ? NOTHING
    : {
        content: html`${percent(value.value)}<span class="basis">${percentInterval(value)}</span>`,
        sort: value.value,
      };

const yesOrNo = (value: boolean): Cell => {
  const content = value ? "yes" : "no";
  return { content, sort: content };
};

const MODEL_COLUMNS: readonly Column<"model">[] = [
  { name: "m", cell: (_, { poisoning }) => number(poisoning?.samples) },
  { name: "CDA", cell: ({ accuracy }) => share(accuracy) },
  { name: "ASR", cell: ({ attackSuccess }) => share(attackSuccess) },
];

const REPAIR_COLUMNS: readonly Column<"repair">[] = [
  { name: "r", cell: (_, { trusted }) => number(trusted) },
  { name: "CDA before", cell: ({ before }) => share(before.accuracy) },
  { name: "ASR before", cell: ({ before }) => share(before.attackSuccess) },
  { name: "CDA, oracle", cell: ({ oracle }) => share(oracle.accuracy) },
  { name: "ASR, oracle", cell: ({ oracle }) => share(oracle.attackSuccess) },
  { name: "CDA shipped", cell: ({ deployed }) => share(deployed.accuracy) },
  { name: "ASR shipped", cell: ({ deployed }) => share(deployed.attackSuccess) },
  { name: "claims Δ", cell: ({ claimed }) => yesOrNo(claimed) },
  { name: "keeps Δ", cell: ({ keptDrop }) => yesOrNo(keptDrop) },
];

const DETECTION_COLUMNS: readonly Column<"detection">[] = [
  { name: "r", cell: (_, { trusted }) => number(trusted) },
  { name: "score", cell: (outcome) => number(outcome.score, score) },
  { name: "leading class", cell: (outcome) => number(leadingOf(outcome)?.target, String) },
  {
    name: "its trigger works",
    cell: (outcome) => share(leadingOf(outcome)?.success.suspect ?? null),
  },
  { name: "cosine with the true one", cell: ({ fidelity }) => number(fidelity?.cosine, score) },
];

/** All tables of an experiment, one for every kind of trial that it has. */
export function trialTables(
  trials: readonly KeptTrial[],
  contents: StoreContents,
  linked: ReadonlySet<string>,
): Html {
  const table = <K extends Kind>(kind: K, title: string, columns: readonly Column<K>[]) => {
    const own = trials.filter(({ config }) => config.kind === kind);
    return own.length > 0 && kindTable(title, own, columns, contents, linked);
  };
  return html`${table("model", "Models", MODEL_COLUMNS)}${table("repair", "Repairs", REPAIR_COLUMNS)}${table("detection", "Detections", DETECTION_COLUMNS)}`;
}

/** Tables with at most so many rows are open from the start. */
const FEW = 60;

function kindTable<K extends Kind>(
  title: string,
  trials: readonly KeptTrial[],
  columns: readonly Column<K>[],
  contents: StoreContents,
  linked: ReadonlySet<string>,
): Html {
  const done = trials.filter(({ key }) => contents.records.has(key)).length;
  const row = (trial: KeptTrial) => {
    const record = contents.records.get(trial.key);
    const cells = record
      ? columns.map(({ cell }) => cell(record.outcome as Outcome<K>, trial.config as Config<K>))
      : columns.map(() => NOTHING);
    const time = record ? number(record.duration, seconds) : NOTHING;
    return html`
<tr><th scope="row" class="words">${nameOf(trial, contents, linked)}</th>${[...cells, time].map(({ content, sort }) => html`<td data-sort="${sort}">${content}</td>`)}</tr>`;
  };
  const heads = [...columns.map(({ name }) => name), "time"];
  const gist = done === trials.length ? `${done} trials` : `${done} of ${trials.length} trials`;
  const body = html`<summary>${title} <span class="gist">${gist}</span></summary><div class="scroll"><table class="trials sortable">
<thead><tr><th scope="col" class="words">trial</th>${heads.map((name) => html`<th scope="col">${name}</th>`)}</tr></thead>
<tbody>${trials.map(row)}
</tbody></table></div>`;
  return trials.length <= FEW
    ? html`<details open>${body}</details>`
    : html`<details>${body}</details>`;
}

function nameOf(
  { key, label, role }: KeptTrial,
  { records, failures, damaged }: StoreContents,
  linked: ReadonlySet<string>,
): Html {
  const failure = failures.get(key);
  const words = role === "surrogate" ? `${label} (network of the attackers)` : label;
  if (records.has(key))
    return linked.has(key) ? html`<a href="#trial-${key}">${words}</a>` : html`${words}`;
  const isDamaged = damaged.some((one) => one.key === key);
  const why = failure
    ? `failed with ${failure.code}: ${failure.message}`
    : isDamaged
      ? "its record cannot be read"
      : "not run yet";
  return html`${words}<span class="basis absent">${why}</span>`;
}
