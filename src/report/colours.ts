/** Colours by the custom property that holds them. */
export type Colours = Readonly<Record<string, string>>;

/** Neutral greys; text has a contrast of 4.5 : 1 or more in both schemes. */
export const LIGHT: Colours = {
  ...{ "--paper": "#ffffff", "--raised": "#f6f7f7", "--ink": "#1a1d20" },
  ...{ "--muted": "#5a6168", "--line": "#dcdfe2", "--faint": "#e9ebed" },
};

export const DARK: Colours = {
  ...{ "--paper": "#131517", "--raised": "#1b1e21", "--ink": "#e6e8ea" },
  ...{ "--muted": "#9ba3ab", "--line": "#31363b", "--faint": "#23272b" },
};

/** One colour per series of a chart, told apart by people who see fewer colours, too; text in them is readable. */
export const LIGHT_SERIES: Colours = {
  ...{ "--series-1": "#1c5bb0", "--series-2": "#b04a00", "--series-3": "#0a6b5d" },
  ...{ "--series-4": "#8a3ba6", "--series-5": "#6b5d00", "--series-6": "#b0245a" },
};

export const DARK_SERIES: Colours = {
  ...{ "--series-1": "#7fb6ff", "--series-2": "#f5a25d", "--series-3": "#4fc7b0" },
  ...{ "--series-4": "#d3a0ee", "--series-5": "#cfbf4a", "--series-6": "#ff8fb0" },
};

/** As the body of a rule. */
export function declarations(colours: Colours): string {
  return Object.entries(colours)
    .map(([name, value]) => `${name}: ${value};`)
    .join(" ");
}

/** A drawing with its colours written out, for programs that know no custom properties. */
export function withColours(svg: string, colours: Colours): string {
  return svg.replace(/var\((--[\w-]+)\)/g, (whole, name: string) => colours[name] ?? whole);
}
