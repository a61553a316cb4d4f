/**
 * Prints how many trials of its scale `small` every table and figure needs and how long they take from an empty store, in hours of
 * one worker: as long as trials like them took that a store has. docs/reproduce.md has them.
 *
 *     node bench/hours.mjs results/small CIFAR10
 */
