import { describe, expect, test } from "vitest";
import type { Figure, Table } from "../../src/experiments/reproduce/artefact.ts";
import { scaleNamed } from "../../src/experiments/reproduce/scales.ts";
import { html } from "../../src/report/html.ts";
import { pixelsOf } from "../../src/report/pixels.ts";
import { artefactHtml, artefactPage } from "../../src/report/reproduce/artefact-page.ts";
import { figureCsv, tableCsv } from "../../src/report/reproduce/data-csv.ts";
import { figureFile, figureSvg } from "../../src/report/reproduce/figure-svg.ts";
import { figureText } from "../../src/report/reproduce/figure-text.ts";
import { tableMarkdown } from "../../src/report/reproduce/table-markdown.ts";
import { tableText } from "../../src/report/reproduce/table-text.ts";
import { cellWords } from "../../src/report/reproduce/words.ts";
import { PAYLOAD } from "./fixtures/hostile.ts";
import { bars, curves, dots, empty, lines, PIXEL, pictured, table } from "./fixtures/reproduced.ts";

const FIGURES: Readonly<Record<string, Figure>> = { lines, curves, dots, bars, pictured, empty };
const pictures = new Map([["triggers/aa.png", PIXEL]]);

/** An element a line, so that a change can be read. */
const spread = (markup: string) => markup.replaceAll("><", ">\n<");

describe("tables", () => {
  test.each([
    ["table-x.md", () => tableMarkdown(table)],
    ["table-x.csv", () => tableCsv(table)],
    ["table-x.txt", () => `${tableText(table)}\n`],
    ["table-x.html", () => `${artefactHtml(table, new Map()).markup}\n`],
  ])("%s looks as before", async (name, draw) => {
    await expect(draw()).toMatchFileSnapshot(`snapshots/reproduce/${name}`);
  });

  test("say the interval, the number of models and the paper's number with every number", () => {
    const [share, auc, option] = table.rows[0]!.slice(2);
    expect(cellWords(share!)).toBe("91.8% (90.1 to 93.3%, n = 3); paper 100%");
    expect(cellWords(auc!)).toBe("0.80 (0.65 to 0.95, n = 6 and 10 clean); paper 0.76");
    expect(cellWords(option!)).toBe("0.001; paper 0.01");
    expect(cellWords(table.rows[1]![2]!)).toBe("25.0% (n = 1); paper 3.5%");
    expect(cellWords(table.rows[2]![2]!)).toBe("not measured; paper 38%");
    expect(cellWords(table.rows[1]![3]!)).toBe("not measured");
  });

  test("without numbers are a table of words", () => {
    const words: Table = { ...table, head: ["a", "b"], rows: [["1", 'x "y"']], notes: [] };
    expect(tableCsv(words)).toBe('a,b\n1,"x ""y"""\n');
    expect(tableText(words)).toContain('  a  b\n  1  x "y"');
  });
});

describe("figures", () => {
  test.each(Object.entries(FIGURES))("%s look as before", async (name, figure) => {
    const svg = spread(figureFile(figure, pictures));
    await expect(svg).toMatchFileSnapshot(`snapshots/reproduce/${name}.svg`);
  });

  test("slant names that are longer than their bars are wide", () => {
    const named = (...names: string[]): Figure => ({
      ...bars,
      panels: [
        {
          ...{ kind: "chart", title: "repair" },
          x: { label: "attack", scale: "linear", names },
          y: { label: "loss", scale: "linear", share: true },
          series: [{ name: "loss", mark: "bars", points: names.map((_, x) => ({ x, y: 0.01 })) }],
        },
      ],
    });
    const isSlanted = (figure: Figure) => figureSvg(figure, pictures, 330).includes("rotate(-35)");
    const long = ["adaptive-blend", "adaptive-patch", "badnets", "refool", "wanet"];
    expect(isSlanted(named(...long))).toBe(true);
    expect(isSlanted(named("adv", "tsb"))).toBe(false);
    expect(isSlanted(named(...Array.from({ length: 200 }, (_, x) => String(1000 + x))))).toBe(
      false,
    );
  });

  test.each(Object.entries(FIGURES))("%s have no coordinate that is not a number", (_, figure) => {
    for (const width of [920, 330]) {
      expect(figureSvg(figure, pictures, width)).not.toMatch(/NaN|Infinity|undefined/);
    }
  });

  test.each(Object.entries(FIGURES))("%s have colours that other programs know", (_, figure) => {
    expect(figureFile(figure, pictures)).not.toContain("var(");
  });

  test("are pixels, too", async () => {
    const png = Buffer.from(await pixelsOf(figureFile(dots, new Map())));
    expect(png.subarray(1, 4).toString()).toBe("PNG");
    // 700 points at 144 dpi
    expect(png.readUInt32BE(16)).toBe(1400);
  });

  test("write their points as CSV", async () => {
    const csv = [lines, dots, bars, pictured].map(figureCsv).join("\n");
    await expect(csv).toMatchFileSnapshot("snapshots/reproduce/figures.csv");
  });

  test("say in words what they show", async () => {
    const text = Object.values(FIGURES).map(figureText).join("\n\n");
    await expect(`${text}\n`).toMatchFileSnapshot("snapshots/reproduce/figures.txt");
  });

  test("name the marked one of many points", () => {
    const points = Array.from({ length: 12 }, (_, x) => ({
      ...{ x, y: x },
      ...(x === 7 ? { marked: true as const } : {}),
    }));
    const chart = curves.panels[0] as Extract<Figure["panels"][number], { kind: "chart" }>;
    const series = [{ name: "score", mark: "bars" as const, points }];
    const y = { label: "score", scale: "linear" as const };
    const text = figureText({
      ...curves,
      panels: [{ ...chart, x: { ...y, label: "class" }, y, series }],
    });
    expect(text).toContain("0 → 0, … 9 more, 7 → 7, 11 → 11");
  });

  test("say what is not measured, and how many models there are", () => {
    const svg = figureSvg(lines, new Map(), 920);
    expect(svg).toContain("ASR, n = 2 to 3<");
    expect(svg).toContain("AUC of a detector with a long name, n = 3 and 4 clean<");
    expect(svg).toContain("AUC of another: not measured<");
    expect(figureSvg(empty, new Map(), 920)).toContain(">not measured<");
    expect(
      figureText({ ...curves, panels: [{ ...curves.panels[0]!, series: [] } as never] }),
    ).toContain("not measured");
  });

  test("name lines at the lines where there is room, and in the legend otherwise", () => {
    const named = figureSvg(curves, new Map(), 660);
    expect(named.match(/>m = 10</g)).toHaveLength(1);
    expect(named).toMatch(/aria-label="text"[^>]*><text[^>]*>m = 10</);
    expect(named.match(/>suspect</g)).toHaveLength(1);
  });
});

describe("pages", () => {
  const about = { scale: scaleNamed("tiny"), store: "results" };

  test("forbid everything but their own style sheet and pictures", () => {
    const page = artefactPage(dots, new Map(), about);
    expect(page).toContain("default-src 'none'; style-src 'sha256-");
    expect(page).not.toContain("<script");
    expect(page).toContain("The numbers");
  });

  test("hold texts that cannot end them", () => {
    const hostile = (value: unknown): unknown =>
      JSON.parse(
        JSON.stringify(value, (key, inner) =>
          typeof inner === "string" && !["kind", "mark", "scale", "as"].includes(key)
            ? PAYLOAD
            : inner,
        ),
      );
    for (const figure of Object.values(FIGURES)) {
      const page = artefactPage(hostile(figure) as Figure, new Map(), { ...about, store: PAYLOAD });
      expect(page).not.toMatch(/<script|<img src=x|onerror=alert\(1\)>/);
    }
    const page = artefactPage(hostile(table) as Table, new Map(), about);
    expect(page).not.toMatch(/<script|<img src=x/);
    expect(tableMarkdown(hostile(table) as Table)).not.toMatch(/(^|[^\\])<img/);
    expect(html`${PAYLOAD}`.markup).not.toContain("<");
  });
});
