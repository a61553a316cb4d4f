import { AntidoteError } from "../core/errors.ts";
import type { DataType, Tensor } from "../core/tensor.ts";
import { elementType } from "./element-types.ts";
import { describe, type Node, producers } from "./graph.ts";
import type { GraphProto } from "./proto/generated/onnx_pb.ts";

/** What upgrading a node may ask about the graph around it, and the constants it adds. */
export class UpgradeContext {
  readonly #ranks = new Map<string, number>();
  readonly #types = new Map<string, DataType>();
  readonly #makers: ReadonlyMap<string, Node>;
  readonly #constants: Map<string, Tensor>;
  readonly #used: ReadonlySet<string>;
  readonly #floatType: DataType;

  /** @param constants those of the graph; new ones are added to it */
  constructor(proto: GraphProto, nodes: readonly Node[], constants: Map<string, Tensor>) {
    this.#constants = constants;
    const outputs = proto.output.map(({ name }) => name);
    this.#makers = producers({ opset: 0, inputs: [], outputs, nodes, constants });
    this.#used = new Set([...outputs, ...nodes.flatMap((node) => node.inputs)]);
    const floats = new Set(
      Array.from(constants.values(), ({ type }) => type).filter((type) => type.includes("float")),
    );
    this.#floatType = floats.size === 1 ? [...floats][0]! : "float32";
    for (const { name, type } of [...proto.valueInfo, ...proto.input, ...proto.output]) {
      if (type?.value.case !== "tensorType") continue;
      const { elemType, shape } = type.value.value;
      const element = elementType(elemType);
      if (element?.includes("float")) this.#types.set(name, element);
      if (shape) this.#ranks.set(name, shape.dim.length);
    }
  }

  /** Adds a constant that belongs to a node and returns its name. */
  constant(node: Node, role: string, value: Tensor): string {
    const name = inner(node, role);
    this.#constants.set(name, value);
    return name;
  }

  /** The value of a constant. */
  constantValue(name: string): Tensor | undefined {
    return this.#constants.get(name);
  }

  /** The rank of a tensor where the file states it or its maker implies it. */
  rank(name: string): number | undefined {
    const maker = this.#makers.get(name)?.op;
    if (maker === "Gemm" || maker === "Flatten") return 2;
    return this.#ranks.get(name);
  }

  /** The element type of a floating-point tensor: as declared, else that of the model's weights. */
  floatType(name: string): DataType {
    return this.#types.get(name) ?? this.#floatType;
  }

  /**
   * The first outputs of a node whose others served training only and no longer exist.
   * Throws `MODEL_UNSUPPORTED_OPERATOR` if something uses the others.
   */
  firstOutputs(node: Node, count: number): readonly string[] {
    const used = node.outputs.slice(count).find((name) => name !== "" && this.#used.has(name));
    if (used === undefined) return node.outputs.slice(0, count);
    throw new AntidoteError(
      "MODEL_UNSUPPORTED_OPERATOR",
      `The ${describe(node)} returns "${used}", which only training needs.`,
      { place: node.name, next: "Export the model in evaluation mode (`model.eval()`)." },
    );
  }
}

/** Name of a tensor that an upgrade puts inside what was one node. */
export function inner(node: Node, role: string): string {
  return `${node.outputs[0]}~${role}`;
}
