import { AntidoteError } from "../core/errors.ts";
import type { OperatorSetIdProto } from "./proto/generated/onnx_pb.ts";

/** The versions of the standard operators that are read; the newest is ONNX Runtime 1.30's. */
const OLDEST_OPSET = 9;
const NEWEST_OPSET = 26;

/** The standard domain has two spellings; ours is the empty one. */
export function plainDomain(domain: string): string {
  return domain === "ai.onnx" ? "" : domain;
}

/**
 * The version of the standard operators that a model or a function imports.
 * @throws `MODEL_UNSUPPORTED_OPSET`, also where the version is missing
 */
export function standardOpset(imports: readonly OperatorSetIdProto[], place: string): number {
  const version = imports.find(({ domain }) => plainDomain(domain) === "")?.version ?? 0n;
  if (version >= OLDEST_OPSET && version <= NEWEST_OPSET) return Number(version);
  throw new AntidoteError(
    "MODEL_UNSUPPORTED_OPSET",
    version === 0n
      ? "The model does not say which version of the ONNX operators it uses."
      : `The model uses version ${version} of the ONNX operators; ${OLDEST_OPSET} to ${NEWEST_OPSET} are supported.`,
    {
      place,
      next: "Export it again with `opset_version=18`, or convert it with `onnx.version_converter.convert_version(model, 18)`.",
    },
  );
}
