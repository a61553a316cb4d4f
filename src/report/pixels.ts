import sharp from "sharp";

/** A drawing as PNG, for screens with one and a half pixels per point and more. */
export async function pixelsOf(svg: string): Promise<Uint8Array> {
  return await sharp(Buffer.from(svg), { density: 144 }).png().toBuffer();
}
