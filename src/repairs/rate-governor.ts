/** Share of the clean images on which the model under repair shall agree with the suspect. */
const AGREEMENT = 0.8;
/** Share of the scheduled rate at the start. */
const START = 1 / 32;
const GROWTH = 1.25;
const CUT = 0.7;
/** Share of the old value in the running average of the agreement. */
const MEMORY = 0.5;

/**
 * Keeps a learning rate at what a model can take. Weights have another scale in every network, and a trigger
 * that is firmly believed in pulls hard, so no rate fits all. What counts is what a step does: while the model
 * under repair still answers to clean images as the suspect does, the rate grows up to the scheduled one, and
 * it is cut where it does not. It starts small, so nothing is ruined before there is something to see.
 */
export class RateGovernor {
  #share = START;
  #agreement = 1;

  /** Factor for the scheduled rate, in (0,1]. */
  get share(): number {
    return this.#share;
  }

  /** @param agreement share of a batch's clean images to which both models answer alike, in [0,1] */
  observe(agreement: number): void {
    const before = this.#agreement;
    this.#agreement = MEMORY * before + (1 - MEMORY) * agreement;
    const harmless = this.#agreement >= AGREEMENT || this.#agreement > before;
    this.#share = Math.min(1, Math.max(START, this.#share * (harmless ? GROWTH : CUT)));
  }
}
