import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { figure4 } from "../../src/experiments/reproduce/figure-4.ts";
import { figure9 } from "../../src/experiments/reproduce/figure-9.ts";
import { scaleNamed } from "../../src/experiments/reproduce/scales.ts";
import { table2 } from "../../src/experiments/reproduce/table-2.ts";
import { artefactPage } from "../../src/report/reproduce/artefact-page.ts";
import { storeContents } from "../../src/report/store/contents.ts";
import { storePage } from "../../src/report/store/store-page.ts";
import { hasChromium, lowContrast, Reader, SCREENS } from "../support/chromium.ts";
import { madeStore } from "../support/made-store.ts";
import { curves, dots, empty, lines, PIXEL, pictured, table } from "./fixtures/reproduced.ts";

const OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth";

describe.skipIf(!hasChromium)("pages of experiments in Chromium", () => {
  let reader: Reader;
  let folder: string;
  let page: string;
  beforeAll(async () => {
    reader = await Reader.start();
    folder = await mkdtemp(join(tmpdir(), "antidote-store-browser-"));
    page = storePage(await storeContents(await madeStore(folder, [table2, figure4, figure9])));
  });
  afterAll(async () => {
    await reader?.close();
    await rm(folder, { recursive: true, force: true });
  });

  test.each(SCREENS)("a store is laid out on a $name screen", async (screen) => {
    const opened = await reader.open(page, screen);
    expect(await opened.page.evaluate<number>(OVERFLOW)).toBe(0);
    expect(await lowContrast(opened.page)).toEqual([]);
    expect(opened.complaints).toEqual([]);
    expect(opened.loaded()).toEqual([]);
    await opened.page.close();
  });

  test.each(SCREENS)("tables and figures are laid out on a $name screen", async (screen) => {
    const about = { scale: scaleNamed("tiny"), store: "results" };
    const pictures = new Map([["triggers/aa.png", PIXEL]]);
    for (const one of [table, lines, curves, dots, pictured, empty]) {
      const opened = await reader.open(artefactPage(one, pictures, about), screen);
      expect(await opened.page.evaluate<number>(OVERFLOW)).toBe(0);
      expect(await lowContrast(opened.page)).toEqual([]);
      expect(opened.complaints).toEqual([]);
      expect(opened.loaded()).toEqual([]);
      await opened.page.close();
    }
  });

  test("a table is sorted by a click and by keyboard, numbers as numbers", async () => {
    const { page: shown, complaints } = await reader.open(page, SCREENS[0]);
    const models = shown.locator("section", { has: shown.locator("#experiment-table-2-tiny") });
    const first = models.locator("table.sortable").first();
    const columnOf = (at: number) =>
      first
        .locator(`tbody td:nth-child(${at + 1})`)
        .evaluateAll((cells) => cells.map((cell) => cell.getAttribute("data-sort") ?? ""));
    const head = first.getByRole("button", { name: "ASR" });
    await head.click();
    const column = await first.locator("th", { hasText: "ASR" }).getAttribute("aria-sort");
    expect(column).toBe("ascending");
    const ascending = await columnOf(3);
    const numbers = ascending.filter((value) => value !== "").map(Number);
    expect(numbers.length).toBeGreaterThan(10);
    expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
    // Clean models have no attack success: they come last, whichever way.
    expect(ascending.slice(numbers.length).every((value) => value === "")).toBe(true);
    expect(ascending.length).toBeGreaterThan(numbers.length);
    await head.focus();
    await shown.keyboard.press("Enter");
    const descending = await columnOf(3);
    expect(descending.slice(0, numbers.length).map(Number)).toEqual(numbers.toReversed());
    expect(descending.at(-1)).toBe("");
    expect(complaints).toEqual([]);
    await shown.close();
  });

  test("a row leads to its trial, also from the address", async () => {
    const { page: shown, complaints, loaded } = await reader.open(page, SCREENS[0]);
    const link = shown.locator(".trials a", { hasText: "pivotal-tuning" }).first();
    await link.click();
    const fragment = (await link.getAttribute("href"))!.slice(1);
    const detail = shown.locator(`details[id="${fragment}"]`);
    expect(await detail.getAttribute("open")).not.toBeNull();
    expect(await detail.locator("svg.chart").first().isVisible()).toBe(true);
    await detail.getByText("Config").click();
    expect(await detail.getByText("repair.options.learningRate").isVisible()).toBe(true);
    expect(complaints).toEqual([]);
    expect(loaded()).toEqual([]);
    await shown.close();
    const again = await reader.open(page, SCREENS[0], fragment);
    const there = again.page.locator(`details[id="${fragment}"] svg.chart`).first();
    expect(await there.isVisible()).toBe(true);
    await again.page.close();
  });
});
