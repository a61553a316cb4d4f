import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { pathToFileURL } from "node:url";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { auditPage } from "../../src/report/page.ts";
import { hostile } from "./fixtures/hostile.ts";
import { pictures } from "./fixtures/pictures.ts";
import * as fixtures from "./fixtures/records.ts";

/** Chromium as named by CHROME_PATH, or as found on the PATH. */
function findChromium(): string | undefined {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
  const onPath = names.flatMap((name) => folders.map((folder) => join(folder, name)));
  return [process.env["CHROME_PATH"] ?? [], onPath].flat().find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

const SWITCHES = [
  "--no-sandbox",
  "--disable-gpu",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

const SCREENS = [
  { name: "light", width: 1100, colorScheme: "light" },
  { name: "dark", width: 1100, colorScheme: "dark" },
  { name: "narrow", width: 375, colorScheme: "light" },
] as const;

const executablePath = findChromium();
if (!executablePath) {
  console.warn(
    "Skipping the report's browser test: no Chromium on the PATH; CHROME_PATH names one.",
  );
}

describe.skipIf(!executablePath)("the report in Chromium", () => {
  let browser: Browser;
  let folder: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "antidote-report-"));
    browser = await chromium.launch({ executablePath: executablePath!, args: SWITCHES });
  });
  afterAll(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Opens a page as a reader would, and everything it complains about or asks for. */
  async function open(html: string, screen: (typeof SCREENS)[number]) {
    const path = join(folder, "report.html");
    writeFileSync(path, html);
    const { width, colorScheme } = screen;
    const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme });
    const complaints: string[] = [];
    const requests: string[] = [];
    page.on("console", (message) => complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(error.message));
    page.on("dialog", (dialog) => complaints.push(`dialog: ${dialog.message()}`));
    page.on("request", (request) => requests.push(request.url()));
    await page.goto(pathToFileURL(path).href);
    const loaded = requests.filter((url) => !url.startsWith("data:image/png;base64,"));
    return { page, complaints, loaded: loaded.filter((url) => url !== pathToFileURL(path).href) };
  }

  describe.each(SCREENS)("on a $name screen", (screen) => {
    test.each(Object.entries(fixtures))("%s is laid out", async (_, record) => {
      const { page, complaints, loaded } = await open(
        auditPage(record, await pictures(record)),
        screen,
      );
      expect(complaints).toEqual([]);
      expect(loaded).toEqual([]);
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
    expect(loaded).toEqual([]);
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

/** Texts whose colour contrasts less than 4.5 : 1 with what lies behind them (WCAG 2.2, 1.4.3). */
async function lowContrast(page: Page): Promise<string[]> {
  return page.evaluate<string[]>(`(() => {
    const channels = (colour) => colour.match(/[\\d.]+/g).map(Number);
    const luminance = (colour) => {
      const [r, g, b] = channels(colour).map((c) => c / 255)
        .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const backdrop = (element) => {
      for (let at = element; at; at = at.parentElement) {
        const colour = getComputedStyle(at).backgroundColor;
        if (channels(colour)[3] !== 0) return colour;
      }
      return "rgb(255, 255, 255)";
    };
    const texts = [...document.querySelectorAll("body *")].filter((element) =>
      element.checkVisibility() && [...element.childNodes].some((n) => n.nodeType === 3 && n.data.trim()));
    return texts.filter((element) => {
      const style = getComputedStyle(element);
      const inks = [element instanceof SVGElement ? style.fill : style.color, backdrop(element)].map(luminance);
      return (Math.max(...inks) + 0.05) / (Math.min(...inks) + 0.05) < 4.5;
    }).map((element) => element.textContent.trim().slice(0, 40));
  })()`);
}
