/**
 * float16 (IEEE binary16) and bfloat16, which JavaScript arrays hold as raw bits. Conversions from
 * float32 round to nearest, ties to even; infinities and NaN stay what they are.
 */

/** float32 values as float16 bits; beyond ±65520 they become infinite. */
export function toFloat16(values: Float32Array): Uint16Array<ArrayBuffer> {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  return Uint16Array.from(words, float16Bits);
}

/** float16 bits as float32 values, exactly. */
export function fromFloat16(bits: Uint16Array): Float32Array<ArrayBuffer> {
  return Float32Array.from(bits, float16Value);
}

/** float32 values as bfloat16 bits: the upper half of their float32 bits, rounded. */
export function toBfloat16(values: Float32Array): Uint16Array<ArrayBuffer> {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  return Uint16Array.from(words, (word) =>
    isNaN32(word) ? (word >>> 16) | 0x40 : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16,
  );
}

/** bfloat16 bits as float32 values, exactly. */
export function fromBfloat16(bits: Uint16Array): Float32Array<ArrayBuffer> {
  return new Float32Array(Uint32Array.from(bits, (half) => half << 16).buffer);
}

function isNaN32(word: number): boolean {
  return (word & 0x7fffffff) > 0x7f800000;
}

function float16Bits(word: number): number {
  const sign = (word >>> 16) & 0x8000;
  const magnitude = word & 0x7fffffff;
  if (isNaN32(word)) return sign | 0x7e00;
  if (magnitude >= 0x47800000) return sign | 0x7c00;
  if (magnitude < 0x38800000) {
    // Below 2^-14 float16 is subnormal, in steps of 2^-24: scaled by 2^24, the value is its bits.
    return sign | roundToEven(float32Value(magnitude) * 2 ** 24);
  }
  // Moves the exponent's bias from 127 to 15 and drops 13 bits of the mantissa; a carry out of the
  // mantissa correctly increments the exponent.
  const rebiased = magnitude - (112 << 23);
  return sign | ((rebiased + 0xfff + ((rebiased >>> 13) & 1)) >>> 13);
}

const scratch = new DataView(new ArrayBuffer(4));

function float32Value(word: number): number {
  scratch.setUint32(0, word);
  return scratch.getFloat32(0);
}

/** To the nearest integer, for values in [0, 2^32). */
function roundToEven(value: number): number {
  const floor = Math.floor(value);
  const excess = value - floor;
  if (excess === 0.5) return floor + (floor & 1);
  return excess > 0.5 ? floor + 1 : floor;
}

function float16Value(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 0x1f;
  const mantissa = bits & 0x3ff;
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  if (exponent === 0x1f) return mantissa === 0 ? sign * Infinity : Number.NaN;
  return sign * (1 + mantissa / 1024) * 2 ** (exponent - 15);
}
