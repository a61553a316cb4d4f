/** Prints a table in Markdown, and an empty line after it. */
export function printTable(head, rows) {
  const line = (cells) => `| ${cells.join(" | ")} |\n`;
  const lines = [head, head.map(() => "---"), ...rows].map(line);
  process.stdout.write(`${lines.join("")}\n`);
}

/** A share in [0,1] in percent, without the sign. */
export function percent(share, digits = 1) {
  return (100 * share).toFixed(digits);
}
