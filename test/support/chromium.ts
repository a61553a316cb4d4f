import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { pathToFileURL } from "node:url";
import { type Browser, chromium, type Page } from "playwright-core";

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

export const SCREENS = [
  { name: "light", width: 1100, colorScheme: "light" },
  { name: "dark", width: 1100, colorScheme: "dark" },
  { name: "narrow", width: 375, colorScheme: "light" },
] as const;

const executablePath = findChromium();
if (!executablePath) {
  console.warn("Skipping tests of pages: no Chromium on the PATH; CHROME_PATH names one.");
}

/** Whether there is a browser to look at pages with. */
export const hasChromium = executablePath !== undefined;

/** A page as a reader opens it, and everything it complains about or asks for. */
export interface Opened {
  readonly page: Page;
  readonly complaints: readonly string[];
  /** Addresses besides the page's own and those of embedded pictures. */
  readonly loaded: () => string[];
}

/** A browser that opens pages from files. */
export class Reader {
  readonly #browser: Browser;
  readonly #folder = mkdtempSync(join(tmpdir(), "antidote-page-"));

  private constructor(browser: Browser) {
    this.#browser = browser;
  }

  static async start(): Promise<Reader> {
    return new Reader(await chromium.launch({ executablePath: executablePath!, args: SWITCHES }));
  }

  async close(): Promise<void> {
    await this.#browser.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** @param fragment what follows "#" in the address */
  async open(html: string, screen: (typeof SCREENS)[number], fragment = ""): Promise<Opened> {
    const path = join(this.#folder, "page.html");
    writeFileSync(path, html);
    const address = pathToFileURL(path).href;
    const { width, colorScheme } = screen;
    const page = await this.#browser.newPage({ viewport: { width, height: 900 }, colorScheme });
    const complaints: string[] = [];
    const requests: string[] = [];
    page.on("console", (message) => complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(error.message));
    page.on("dialog", (dialog) => complaints.push(`dialog: ${dialog.message()}`));
    page.on("request", (request) => requests.push(request.url()));
    await page.goto(fragment === "" ? address : `${address}#${fragment}`);
    const own = (url: string) =>
      url.startsWith("data:image/png;base64,") || url.replace(/#.*$/, "") === address;
    return { page, complaints, loaded: () => requests.filter((url) => !own(url)) };
  }
}

/** Texts whose colour contrasts less than 4.5 : 1 with what lies behind them (WCAG 2.2, 1.4.3). */
export async function lowContrast(page: Page): Promise<string[]> {
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
