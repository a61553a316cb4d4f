import { z } from "zod";
import { about } from "../../../audit/estimate.ts";
import {
  FORECAST_SCHEMA_VERSION,
  type ForecastRecord,
} from "../../../experiments/grid/documents.ts";
import type { Experiment } from "../../../experiments/grid/experiment-file.ts";
import { type Ahead, forecast } from "../../../experiments/grid/forecast.ts";
import type { ExperimentRun } from "../../../experiments/grid/run-experiment.ts";
import { inColumns } from "../../../report/columns.ts";
import { visible } from "../../../report/visible.ts";
import type { RunContext } from "../../../runtime/context.ts";
import type { Outcome } from "../../command.ts";
import { grouped } from "../../options/shared.ts";
import { partOf } from "./shared.ts";

/** Whether to run anything at all. */
export const DRY_RUN_OPTION = grouped("Results:", {
  dryRun: z
    .boolean()
    .default(false)
    .describe("say how many trials are missing and how long they would take, and run nothing"),
});

/** Experiments that run for one purpose, and what it is called. */
interface NamedGroup {
  readonly name: string;
  readonly plans: readonly Experiment[];
}

/** What a command that runs trials would run, without running it. */
export async function dryRun(
  events: Pick<RunContext, "emit" | "signal">,
  groups: readonly NamedGroup[],
  { folder, store, shard, workers, device, threads }: Omit<ExperimentRun, "plan">,
): Promise<Outcome> {
  const plans = groups.map((group) => group.plans);
  const how = { folder, store, shard, workers, device, threads };
  const found = await forecast(events, plans, { ...how, anew: true });
  const document: ForecastRecord = {
    schemaVersion: FORECAST_SCHEMA_VERSION,
    document: "forecast",
    ...{ store, workers, part: partOf(shard) },
    ...stated(found),
    groups: found.groups.map((group, at) => ({ name: groups[at]!.name, ...stated(group) })),
  };
  return { document, text: inWords(document), exitCode: 0 };
}

function stated({ trials, missing, seconds, anew }: Ahead) {
  return { trials, missing, seconds, anew: anew ?? 0 };
}

function inWords({ groups, store, workers, ...all }: ForecastRecord): string {
  if (all.trials === 0) return "No trials are needed. Nothing was run.";
  const lines = inColumns([
    ["", "trials", "missing", "time for these", "from an empty store"],
    ...groups.map((group) => row(group.name, group)),
    ...(groups.length > 1 ? [row("together", all)] : []),
  ]);
  const times = `Times are about, with ${workers} ${workers === 1 ? "worker" : "workers"}: as long as trials like them took that ${visible(store)} has, on this machine or another one with as many threads, else as the network took just now, which is good to a factor of two or three.`;
  return [...lines, "", times, "Nothing was run."].join("\n");
}

function row(
  name: string,
  { trials, missing, seconds, anew }: Omit<ForecastRecord["groups"][number], "name">,
): string[] {
  return [
    ...[visible(name), String(trials), String(missing)],
    ...[seconds, anew].map((time) => (time === 0 ? "" : about(time).replace("about ", ""))),
  ];
}
