import { createHash } from "node:crypto";
import { parseHTML } from "linkedom";
import { describe, expect, test } from "vitest";
import { auditPage } from "../../src/report/page.ts";
import { hostile } from "./fixtures/hostile.ts";
import { pictures } from "./fixtures/pictures.ts";
import * as fixtures from "./fixtures/records.ts";

const { backdoored, inconclusive, noEvidence, thousand } = fixtures;
const PNG = /^data:image\/png;base64,[\w+/]+=*$/;
const INVISIBLE = /[\p{Cc}\u202a-\u202e\u2066-\u2069]/u;
const NONE = new Map<string, Uint8Array>();

function document(page: string) {
  return parseHTML(page).document;
}

describe("the report page", () => {
  test("states verdict, target, score and what the repair changed", async () => {
    const { body } = document(auditPage(backdoored, await pictures(backdoored)));
    expect(body.querySelector("h1")?.textContent).toBe("Backdoor found");
    expect(body.querySelector(".target")?.textContent).toBe("Target: cat (class 3)");
    const measures = [...body.querySelectorAll(".measure .value")].map(
      (value) => value.textContent,
    );
    expect(measures).toEqual(["0.93", "88.7% → 88.0%", "97.0% → 3.7%"]);
    for (const limit of backdoored.notTested) {
      expect(body.querySelector(".limits")?.textContent).toContain(limit);
    }
  });

  test("shows all four samples with the answers of both models", async () => {
    const { body } = document(auditPage(backdoored, await pictures(backdoored)));
    const cards = [...body.querySelectorAll(".sample")];
    expect(cards).toHaveLength(4);
    expect(cards[0]?.querySelectorAll("img")).toHaveLength(3);
    expect(cards[0]?.querySelectorAll(".captured")).toHaveLength(1);
    expect(cards[0]?.textContent).toContain("cat >99%");
  });

  test("says what no evidence means, and never calls a model clean", () => {
    for (const record of Object.values(fixtures)) {
      const text = document(auditPage(record, NONE)).body.textContent ?? "";
      expect(text).not.toMatch(/\b(clean|safe|secure)\b/i);
    }
    const { body } = document(auditPage(noEvidence, NONE));
    expect(body.querySelector("h1")?.textContent).toBe("No evidence of a backdoor found");
    expect(body.querySelector(".lead")?.textContent).toContain("does not prove");
    expect(body.querySelector(".target")).toBeNull();
  });

  test("shows warnings and the want of a repaired model", () => {
    const { body } = document(auditPage(inconclusive, NONE));
    expect(body.querySelector(".warnings")?.textContent).toContain("Class deer has only 4");
    expect(body.textContent).toContain("No repaired model was written.");
  });

  test("says of weights alone that nobody exported them", () => {
    const model = { ...backdoored.model, file: "model.safetensors", producer: "" };
    const { body } = document(auditPage({ ...backdoored, model }, NONE));
    expect(body.textContent).toContain("safetensors: weights alone");
    expect(body.textContent).not.toContain("operator set");
  });

  test("draws the twenty highest of a thousand classes and says so", () => {
    const { body } = document(auditPage(thousand, NONE));
    expect(body.querySelectorAll(".gallery li")).toHaveLength(20);
    expect(body.textContent).toContain("the 20 highest of 1\u202f000 classes");
  });

  test("keeps the target in view although another class scores higher", () => {
    const classes = thousand.classes.map((result) =>
      result.index === 417 ? { ...result, score: 0.01 } : result,
    );
    const { body } = document(auditPage({ ...thousand, classes, score: 0.01 }, NONE));
    expect(body.querySelector(".gallery .leading")?.textContent).toContain("balloon");
  });

  test("forbids everything but its own style sheet and embedded pictures", () => {
    const { head } = document(auditPage(backdoored, NONE));
    const policy = head.querySelector('meta[http-equiv="Content-Security-Policy"]');
    const style = head.querySelector("style")?.textContent ?? "";
    const digest = createHash("sha256").update(style).digest("base64");
    expect(policy?.getAttribute("content")).toBe(
      `default-src 'none'; style-src 'sha256-${digest}'; img-src data:; base-uri 'none'; form-action 'none'`,
    );
  });

  test("leaves a placeholder where a picture is missing", () => {
    const { body } = document(auditPage(backdoored, NONE));
    expect(body.querySelectorAll("img")).toHaveLength(0);
    expect(body.querySelectorAll(".missing").length).toBeGreaterThan(10);
  });
});

describe.each(Object.entries(fixtures))("the page of %s", (_, record) => {
  test("loads nothing and holds no script or inline style, whatever the texts are", async () => {
    for (const variant of [record, hostile(record)]) {
      const page = auditPage(variant, await pictures(variant));
      const { documentElement } = document(page);
      expect(
        documentElement.querySelectorAll("script, link, iframe, object, embed, a, base"),
      ).toHaveLength(0);
      const attributes = [...documentElement.querySelectorAll("*")].flatMap((element) => [
        ...element.attributes,
      ]);
      expect(attributes.filter(({ name }) => /^on|^style$|^href$|^action$/.test(name))).toEqual([]);
      const sources = attributes.filter(({ name }) => name === "src").map(({ value }) => value);
      expect(sources.filter((value) => !PNG.test(value))).toEqual([]);
      expect(/url\(|@import/.test(page)).toBe(false);
      expect(/https?:\/\//.test(page)).toBe(false);
      expect(INVISIBLE.test(page.replaceAll("\n", ""))).toBe(false);
    }
  });

  test("gives every picture a text in its stead", async () => {
    const { body } = document(auditPage(record, await pictures(record)));
    for (const image of body.querySelectorAll("img")) {
      expect(image.getAttribute("alt")).toBeTruthy();
    }
    for (const svg of body.querySelectorAll("svg.chart")) {
      expect(svg.getAttribute("role")).toBe("img");
      expect(svg.getAttribute("aria-label")).toBeTruthy();
    }
  });
});
