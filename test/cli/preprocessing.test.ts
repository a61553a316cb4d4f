import { describe, expect, test } from "vitest";
import { givenPreprocessing } from "../../src/cli/open.ts";
import { usualPreprocessing } from "../../src/models/preprocessing.ts";

const given = (options: Partial<Parameters<typeof givenPreprocessing>[0]>, channels = 3) =>
  givenPreprocessing({ images: "trusted", ...options } as never, channels);

describe("the preprocessing on the command line", () => {
  test("is found by trial where nothing is said", () => {
    expect(given({})).toBeUndefined();
  });

  test("has a name, or is described", () => {
    const imagenet = usualPreprocessing("imagenet", 3, "");
    expect(given({ preprocessing: "imagenet" })).toEqual(imagenet);
    const { range, channels, mean, std } = imagenet;
    const { name: _, ...described } = imagenet;
    expect(given({ range, channels, mean: [...mean], std: [...std] })).toEqual(described);
    expect(given({ mean: [0.5] }, 1)).toMatchObject({ mean: [0.5], std: [1], range: "0-1" });
  });

  test("is not said twice, and not for other colours", () => {
    const error = (options: object, channels?: number) => {
      try {
        given(options, channels);
      } catch (thrown) {
        return thrown;
      }
      return undefined;
    };
    expect(error({ preprocessing: "half", std: [2] })).toMatchObject({
      ...{ code: "USAGE", message: "--preprocessing says it all, but there is --std." },
    });
    expect(error({ preprocessing: "mnist" })).toMatchObject({
      ...{ code: "INVALID_CONFIG", message: '"mnist" is for grey images.' },
    });
    expect(error({ mean: [0.1, 0.2] })).toMatchObject({ code: "INVALID_CONFIG", place: "--mean" });
  });
});
