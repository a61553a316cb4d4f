import { beforeAll, expect, test } from "vitest";
import { count, indicesOfOthers, subset } from "../../src/data/images.ts";
import { REFUSED } from "../../src/deployments/deployment.ts";
import { strip } from "../../src/deployments/strip.ts";
import { BATCH, predictSuperimposed } from "../../src/deployments/superimposed.ts";
import { compilePredictor } from "../../src/models/predict.ts";
import { auc, type Backdoored, backdooredStripes } from "../support/backdoored.ts";
import { testDevice } from "../support/device.ts";
import { stripes } from "../train/stripes.ts";

const TRUSTED = stripes(100, 5);
const device = await testDevice();
let planted: Backdoored;
beforeAll(async () => {
  planted = await backdooredStripes(device, 1);
});

const inputs = () => {
  const test = stripes(200, 2);
  return subset(test, indicesOfOthers(test, planted.target));
};

// With seeds 1 to 6 AUC is 0.992 to 1.000 for sums; averaged, a patch of half its contrast fools two of the six.
test("what lies over a triggered image hardly changes the answer", async () => {
  const { model, stamp } = planted;
  const predictor = await compilePredictor(device, model, BATCH);
  const drawn = (position: number) =>
    Array.from({ length: 20 }, (_, n) => (7 * position + n) % 100);
  const over = { trusted: TRUSTED, copies: 20, mixing: "sum", drawn } as const;
  const clean = await predictSuperimposed(predictor, inputs(), over);
  const triggered = await predictSuperimposed(predictor, inputs(), over, { stamp });
  await predictor.release();
  expect(auc(clean.entropies, triggered.entropies)).toBeGreaterThan(0.95);
});

// With seeds 1 to 6 it refuses 38 to 81 % of triggered and at most 1 % of clean images.
test("STRIP refuses more triggered than clean images", async () => {
  const { context, model, stamp } = planted;
  const options = { copies: 20, falseRejection: 0.1, boundary: "empirical" };
  const trusted = { model, trusted: TRUSTED };
  const deployed = await strip.run(context, trusted, strip.config.parse(options));
  const refused = (answers: Int32Array) =>
    answers.filter((answer) => answer === REFUSED).length / count(inputs());
  const clean = refused(await deployed.predict(inputs()));
  const triggered = refused(await deployed.predict(inputs(), { stamp }));
  await deployed.release();
  expect(clean).toBeLessThan(0.1);
  expect(triggered - clean).toBeGreaterThan(0.2);
});
