import { expect, test } from "vitest";
import { nearest } from "../../src/core/nearest.ts";

test("suggests the closest name, and nothing when none is close", () => {
  expect(nearest("alhpa", ["beta", "alpha", "gamma"])).toBe("alpha");
  expect(nearest("Cats", ["dog", "cat"])).toBe("cat");
  expect(nearest("horse", ["cat", "dog"])).toBeUndefined();
  expect(nearest("x", [])).toBeUndefined();
});
