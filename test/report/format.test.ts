import { describe, expect, test } from "vitest";
import * as format from "../../src/report/format.ts";
import { html } from "../../src/report/html.ts";
import { shorten, visible } from "../../src/report/visible.ts";

describe("numbers for readers", () => {
  test.each([
    [format.percent(0.9731), "97.3%"],
    [format.percent(0), "0%"],
    [format.percent(1), "100%"],
    [format.percent(0.9999), "100.0%"],
    [format.confidence(0.995), ">99%"],
    [format.confidence(1), "100%"],
    [format.confidence(0.994), "99%"],
    [format.points(0.02), "2 points"],
    [format.points(0.005), "0.5 points"],
    [format.percentInterval({ low: 0.932, high: 0.991 }), "93.2 to 99.1%"],
    [format.score(-0.314), "−0.31"],
    [format.score(-0.001), "0.00"],
    [format.scoreInterval(null), "measured once"],
    [format.whole(999), "999"],
    [format.whole(11173962), "11\u202f173\u202f962"],
    [format.seconds(3.21), "3.2 s"],
    [format.seconds(9.97), "10.0 s"],
    [format.seconds(59.7), "60 s"],
    [format.seconds(252), "4 min 12 s"],
    [format.seconds(3720), "1 h 2 min"],
    [format.bytes(999), "999 bytes"],
    [format.bytes(1_412_000_000), "1.4 GB"],
    [format.moment("2026-11-22T11:39:04Z"), "22 November 2026, 11:39 UTC"],
  ])("%s", (formatted, expected) => {
    expect(formatted).toBe(expected);
  });
});

describe("texts from files", () => {
  test("invisible characters are written out", () => {
    expect(visible("a\u001b[31m\u202eb\u0000\n")).toBe("a⟨U+001B⟩[31m⟨U+202E⟩b⟨U+0000⟩⟨U+000A⟩");
    expect(visible("\ud800")).toBe("⟨U+D800⟩");
  });

  test("ordinary scripts and symbols stay as they are", () => {
    for (const text of ["café", "猫", "کتاب‌ها", "👩‍🔬", "a – b"]) expect(visible(text)).toBe(text);
  });

  test("long names lose their end, by whole characters", () => {
    expect(shorten("abcdef", 6)).toBe("abcdef");
    expect(shorten("ab cdef", 4)).toBe("ab…");
    expect(shorten("🐈🐈🐈", 2)).toBe("🐈…");
  });

  test("templates escape strings and keep markup", () => {
    const inner = html`<b>${"<&\"'>"}</b>`;
    expect(html`<p title="${'"'}">${inner}${[1, "&", null, false]}</p>`.markup).toBe(
      '<p title="&quot;"><b>&lt;&amp;&quot;&#39;&gt;</b>1&amp;</p>',
    );
  });
});
