import { describe, expect, test } from "vitest";
import { claims } from "../../../src/experiments/reproduce/claims.ts";
import { DATA_POISONING } from "../../../src/experiments/reproduce/figure-7.ts";
import { Results } from "../../../src/experiments/reproduce/results.ts";
import { MadeResults } from "./made-results.ts";

/** Which experiment of the claims a made-up one stands for. */
type Place = "tabled" | "overAmounts" | "surveyed" | "larger";

/** Verdict and evidence of the claim whose text begins so. */
function judge(start: string, made: Partial<Record<Place, MadeResults>>) {
  const at = (place: Place) => made[place]?.results ?? new Results([]);
  const read = claims.read([at("tabled"), at("overAmounts"), at("surveyed"), at("larger")]);
  if (read.kind !== "table") throw new Error("claims are a table");
  const row = read.rows.find(([claim]) => String(claim).startsWith(start))!;
  return { verdict: row[1], evidence: String(row[2]) };
}

describe("data efficiency", () => {
  const needing = (others: number | null) => {
    const made = new MadeResults();
    const model = made.model("badnets");
    for (const r of [100, 200]) {
      made.repair(model, "pivotal-tuning", { r, asr: 0.01 });
      made.repair(model, "weight-decay", { r, asr: others !== null && r >= others ? 0.01 : 0.5 });
    }
    return judge("Pivotal Tuning is the most", { tabled: made });
  };

  test("holds where the others need twice as many images, or never repair", () => {
    expect(needing(200)).toMatchObject({ verdict: "holds" });
    expect(needing(null)).toMatchObject({ verdict: "holds" });
    expect(needing(null).evidence).toContain("pivotal-tuning r = 100, weight-decay never");
  });
  test("fails where another one needs as few", () => {
    expect(needing(100)).toMatchObject({ verdict: "fails" });
  });
  test("fails where ours never repairs", () => {
    const made = new MadeResults();
    made.repair(made.model("badnets"), "pivotal-tuning", { asr: 0.5 });
    made.repair(made.model("badnets"), "weight-decay", { asr: 0.5 });
    expect(judge("Pivotal Tuning is the most", { tabled: made }).verdict).toBe("fails");
  });
  test("is undecided where a number of images that matters was not tried on every attack", () => {
    const tried = (also: (made: MadeResults, other: ReturnType<MadeResults["model"]>) => void) => {
      const made = new MadeResults();
      const [model, other] = [made.model("badnets"), made.model("wanet")];
      made.repair(model, "pivotal-tuning", { r: 100, asr: 0.01 });
      made.repair(model, "weight-decay", { r: 100, asr: 0.01 });
      also(made, other);
      return judge("Pivotal Tuning is the most", { tabled: made });
    };
    const ours = tried((made, other) => made.repair(other, "weight-decay", { r: 100, asr: 0.5 }));
    expect(ours.verdict).toBe("undecided");
    expect(ours.evidence).toContain(
      "pivotal-tuning not measured from r = 100 on, weight-decay never",
    );
    const theirs = tried((made, other) => made.repair(other, "pivotal-tuning", { r: 100, asr: 0 }));
    expect(theirs.verdict).toBe("undecided");
    // One attack that is left is enough to know that so many images are not.
    const both = tried((made, other) => {
      made.repair(other, "pivotal-tuning", { r: 100, asr: 0 });
      made.repair(other, "weight-decay", { r: 100, asr: 0.5 });
    });
    expect(both.verdict).toBe("holds");
  });
  test("is undecided without repairs", () => {
    expect(judge("Pivotal Tuning is the most", {})).toEqual({
      verdict: "undecided",
      evidence: "not measured: repairs of Table III",
    });
  });
});

describe("calibration", () => {
  /** @param cti scores of poisoned models, clean ones score 0; @param nc smallest sizes, clean ones have 10 */
  const scored = (cti: number, nc: number, { models = 5, also = (_: MadeResults) => {} } = {}) => {
    const made = new MadeResults();
    also(made);
    for (let seed = 0; seed < models; seed++) {
      const [poisoned, clean] = [made.model("badnets", { seed }), made.model(null, { seed })];
      made.detection(poisoned, "calibrated-trigger-inversion", { score: cti });
      made.detection(clean, "calibrated-trigger-inversion", { score: 0 });
      made.detection(poisoned, "neural-cleanse", { size: nc });
      made.detection(clean, "neural-cleanse", { size: 10 });
    }
    return judge("Calibrated Trigger Inversion", { overAmounts: made });
  };

  test("holds where it separates and Neural Cleanse does not", () => {
    expect(scored(1, 20)).toMatchObject({ verdict: "holds" });
    expect(scored(1, 20).evidence).toContain("badnets m = 50: +1.00 [+1.00, +1.00]");
  });
  test("says the difference over all amounts of poison together", () => {
    const also = (made: MadeResults) => {
      for (let seed = 0; seed < 5; seed++) {
        const model = made.model("badnets", { m: 500, seed });
        made.detection(model, "calibrated-trigger-inversion", { score: 1 });
        made.detection(model, "neural-cleanse", { size: 5 });
      }
    };
    expect(scored(1, 20, { also }).evidence).toContain("all 10 against 5 clean models: +0.50");
  });
  test("is undecided while an amount of poison is not measured", () => {
    const found = scored(1, 20, { also: (made) => made.model("badnets", { m: 500 }) });
    expect(found.verdict).toBe("undecided");
    expect(found.evidence).toContain("badnets m = 500: not measured");
  });
  test("fails where it is the other way round", () => {
    expect(scored(-1, 5)).toMatchObject({ verdict: "fails" });
  });
  test("is undecided with few models, however far apart they are", () => {
    const found = scored(1, 20, { models: 4 });
    expect(found.verdict).toBe("undecided");
    expect(found.evidence).toContain("+1.00 [+1.00, +1.00]");
    expect(found.evidence).toContain("fewer than 5 models of a kind decide nothing");
    expect(scored(-1, 5, { models: 4 }).verdict).toBe("undecided");
  });
  test("is undecided where both separate, or with one model", () => {
    expect(scored(1, 5)).toMatchObject({ verdict: "undecided" });
    const made = new MadeResults();
    made.detection(made.model("badnets"), "neural-cleanse");
    expect(judge("Calibrated Trigger", { overAmounts: made }).evidence).toMatch(/^not measured/);
  });
});

describe("attacks at both ends", () => {
  /** Attacks that score as clean models do, unless they are `seen`, repaired at an accuracy of 94 % from 95. */
  const lost = (attack: string, { cda = 0.94, asr = 0, seen = false, all = true } = {}) => {
    const made = new MadeResults();
    made.detection(made.model(null), "calibrated-trigger-inversion", { score: 0.5 });
    for (const one of all ? [...DATA_POISONING, "pcb"] : [attack]) {
      const model = made.model(one);
      const is = one === attack;
      made.detection(model, "calibrated-trigger-inversion", { score: is && seen ? 1 : 0.5 });
      made.repair(model, "pivotal-tuning", is ? { cda, asr } : {});
    }
    return judge("Attacks that are robust", { surveyed: made });
  };

  test("hold where each that is hard to detect has a checkpoint that is repaired within five points", () => {
    const found = lost("tsb", { cda: 0.92 });
    expect(found.verdict).toBe("holds");
    expect(found.evidence).toContain(
      "tsb: ROC AUC 0.50, hard to detect, repaired at a loss of at most 3.0 % (one model)",
    );
  });
  test("fail where it costs more, or one is not repaired", () => {
    expect(lost("wanet", { cda: 0.8 })).toMatchObject({ verdict: "fails" });
    const found = lost("wanet", { asr: 0.5 });
    expect(found.verdict).toBe("fails");
    expect(found.evidence).toContain("not every one is repaired at any checkpoint");
  });
  test("do not count an attack that is easy to detect, nor one on the code", () => {
    expect(lost("tsb", { asr: 0.5, seen: true })).toMatchObject({ verdict: "holds" });
    expect(lost("pcb", { asr: 0.5 })).toMatchObject({ verdict: "holds" });
  });
  test("are undecided while an attack on data is missing, or none is hard to detect", () => {
    expect(lost("tsb", { all: false }).verdict).toBe("undecided");
    expect(lost("tsb", { all: false }).evidence).toContain("wanet: not measured");
    expect(judge("Attacks that are robust", {}).evidence).toMatch(/^not measured/);
  });
});

describe("detection and reconstruction", () => {
  const alike = (...cosines: number[]) => {
    const made = new MadeResults();
    for (const [seed, cosine] of cosines.entries()) {
      made.detection(made.model("badnets", { seed }), "calibrated-trigger-inversion", { cosine });
    }
    return judge("Detection is not", { surveyed: made });
  };
  const times = (count: number, value: number) => Array.from({ length: count }, () => value);

  test("differ where most triggers are unlike the true one, for certain", () => {
    expect(alike(...times(8, 0.1)).verdict).toBe("holds");
    expect(alike(...times(8, 0.9)).verdict).toBe("fails");
    expect(alike(0.1, 0.2, 0.9).verdict).toBe("undecided");
    expect(alike(0.1, 0.2, 0.9).evidence).toContain("badnets 2 of 3 (95 % interval of the share");
    expect(alike().verdict).toBe("undecided");
  });
  test("are told by models whose target leads alone", () => {
    const made = new MadeResults();
    for (const seed of [0, 1, 2]) {
      const model = made.model("badnets", { seed });
      const leads = seed > 0 ? {} : { target: 3 };
      made.detection(model, "calibrated-trigger-inversion", { cosine: 0.1, ...leads });
    }
    const { evidence } = judge("Detection is not", { surveyed: made });
    expect(evidence).toContain("the target leads in 2 of 3 poisoned models");
    expect(evidence).toContain("badnets 2 of 2");
  });
});

describe("repair by the reconstructed trigger", () => {
  const left = (...successes: number[]) => {
    const made = new MadeResults();
    for (const [seed, asr] of successes.entries()) {
      made.repair(made.model("wanet", { seed }), "neural-cleanse", { asr });
    }
    return judge("Repair with the", { tabled: made });
  };

  test("fails often where most models keep their backdoor at every checkpoint, for certain", () => {
    expect(left(0.5, 0.9, 0.5, 0.5, 0.5, 0.5).verdict).toBe("holds");
    expect(left(0, 0.01, 0, 0, 0, 0).verdict).toBe("fails");
    expect(left(0.5, 0.9, 0).verdict).toBe("undecided");
    expect(left().verdict).toBe("undecided");
  });
  test("has not failed for certain where it costs too much accuracy", () => {
    const made = new MadeResults();
    const options = { cda: 0.5, asr: 0 };
    for (let seed = 0; seed < 6; seed++) {
      made.repair(made.model("wanet", { seed }), "neural-cleanse", options);
    }
    const { verdict, evidence } = judge("Repair with the", { tabled: made });
    expect(verdict).toBe("fails");
    expect(evidence).toContain("and in 0 at every checkpoint");
  });
  test("is judged with the fewest images that every attack was tried with", () => {
    const made = new MadeResults();
    for (let seed = 0; seed < 6; seed++) {
      const model = made.model("wanet", { seed });
      made.repair(model, "neural-cleanse", { r: 100, asr: 0.5 });
      made.repair(model, "neural-cleanse", { r: 500, asr: 0 });
    }
    expect(judge("Repair with the", { tabled: made }).evidence).toContain(
      "with r = 100 Neural Cleanse's repair leaves more than 5 % within Δ in 6 of 6 cases",
    );
  });
});

describe("size", () => {
  const point = (asr: number, score: number, models = 5) => {
    const made = new MadeResults();
    for (let seed = 0; seed < models; seed++) {
      const model = made.model("badnets", { seed });
      made.repair(model, "pivotal-tuning", { asr: asr + 0.01 * seed });
      made.detection(model, "calibrated-trigger-inversion", { score });
    }
    for (let seed = 0; seed < models; seed++) {
      const clean = made.model(null, { seed });
      made.detection(clean, "calibrated-trigger-inversion", { score: 0.5 });
    }
    return made;
  };
  const verdict = (surveyed: MadeResults, larger?: MadeResults) =>
    judge("Backdoors in larger", { surveyed, ...(larger ? { larger } : {}) }).verdict;

  test("tells in both directions, and not in different ones", () => {
    expect(verdict(point(0.1, 0), point(0.4, 1))).toBe("holds");
    expect(verdict(point(0.4, 1), point(0.1, 0))).toBe("fails");
    expect(verdict(point(0.1, 1), point(0.4, 0))).toBe("undecided");
    expect(verdict(point(0.1, 1))).toBe("undecided");
  });

  test("is undecided where intervals meet, or there are none", () => {
    expect(verdict(point(0.1, 0), point(0.11, 1))).toBe("undecided");
    expect(verdict(point(0.1, 0, 1), point(0.4, 1, 1))).toBe("undecided");
    const { evidence } = judge("Backdoors in larger", {
      surveyed: point(0.1, 0),
      larger: point(0.4, 1),
    });
    expect(evidence).toContain("robustness 12.0 % (10.0 % to 14.0 %), ROC AUC 0.00");
    expect(evidence).toContain("n = 5");
  });
});
