import { snapshotOf } from "../../dist/experiments/grid/snapshot.js";
import { ResultStore } from "../../dist/experiments/grid/store.js";
import { Results } from "../../dist/experiments/reproduce/results.js";
import { percent } from "../markdown.mjs";

/** The repairs that an experiment of a store has made, as far as they are done, the methods in this order. */
export async function repairsIn(store, experiment, repairs) {
  const results = Results.named(await snapshotOf(ResultStore.existing(store)), experiment);
  const models = results.groups.flatMap((group) => group.models);
  return models.flatMap((model) =>
    repairs.flatMap((repair) =>
      results.repairs([model], repair).flatMap(({ config, outcome }) =>
        outcome
          ? [
              {
                attack: model.config.attack.name,
                repair,
                options: config.repair.options,
                trusted: config.trusted,
                claimed: outcome.claimed,
                kept: outcome.keptDrop,
                before: judged(outcome.before),
                oracle: judged(outcome.oracle),
                deployable: judged(outcome.deployable),
                end: judged(outcome.curve.at(-1)),
                curve: outcome.curve.map(judged),
              },
            ]
          : [],
      ),
    ),
  );
}

function judged({ step, accuracy, attackSuccess }) {
  return { step, accuracy: accuracy.value, success: attackSuccess.value };
}

/** Accuracy and attack success in percent. */
export function both({ accuracy, success }) {
  return `${percent(accuracy)}, ${percent(success)}`;
}

/** What is shipped, with a star where its drop is taken to be allowed. */
export function shipped({ deployable, claimed }) {
  return `${both(deployable)}${claimed ? "\\*" : ""}`;
}

export function chosen({ oracle }) {
  return oracle.step === 0 ? "the suspect" : both(oracle);
}

export function code(name) {
  return `\`${name}\``;
}
