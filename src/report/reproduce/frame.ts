/** Size of a chart, in pixels. */
export interface Frame {
  readonly width: number;
  readonly height: number;
}

/** What a chart leaves around its points for axes, in pixels. */
export const MARGIN = { left: 46, right: 18, top: 26, bottom: 38 } as const;

/** A part of a drawing, as SVG elements from (0,0) on. */
export interface Drawn {
  readonly markup: string;
  /** In pixels. */
  readonly height: number;
}
