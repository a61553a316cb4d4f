import { z } from "zod";
import { count } from "../data/images.ts";
import { latentsByClass } from "./latents.ts";
import { principalCoordinates } from "./principal.ts";
import type { Sanitizer } from "./sanitizer.ts";

const config = z.strictObject({
  epsilon: z
    .number()
    .gt(0)
    .max(0.5)
    .default(0.05)
    .describe(
      "ε, largest share of a class that is expected to be poison; 1.5·ε of each is left out",
    ),
});

/**
 * Spectral signatures: what a trigger adds to a network's latents shows in the direction in which a class varies most.
 * With h(x) the latent, h̄ the mean over the class and v the first right singular vector of the matrix of h(x) − h̄,
 *
 *     score(x) = ⟨h(x) − h̄, v⟩²
 *
 * and the ⌊1.5·ε·n⌋ of a class's n images with the largest scores are left out (Algorithm 1). A defender does not know
 * ε: 5 % is the smaller of the paper's two amounts. Poison beyond 1.5·ε of its class stays in for certain, and images are
 * left out of every class, poisoned or not: 7.5 % of them by default.
 */
export const spectralSignatures: Sanitizer<typeof config> = {
  name: "spectral-signatures",
  summary: "Leaves out of every class the images that stand out along its latents' main direction.",
  source: {
    paper: "Spectral Signatures in Backdoor Attacks",
    authors: "Tran, Li & Madry",
    year: 2018,
    section: "Algorithm 1",
    deviations: [
      "ε is a share of the class; the paper counts images, and its experiments know how many.",
      "Scores are taken from the class's mean as the algorithm says; the released code takes them from zero.",
    ],
  },
  config,
  async run(context, input, { epsilon }) {
    const scores = new Float64Array(count(input.images)); // [N]
    const removed: number[] = [];
    for await (const group of latentsByClass(context, input, "spectral-signatures")) {
      const { label, positions, latents, width } = group;
      const random = context.random.fork(`spectral-signatures/class/${label}`);
      const { coordinates } = principalCoordinates(latents, width, 1, random); // [n,1]; [n,0] if all are alike
      coordinates.forEach((coordinate, row) => {
        scores[positions[row]!] = coordinate ** 2;
      });
      const order = [...positions].sort((a, b) => scores[b]! - scores[a]! || a - b);
      removed.push(...order.slice(0, Math.floor(1.5 * epsilon * order.length)));
    }
    return { scores, removed: removed.sort((a, b) => a - b) };
  },
};
