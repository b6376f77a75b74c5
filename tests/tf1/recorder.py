"""Exports a case as a TF1 Hub module and records what the genuine hub.Module does with it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_hub as hub
from case import Case, Train, generator, tag_string
from tensorflow.core.protobuf import saved_model_pb2

GRAPH_SEED = 20
MODULE_NAME = "module"


class Record:
    """The arrays and the facts recorded of one module."""

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray] = {}
        self.facts: dict[str, Any] = {
            "signatures": {},
            "variants": [],
            "stochastic": [],
            "shapes": {},
            "train": None,
            "tf": tf.__version__,
            "hub": hub.__version__,
        }

    def put(self, key: str, value: Any) -> None:
        """Stores a value; one that is made of several arrays goes to several keys."""
        if isinstance(value, tf.SparseTensorValue):
            self._mark("composite", key, "sparse")
            for part in value._fields:
                self.put("%s/%s" % (key, part), getattr(value, part))
        elif isinstance(value, tf.ragged.RaggedTensorValue):
            self._mark("composite", key, "ragged")
            self.put(key + "/flat_values", value.flat_values)
            splits = value.nested_row_splits
            for i, split in enumerate(splits):
                suffix = "row_splits" if len(splits) == 1 else "row_splits_%d" % i
                self.put("%s/%s" % (key, suffix), split)
        else:
            self.arrays[key] = self._plain(key, value)

    def _plain(self, key: str, value: Any) -> np.ndarray:
        array = np.asarray(value)
        if array.dtype == object or array.dtype.kind in "SU":
            encode = np.vectorize(tf.compat.as_bytes, otypes=[object])
            return (encode(array) if array.size else array).astype("S")
        if array.dtype == tf.bfloat16.as_numpy_dtype:
            self._mark("dtypes", key, "bfloat16")
            return array.astype("float32")
        return array

    def _mark(self, fact: str, key: str, value: str) -> None:
        self.facts.setdefault(fact, {})[key] = value

    def save(self, folder: str) -> None:
        """Writes golden.npz and golden.json."""
        arrays = {key: self.arrays[key] for key in sorted(self.arrays)}
        np.savez_compressed(os.path.join(folder, "golden.npz"), **arrays)
        with open(os.path.join(folder, "golden.json"), "w") as file:
            json.dump(self.facts, file, indent=1, sort_keys=True)
            file.write("\n")


# Export ------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _scratch_directory() -> Iterator[None]:
    """Works in a temporary directory, so that paths of assets can be relative ones."""
    before = os.getcwd()
    with tempfile.TemporaryDirectory() as path:
        os.chdir(path)
        try:
            yield
        finally:
            os.chdir(before)


def export_module(name: str, case: Case, folder: str) -> None:
    """Exports a case to a folder, which is replaced, with values that no initializer gives."""
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    path = os.path.join(folder, "module")

    def build(**arguments: Any) -> None:
        tf.set_random_seed(GRAPH_SEED)
        case.build(**arguments)

    variants = [(set(tags), arguments) for tags, arguments in case.variants]
    tags = case.variants[0][0] if case.export_tags is None else case.export_tags
    config = tf.ConfigProto(device_count={"CPU": case.shards})
    with _scratch_directory(), tf.Graph().as_default():
        spec = hub.create_module_spec(build, variants, list(case.drop_collections))
        tf.set_random_seed(GRAPH_SEED)
        with tf.device(_spread_variables(case.shards)):
            module = hub.Module(spec, name=MODULE_NAME, tags=set(tags))
        with tf.Session(config=config) as session:
            _initialize(session)
            for variable in tf.global_variables():
                _perturb(name, variable, session)
            module.export(path, session)
    _rewrite_deterministically(os.path.join(path, "saved_model.pb"))


def _spread_variables(devices: int) -> Callable[[tf.Operation], str] | None:
    """A device function that hands variables to devices in turn; hub writes a shard for each."""
    if devices == 1:
        return None
    chosen: dict[str, str] = {}

    def device(op: tf.Operation) -> str:
        # The device of the op that reads a variable decides where it is saved.
        handle = op.inputs[0].op if op.type == "ReadVariableOp" else op
        if handle.type != "VarHandleOp":
            return ""
        return chosen.setdefault(handle.name, "/cpu:%d" % (len(chosen) % devices))

    return device


def _perturb(name: str, variable: tf.Variable, session: tf.Session) -> None:
    """Moves a floating point variable off its initial value; a variance stays positive."""
    value = session.run(variable)
    if value.dtype.kind not in "fc" or not value.size:
        return
    random = generator("%s/%s" % (name, variable.op.name))
    if "variance" in variable.op.name:
        value = value * (1 + 0.3 * random.rand(*value.shape))
    else:
        value = value + 0.05 * random.randn(*value.shape)
    variable.load(np.asarray(value, variable.dtype.base_dtype.as_numpy_dtype), session)


def _rewrite_deterministically(path: str, drop_collections: Sequence[str] = ()) -> None:
    """Orders the maps of a SavedModel; the random names in it are all that then varies."""
    saved_model = saved_model_pb2.SavedModel()
    with open(path, "rb") as file:
        saved_model.ParseFromString(file.read())
    for meta_graph in saved_model.meta_graphs:
        for collection in drop_collections:
            meta_graph.collection_def.pop(collection, None)
    with open(path, "wb") as file:
        file.write(saved_model.SerializeToString(deterministic=True))


# Record ------------------------------------------------------------------------------------------


def record_module(case: Case, folder: str) -> None:
    """Records what hub.Module does with the module that export_module() left in a folder."""
    path = os.path.join(folder, "module")
    record = Record()
    record.facts["variants"] = [sorted(tags) for tags, _ in case.variants]
    record.facts["stochastic"] = [tag_string(tags) for tags in case.stochastic]
    if case.notes:
        record.facts["notes"] = list(case.notes)
    if case.incomplete:
        record_refusals(record, case, path)
    with _initial_values_of_the_missing() if case.incomplete else contextlib.nullcontext():
        record_uses(record, case, path)
    if case.strip_collections:
        _rewrite_deterministically(os.path.join(path, "saved_model.pb"), case.strip_collections)
        record.facts["stripped"] = sorted(case.strip_collections)
    record.save(folder)


def record_uses(record: Record, case: Case, path: str) -> None:
    """Records what the signatures give, and what training makes of the variables."""
    for tags, _ in case.variants:
        record_outputs(record, case, path, tags)
        record_shapes(record, path, tags)
    if case.unknown_op:
        record.facts["unknown_op"] = case.unknown_op
    if case.package:
        record.facts["package"] = case.package
    if case.train:
        record_training(record, case, case.train, path)
    for signature in case.gradients:
        record_gradients(record, case, signature, path)


def record_refusals(record: Record, case: Case, path: str) -> None:
    """Records that hub.Module takes no variant with variables that the checkpoint lacks."""
    refused = record.facts["incomplete"] = {}
    for tags, _ in case.variants:
        with tf.Graph().as_default():
            try:
                hub.Module(path, tags=set(tags))
            except ValueError as error:
                refused[tag_string(tags)] = str(error).partition(" in ")[0]
    if sorted(refused) != sorted(map(tag_string, case.incomplete)):
        raise ValueError("hub.Module refuses %s." % refused)


@contextlib.contextmanager
def _initial_values_of_the_missing() -> Iterator[None]:
    """Lets variables that a checkpoint lacks keep their initializers, as hub.Module does not."""
    original = tf.compat.v1.train.init_from_checkpoint

    def init_from_checkpoint(path: str, variables: dict[str, Any]) -> None:
        reader = tf.train.load_checkpoint(path)
        original(path, {n: v for n, v in variables.items() if reader.has_tensor(n)})

    tf.compat.v1.train.init_from_checkpoint = init_from_checkpoint
    try:
        yield
    finally:
        tf.compat.v1.train.init_from_checkpoint = original


def _initialize(session: tf.Session) -> None:
    session.run([tf.global_variables_initializer(), tf.tables_initializer()])


def _as_tensor(value: Any) -> Any:
    if isinstance(value, tf.SparseTensorValue):
        return tf.SparseTensor(*value)
    if isinstance(value, tf.ragged.RaggedTensorValue):
        return tf.RaggedTensor.from_nested_row_splits(value.flat_values, value.nested_row_splits)
    if isinstance(value, np.ndarray) and value.dtype == object:
        return tf.constant(value.tolist(), tf.string)
    return tf.constant(value)


def _apply(module: hub.Module, signature: str, inputs: dict[str, Any]) -> dict[str, Any]:
    taken = module.get_input_info_dict(signature)
    tensors = {key: _as_tensor(value) for key, value in inputs.items() if key in taken}
    return module(tensors, signature=signature, as_dict=True)


def _variable_values(module: hub.Module, session: tf.Session) -> dict[str, np.ndarray]:
    """Every variable of a module by its name in the checkpoint, partitioned ones put together."""
    values = {}
    for name, variable in module.variable_map.items():
        if isinstance(variable, list):
            values[name] = _join_partitions(variable, session.run(variable))
        else:
            values[name] = session.run(variable)
    return values


def _join_partitions(variables: Sequence[tf.Variable], parts: Sequence[np.ndarray]) -> np.ndarray:
    slices = [variable._get_save_slice_info() for variable in variables]
    whole = np.empty(slices[0].full_shape, parts[0].dtype)
    for info, part in zip(slices, parts):
        where = tuple(slice(at, at + n) for at, n in zip(info.var_offset, info.var_shape))
        whole[where] = part
    return whole


def record_outputs(record: Record, case: Case, module_path: str, tags: Sequence[str]) -> None:
    """Records, for one variant, what each signature gives when it is the first one called."""
    with tf.Graph().as_default():
        module = hub.Module(module_path, name=MODULE_NAME, tags=set(tags))
        present = [name for name in case.inputs if name in module.get_signature_names()]
        results = {name: _apply(module, name, case.inputs[name]) for name in present}
        with tf.Session() as session:
            _initialize(session)
            before = _variable_values(module, session)
            for key, value in before.items():
                record.put("var0/" + key, value)
            for signature, outputs in results.items():
                record.facts["signatures"].setdefault(signature, sorted(outputs))
                for key, value in case.inputs[signature].items():
                    record.put("in/%s/%s" % (signature, key), value)
                if tuple(tags) in [tuple(random) for random in case.stochastic]:
                    continue
                _restore(module, before, session)
                path = "%s/%s" % (tag_string(tags), signature)
                for k in range(case.calls):
                    count = str(k + 1) if k else ""
                    for key, value in session.run(outputs).items():
                        record.put("out%s/%s/%s" % (count, path, key), value)
                    for key, value in _variable_values(module, session).items():
                        if not np.array_equal(value, before[key]):
                            record.put("after%s/%s/%s" % (count, path, key), value)


def _restore(module: hub.Module, values: dict[str, np.ndarray], session: tf.Session) -> None:
    """Starts again: from the checkpoint, and with the same random initial values."""
    session.run(tf.global_variables_initializer())
    for name, variable in module.variable_map.items():
        # What the checkpoint has is there again; an imported reference variable has no load().
        if not isinstance(variable, list) and not np.array_equal(
            session.run(variable), values[name]
        ):
            variable.load(values[name], session)


def record_shapes(record: Record, module_path: str, tags: Sequence[str]) -> None:
    """Records the static output shapes of signatures that no earlier variant had."""
    with tf.Graph().as_default():
        module = hub.Module(module_path, name=MODULE_NAME, tags=set(tags))
        for signature in sorted(module.get_signature_names()):
            if signature in record.facts["shapes"]:
                continue
            infos = module.get_input_info_dict(signature)
            feeds = {key: _placeholder(info) for key, info in infos.items()}
            outputs = module(feeds, signature=signature, as_dict=True)
            record.facts["shapes"][signature] = {
                key: _dimensions(output) for key, output in outputs.items()
            }


def _placeholder(info: Any) -> Any:
    if info.is_sparse:
        return tf.sparse.placeholder(info.dtype, info.get_shape().as_list())
    if info.is_composite:
        parts = tf.nest.flatten(info.type_spec, expand_composites=True)
        parts = [tf.placeholder(part.dtype, part.shape) for part in parts]
        return tf.nest.pack_sequence_as(info.type_spec, parts, expand_composites=True)
    return tf.placeholder(info.dtype, info.get_shape())


def _dimensions(tensor: Any) -> list[int | None] | None:
    shape = tensor.shape if not isinstance(tensor, tf.SparseTensor) else tensor.get_shape()
    return None if shape.rank is None else shape.as_list()


# Training ----------------------------------------------------------------------------------------


def record_training(record: Record, case: Case, train: Train, module_path: str) -> None:
    """Records the losses of a trainable module, and its variables after each step of SGD."""
    with tf.Graph().as_default() as graph:
        tf.set_random_seed(GRAPH_SEED)
        module = hub.Module(module_path, name=MODULE_NAME, tags=set(train.tags), trainable=True)
        scope = graph.unique_name(
            "%s_apply_%s" % (MODULE_NAME, train.signature.replace(":", "_")), mark_as_used=False
        )
        outputs = _apply(module, train.signature, case.inputs[train.signature])
        names = train.outputs
        if names is None:
            names = sorted(key for key, output in outputs.items() if output.dtype.is_floating)
        offered = tf.losses.get_regularization_losses()
        regularization = _computable_losses(offered, scope)
        updates = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
        runnable = [update for update in updates if not _needs_feeding(update)]
        terms = [tf.reduce_sum(tf.square(outputs[key])) for key in names]
        loss = tf.add_n(terms + [tf.cast(term, terms[0].dtype) for term in regularization])
        variables = tf.trainable_variables()
        with tf.control_dependencies(runnable):
            optimizer = tf.train.GradientDescentOptimizer(train.learning_rate)
            step = optimizer.minimize(loss, var_list=variables)
        facts = {
            "tags": sorted(train.tags),
            "signature": train.signature,
            "outputs": list(names),
            "reg": len(regularization),
            "update_ops": len(runnable),
            "trainable": [variable.op.name for variable in variables],
            "steps": train.steps,
            "learning_rate": train.learning_rate,
        }
        from_inputs = sum(_needs_feeding(term) for term in offered)
        if from_inputs:
            facts["reg_of_inputs"] = from_inputs
        if len(runnable) < len(updates):
            facts["update_ops_unfed"] = len(updates) - len(runnable)
        if train.loss_with_step:
            facts["loss_with_step"] = True
        if train.tolerance:
            facts["tolerance"] = train.tolerance
        record.facts["train"] = facts
        with tf.Session() as session:
            _initialize(session)
            record.put("reg0", np.array(session.run(regularization)))
            for k in range(train.steps):
                if train.loss_with_step:
                    value, _ = session.run([loss, step])
                else:
                    value = session.run(loss)
                    session.run(step)
                record.put("loss%d" % k, value)
                for key, current in _variable_values(module, session).items():
                    record.put("step%d/%s" % (k + 1, key), current)


def record_gradients(record: Record, case: Case, signature: str, module_path: str) -> None:
    """Records the gradients of the sum of each output by the trainable variables.

    `null` stands for an output that TensorFlow refuses to differentiate.
    """
    facts = record.facts.setdefault("gradients", {}).setdefault(signature, {})
    with tf.Graph().as_default():
        module = hub.Module(module_path, name=MODULE_NAME, trainable=True)
        outputs = _apply(module, signature, case.inputs[signature])
        variables = tf.trainable_variables()
        with tf.Session() as session:
            for name in sorted(key for key, o in outputs.items() if o.dtype.is_floating):
                try:
                    found = tf.gradients(tf.reduce_sum(outputs[name]), variables)
                except (AttributeError, LookupError):  # no gradient; none of a loop's gradient
                    facts[name] = None
                    continue
                names = [v.op.name[len(MODULE_NAME) + 1 :] for v in variables]
                present = {n: g for n, g in zip(names, found) if g is not None}
                facts[name] = sorted(present)
                _initialize(session)
                for variable, value in session.run(present).items():
                    record.put("grad/%s/%s/%s" % (signature, name, variable), value)


def _computable_losses(losses: Sequence[tf.Tensor], apply_scope: str) -> list[tf.Tensor]:
    """The losses, those that depend on inputs taken from the graph of the applied signature.

    hub.Module puts the losses of its state graph in the collection. Nothing feeds the inputs
    there, but each loss has a twin in the graph that the application of a signature adds.
    """
    graph = tf.get_default_graph()
    result = []
    for loss in losses:
        if _needs_feeding(loss):
            loss = graph.get_tensor_by_name(apply_scope + loss.name[len(MODULE_NAME) :])
            if _needs_feeding(loss):
                continue
        result.append(loss)
    return result


def _needs_feeding(fetch: tf.Tensor | tf.Operation) -> bool:
    """Whether a placeholder without a default is among what a fetch depends on."""
    pending = [fetch if isinstance(fetch, tf.Operation) else fetch.op]
    seen = set()
    while pending:
        op = pending.pop()
        if op in seen:
            continue
        seen.add(op)
        if op.type == "Placeholder":
            return True
        pending.extend(tensor.op for tensor in op.inputs)
        pending.extend(op.control_inputs)
    return False
