import { describe, expect, test } from "vitest";
import { claims } from "../../../src/experiments/reproduce/claims.ts";
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
  const scored = (cti: number, nc: number, also: (made: MadeResults) => void = () => {}) => {
    const made = new MadeResults();
    also(made);
    for (let seed = 0; seed < 4; seed++) {
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
    const { evidence } = scored(1, 20, (made) => {
      for (let seed = 0; seed < 4; seed++) {
        const model = made.model("badnets", { m: 500, seed });
        made.detection(model, "calibrated-trigger-inversion", { score: 1 });
        made.detection(model, "neural-cleanse", { size: 5 });
      }
    });
    expect(evidence).toContain("all 8 against 4 clean models: +0.50");
  });
  test("is undecided while an amount of poison is not measured", () => {
    const found = scored(1, 20, (made) => made.model("badnets", { m: 500 }));
    expect(found.verdict).toBe("undecided");
    expect(found.evidence).toContain("badnets m = 500: not measured");
  });
  test("fails where it is the other way round", () => {
    expect(scored(-1, 5)).toMatchObject({ verdict: "fails" });
  });
  test("is undecided where both separate, or with one model", () => {
    expect(scored(1, 5)).toMatchObject({ verdict: "undecided" });
    const made = new MadeResults();
    made.detection(made.model("badnets"), "neural-cleanse");
    expect(judge("Calibrated Trigger", { overAmounts: made }).evidence).toMatch(/^not measured/);
  });
});

describe("adaptive attacks", () => {
  const lost = (cda: number, asr = 0) => {
    const made = new MadeResults();
    made.repair(made.model("tsb"), "pivotal-tuning", { cda, asr });
    made.repair(made.model("pcb"), "pivotal-tuning", { cda: 0.94, asr: 0 });
    return judge("Attacks that are robust", { surveyed: made });
  };

  test("hold where a checkpoint is repaired within five points", () => {
    expect(lost(0.92)).toMatchObject({ verdict: "holds" });
    expect(lost(0.92).evidence).toContain("tsb: repaired at a loss of at most 3.0 %");
  });
  test("fail where it costs more, or none is repaired", () => {
    expect(lost(0.8)).toMatchObject({ verdict: "fails" });
    expect(lost(0.94, 0.5).evidence).toContain("tsb: no checkpoint is repaired");
  });
  test("are undecided while one of them is missing", () => {
    const made = new MadeResults();
    made.repair(made.model("tsb"), "pivotal-tuning");
    expect(judge("Attacks that are robust", { surveyed: made }).verdict).toBe("undecided");
  });
});

describe("detection and reconstruction", () => {
  const alike = (...cosines: number[]) => {
    const made = new MadeResults();
    for (const [seed, cosine] of cosines.entries()) {
      made.detection(made.model("badnets", { seed }), "calibrated-trigger-inversion", { cosine });
    }
    return judge("Detection is not", { surveyed: made }).verdict;
  };

  test("differ where most triggers are unlike the true one", () => {
    expect(alike(0.1, 0.2, 0.9)).toBe("holds");
    expect(alike(0.1, 0.8, 0.9)).toBe("fails");
    expect(alike()).toBe("undecided");
  });
});

describe("repair by the reconstructed trigger", () => {
  const left = (...successes: number[]) => {
    const made = new MadeResults();
    for (const [seed, asr] of successes.entries()) {
      made.repair(made.model("wanet", { seed }), "neural-cleanse", { asr });
    }
    return judge("Repair with the", { tabled: made }).verdict;
  };

  test("fails often where most models keep their backdoor", () => {
    expect(left(0.5, 0.9, 0)).toBe("holds");
    expect(left(0, 0.01, 0.9)).toBe("fails");
    expect(left()).toBe("undecided");
  });
});

describe("size", () => {
  const point = (asr: number, score: number, models = 3) => {
    const made = new MadeResults();
    for (let seed = 0; seed < models; seed++) {
      const model = made.model("badnets", { seed });
      made.repair(model, "pivotal-tuning", { asr: asr + 0.01 * seed });
      made.detection(model, "calibrated-trigger-inversion", { score });
    }
    made.detection(made.model(null), "calibrated-trigger-inversion", { score: 0.5 });
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
    expect(evidence).toContain("robustness 11.0 % (10.0 % to 12.0 %), ROC AUC 0.00");
    expect(evidence).toContain("n = 3");
  });
});
