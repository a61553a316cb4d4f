import { type FloatTensor, float32 } from "../core/tensor.ts";
import type { GraphBuilder } from "../onnx/builder.ts";
import type { Value } from "../onnx/graph.ts";

/** Functions on a line of n pixels, of which images are sums: [count,n]. */
export type Basis = FloatTensor;

/** The first rows of the orthonormal DCT-II of length n: √(2/n)·cos(π(x+½)i/n), the first 1/√n. */
export function cosines(count: number, n: number): Basis {
  return basis(
    count,
    n,
    (i, x) => Math.sqrt((i === 0 ? 1 : 2) / n) * Math.cos((Math.PI * (x + 0.5) * i) / n),
  );
}

/** 1 on the i-th run of `length` pixels, else 0; the last run may be shorter. */
export function runs(length: number, n: number): Basis {
  return basis(Math.ceil(n / length), n, (i, x) => (Math.floor(x / length) === i ? 1 : 0));
}

function basis(count: number, n: number, entry: (i: number, x: number) => number): Basis {
  const data = Float32Array.from({ length: count * n }, (_, at) =>
    entry(Math.floor(at / n), at % n),
  );
  return float32([count, n], data);
}

/** DᵀFE in a graph, D and E the bases of columns and rows: F [M,C,h,w] → [M,C,H,W]. */
export function expand(b: GraphBuilder, coefficients: Value, down: Basis, across: Basis): Value {
  const rows = b.transpose(b.constant(down), [1, 0]); // [H,h]
  return b.matmul(b.matmul(rows, coefficients), b.constant(across));
}

/** The same in numbers: F [C,h,w] → [C,H,W]. */
export function expanded({ shape, data }: FloatTensor, down: Basis, across: Basis): FloatTensor {
  const [channels, h, w] = shape as [number, number, number];
  const [height, width] = [down.shape[1]!, across.shape[1]!];
  const image = new Float32Array(channels * height * width);
  for (let c = 0; c < channels; c++) {
    for (let i = 0; i < h; i++) {
      for (let y = 0; y < height; y++) {
        const share = down.data[i * height + y]!;
        if (share === 0) continue;
        for (let j = 0; j < w; j++) {
          const amount = data[(c * h + i) * w + j]! * share;
          const row = (c * height + y) * width;
          for (let x = 0; x < width; x++) image[row + x]! += amount * across.data[j * width + x]!;
        }
      }
    }
  }
  return float32([channels, height, width], image);
}
