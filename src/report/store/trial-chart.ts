import type { Proportion } from "../../core/statistics.ts";
import type {
  DetectionOutcome,
  RepairOutcome,
  TrialRecord,
} from "../../experiments/grid/trial-record.ts";
import type { Chart, Figure, Point, Series } from "../../experiments/reproduce/artefact.ts";
import { Html } from "../html.ts";
import { figureSvg } from "../reproduce/figure-svg.ts";

const WIDTH = 440;

/** How a repair went, or the scores of all classes; null for what has neither. */
export function trialChart({ key, outcome }: TrialRecord): Html | null {
  if (outcome.kind === "model") return null;
  const chart = outcome.kind === "repair" ? repairChart(outcome) : classChart(outcome);
  const figure: Figure = {
    kind: "figure",
    name: key,
    title: chart.title,
    panels: [chart],
    notes: [],
  };
  return new Html(figureSvg(figure, new Map(), WIDTH));
}

/** Accuracy and attack success over the steps, with the two choices named. */
function repairChart({ curve, oracle, deployable }: RepairOutcome): Chart {
  const chosen = (step: number): Pick<Point, "label"> => {
    const names = [
      ...(step === oracle.step ? ["oracle"] : []),
      ...(step === deployable.step ? ["deployable"] : []),
    ];
    return names.length > 0 ? { label: names.join(", ") } : {};
  };
  const point = (step: number, { value, low, high }: Proportion) => ({
    x: step,
    y: value,
    low,
    high,
  });
  const accuracy: Series = {
    ...{ name: "CDA", mark: "line" },
    points: curve.map((at) => ({ ...point(at.step, at.accuracy), ...chosen(at.step) })),
  };
  const success: Series = {
    ...{ name: "ASR", mark: "line" },
    points: curve.flatMap((at) => (at.attackSuccess ? [point(at.step, at.attackSuccess)] : [])),
  };
  return {
    ...{ kind: "chart", title: "Accuracy and attack success on test images" },
    x: { label: "repair steps", scale: "linear" },
    y: { label: "", scale: "linear", share: true },
    series: success.points.length > 0 ? [accuracy, success] : [accuracy],
  };
}

/** The scores of all classes, with the leading one marked. */
function classChart({ classes, score, statistic }: DetectionOutcome): Chart {
  const names = classes.map(({ target }) => String(target));
  const points = classes.map((one): Point => {
    const about = { x: one.target, y: one.score };
    return one.score === score ? { ...about, marked: true } : about;
  });
  return {
    ...{ kind: "chart", title: "Scores of all classes" },
    x: { label: "class", scale: "linear", names },
    y: { label: statistic, scale: "linear" },
    series: [{ name: "score", mark: "bars", points }],
  };
}
