import { expect, test } from "vitest";
import { CONSTANT, RULES } from "../../src/autodiff/rules/index.ts";
import { supportTable } from "./support-table.ts";

test("docs/operators.md says what the code does", async () => {
  await expect(supportTable()).toMatchFileSnapshot("../../docs/operators.md");
});

test("every rule has its place in the table", () => {
  const lines = supportTable();
  for (const [op, rule] of Object.entries(RULES)) {
    const place = rule === CONSTANT ? `\`${op}\`` : `| \`${op}\` `;
    expect(lines.split(place).length, op).toBe(2);
  }
});
