import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { auditPage } from "../../src/report/page.ts";
import { hasChromium, lowContrast, Reader, SCREENS } from "../support/chromium.ts";
import { hostile } from "./fixtures/hostile.ts";
import { pictures } from "./fixtures/pictures.ts";
import * as fixtures from "./fixtures/records.ts";

describe.skipIf(!hasChromium)("the report in Chromium", () => {
  let reader: Reader;
  beforeAll(async () => {
    reader = await Reader.start();
  });
  afterAll(() => reader?.close());
  const open = (html: string, screen: (typeof SCREENS)[number]) => reader.open(html, screen);

  describe.each(SCREENS)("on a $name screen", (screen) => {
    test.each(Object.entries(fixtures))("%s is laid out", async (_, record) => {
      const { page, complaints, loaded } = await open(
        auditPage(record, await pictures(record)),
        screen,
      );
      expect(complaints).toEqual([]);
      expect(loaded()).toEqual([]);
      const layout = await page.evaluate<Layout>(MEASURE);
      expect(layout.overflow).toBe(0);
      expect(layout.headlineBottom).toBeLessThan(250);
      expect(layout.brokenPictures).toBe(0);
      expect(layout.visibleCharts).toBeGreaterThanOrEqual(5);
      expect(layout.flatCharts).toBe(0);
      expect(await lowContrast(page)).toEqual([]);
      await page.close();
    });
  });

  test("hostile texts stay texts", async () => {
    const record = hostile(fixtures.backdoored);
    const { page, complaints, loaded } = await open(
      auditPage(record, await pictures(record)),
      SCREENS[2],
    );
    expect(complaints).toEqual([]);
    expect(loaded()).toEqual([]);
    expect((await page.evaluate<Layout>(MEASURE)).overflow).toBe(0);
    await page.close();
  });

  test("details open by keyboard", async () => {
    const { page } = await open(auditPage(fixtures.backdoored, new Map()), SCREENS[0]);
    const last = page.locator("details").last();
    await last.locator("summary").focus();
    await page.keyboard.press("Enter");
    expect(await last.getByText("Peak memory").isVisible()).toBe(true);
    await page.close();
  });
});

interface Layout {
  overflow: number;
  headlineBottom: number;
  brokenPictures: number;
  visibleCharts: number;
  flatCharts: number;
}

/** Runs in the page: what a reader would call broken. */
const MEASURE = `(() => {
  const charts = [...document.querySelectorAll("svg.chart")].filter((svg) => svg.checkVisibility());
  return {
    overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    headlineBottom: document.querySelector("h1").getBoundingClientRect().bottom,
    brokenPictures: [...document.images].filter((image) => image.naturalWidth === 0).length,
    visibleCharts: charts.length,
    flatCharts: charts.filter((svg) => svg.getBoundingClientRect().height < 40).length,
  };
})()`;
