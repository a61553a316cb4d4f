import type {
  AttributeProto,
  GraphProto,
  ModelProto,
  NodeProto,
  SparseTensorProto,
  TensorProto,
} from "./proto/generated/onnx_pb.ts";

/** Every tensor that a model stores, in subgraphs, functions and training information as well. */
export function* allTensors(model: ModelProto): Generator<TensorProto> {
  if (model.graph) yield* graphTensors(model.graph);
  for (const { node, attributeProto } of model.functions) {
    yield* nodeTensors(node);
    yield* attributeTensors(attributeProto);
  }
  for (const { initialization, algorithm } of model.trainingInfo) {
    if (initialization) yield* graphTensors(initialization);
    if (algorithm) yield* graphTensors(algorithm);
  }
}

function* graphTensors(graph: GraphProto): Generator<TensorProto> {
  yield* graph.initializer;
  yield* sparseTensors(graph.sparseInitializer);
  yield* nodeTensors(graph.node);
}

function* nodeTensors(nodes: readonly NodeProto[]): Generator<TensorProto> {
  for (const node of nodes) yield* attributeTensors(node.attribute);
}

function* attributeTensors(attributes: readonly AttributeProto[]): Generator<TensorProto> {
  for (const { t, tensors, g, graphs, sparseTensor, sparseTensors: sparse } of attributes) {
    if (t) yield t;
    yield* tensors;
    yield* sparseTensors(sparseTensor ? [sparseTensor, ...sparse] : sparse);
    if (g) yield* graphTensors(g);
    for (const graph of graphs) yield* graphTensors(graph);
  }
}

function* sparseTensors(sparse: readonly SparseTensorProto[]): Generator<TensorProto> {
  for (const { values, indices } of sparse) {
    if (values) yield values;
    if (indices) yield indices;
  }
}
