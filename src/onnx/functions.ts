import { create } from "@bufbuild/protobuf";
import { AntidoteError } from "../core/errors.ts";
import { plainDomain, standardOpset } from "./opset.ts";
import {
  type AttributeProto,
  AttributeProtoSchema,
  type FunctionProto,
  type GraphProto,
  type ModelProto,
  type NodeProto,
  NodeProtoSchema,
} from "./proto/generated/onnx_pb.ts";
import { altered, renamedGraph } from "./subgraphs.ts";

/** A node of a model without functions, and the version of the standard operators it follows. */
export interface FlatNode {
  readonly proto: NodeProto;
  readonly opset: number;
}

/** More nodes than any classifier has: functions that call functions could describe billions. */
const MAX_NODES = 50_000;

/** Functions inside one another. */
const MAX_CALLS = 50;

/** Characters of all the names that functions give their tensors, as every call has its own. */
const MAX_CHARACTERS = 2 ** 26;

/** What names and attributes mean where nodes are copied to. */
interface Scope {
  readonly rename: (name: string) => string;
  /** Attributes of the call or the function's defaults, by name. */
  readonly attributes: ReadonlyMap<string, AttributeProto>;
  readonly opset: number;
  /** Functions being expanded, to notice one that calls itself. */
  readonly callers: readonly string[];
}

/**
 * The nodes of a model's graph with every call of a model-local function replaced by the function's
 * nodes, in subgraphs as well. Inner tensors are called `<first output of the call>::<inner name>`.
 * @throws `MODEL_INVALID` (recursion), `MODEL_UNSUPPORTED_OPSET`, `MODEL_TOO_LARGE`
 */
export function inlineFunctions(model: ModelProto, graph: GraphProto, place: string): FlatNode[] {
  return new Inliner(model, place).expand(graph.node, {
    rename: (name) => name,
    attributes: new Map(),
    opset: standardOpset(model.opsetImport, place),
    callers: [],
  });
}

class Inliner {
  readonly #functions: ReadonlyMap<string, FunctionProto>;
  readonly #place: string;
  #count = 0;
  #characters = 0;

  constructor(model: ModelProto, place: string) {
    this.#functions = new Map(
      model.functions.map((it) => [functionKey(it.domain, it.name, it.overload), it]),
    );
    this.#place = place;
  }

  expand(nodes: readonly NodeProto[], scope: Scope): FlatNode[] {
    return nodes.flatMap((original) => {
      this.#count += 1;
      if (this.#count > MAX_NODES) {
        throw new AntidoteError("MODEL_TOO_LARGE", `The model has over ${MAX_NODES} nodes.`, {
          place: this.#place,
          next: "Use a smaller model.",
        });
      }
      const node = this.#bind(original, scope);
      const definition = this.#functions.get(functionKey(node.domain, node.opType, node.overload));
      return definition
        ? this.#call(node, definition, scope)
        : [{ proto: node, opset: scope.opset }];
    });
  }

  #call(call: NodeProto, definition: FunctionProto, outer: Scope): FlatNode[] {
    const key = functionKey(definition.domain, definition.name, definition.overload);
    if (outer.callers.includes(key) || outer.callers.length >= MAX_CALLS) {
      throw new AntidoteError("MODEL_INVALID", `The function "${definition.name}" calls itself.`, {
        place: this.#place,
        next: "Export the model again.",
      });
    }
    const names = new Map(definition.input.map((name, i) => [name, call.input[i] ?? ""]));
    const identities = definition.output.flatMap((name, i) => {
      const output = call.output[i];
      if (!output) return [];
      const passed = names.get(name);
      if (passed === undefined) {
        names.set(name, output);
        return [];
      }
      // The function returns one of its inputs, or one tensor twice.
      return [create(NodeProtoSchema, { opType: "Identity", input: [passed], output: [output] })];
    });
    const opset = standardOpset(definition.opsetImport, this.#place);
    const prefix = `${call.output.find((name) => name !== "") ?? call.name}::`;
    const body = this.expand(definition.node, {
      rename: (name) => (name === "" ? "" : (names.get(name) ?? this.#named(prefix + name))),
      attributes: byName([...definition.attributeProto, ...call.attribute]),
      opset,
      callers: [...outer.callers, key],
    });
    return [...body, ...identities.map((proto) => ({ proto, opset }))];
  }

  /** A name of a call's own. */
  #named(name: string): string {
    this.#characters += name.length;
    if (this.#characters <= MAX_CHARACTERS) return name;
    throw new AntidoteError("MODEL_TOO_LARGE", "The model's functions have too long names.", {
      place: this.#place,
      next: "Export the model again with shorter names.",
    });
  }

  /** A node as it reads in the scope: tensors renamed, references to attributes resolved. */
  #bind(node: NodeProto, scope: Scope): NodeProto {
    return create(NodeProtoSchema, {
      opType: node.opType,
      domain: plainDomain(node.domain),
      overload: node.overload,
      name: scope.rename(node.name),
      input: node.input.map(scope.rename),
      output: node.output.map(scope.rename),
      attribute: node.attribute.flatMap((attribute) => this.#bindAttribute(attribute, scope)),
    });
  }

  #bindAttribute(attribute: AttributeProto, scope: Scope): AttributeProto[] {
    if (attribute.refAttrName !== "") {
      if (scope.callers.length === 0) {
        throw new AntidoteError(
          "MODEL_INVALID",
          `The attribute "${attribute.name}" refers to a function's attribute outside any function.`,
          { place: this.#place, next: "Export the model again." },
        );
      }
      const bound = scope.attributes.get(attribute.refAttrName);
      if (!bound) return []; // The call leaves an optional attribute out.
      return [altered(AttributeProtoSchema, bound, { name: attribute.name })];
    }
    const { g, graphs } = attribute;
    if (!g && graphs.length === 0) return [attribute];
    return [
      altered(AttributeProtoSchema, attribute, {
        g: g && this.#bindGraph(g, scope),
        graphs: graphs.map((graph) => this.#bindGraph(graph, scope)),
      }),
    ];
  }

  #bindGraph(graph: GraphProto, scope: Scope): GraphProto {
    const nodes = this.expand(graph.node, scope).map(({ proto }) => proto);
    return renamedGraph(graph, scope.rename, nodes);
  }
}

function functionKey(domain: string, name: string, overload: string): string {
  return JSON.stringify([plainDomain(domain), name, overload]);
}

function byName(attributes: readonly AttributeProto[]): Map<string, AttributeProto> {
  return new Map(attributes.map((attribute) => [attribute.name, attribute]));
}
