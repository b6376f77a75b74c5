"""What TensorFlow 1.15 computes with a model, as arrays."""

import json
import os

import numpy as np
import tensorflow as tf

LEARNING_RATE = 0.1
STEPS = 3


class Case(object):
    """A model in a session, with what a caller will say of it.

    Attributes:
        session: It has the variables' values.
        path: What a caller passes: a path below the folder of the kind.
        inputs: By name, the tensor that is fed and its value.
        outputs: By name, the tensor that is fetched.
        arguments: Further arguments of `load_tf1`.
        feeds: What is fed besides in inference, and in training.
        train: The case of the training graph, where that is another one.
        signature: The signature that is recorded.
        trainable: The trained variables, where they are not those of the collection.
        is_named: Whether `inputs` and `outputs` are passed to `load_tf1`; else the file has them.
    """

    def __init__(self, session, path, inputs, outputs, **options):
        self.session = session
        self.path = path
        self.inputs = inputs
        self.outputs = outputs
        self.arguments = options.pop("arguments", {})
        self.feeds = options.pop("feeds", {})
        self.training_feeds = options.pop("training_feeds", self.feeds)
        self.train = options.pop("train", None)
        self.signature = options.pop("signature", "default")
        self.variables = options.pop("variables", None)
        self.trainable = options.pop("trainable", None)
        self.is_named = options.pop("is_named", True)
        assert not options, options


def record(case, folder):
    """Writes `case.json` and `record.npz`."""
    arrays = {"in/" + n: np.asarray(value) for n, (_, value) in case.inputs.items()}
    with case.session.graph.as_default():
        feeds = _feeds(case, case.feeds)
        found = case.session.run(case.outputs, feeds)
        arrays.update({"out/" + n: value for n, value in found.items()})
        variables, trainable = _variables(case)
        gradients = _gradients(_squares(case.outputs), trainable)
        for name, value in case.session.run(gradients, feeds).items():
            arrays["gradient/" + name] = value
    arrays.update(_train(case.train or case))
    meta = {
        "path": case.path,
        "signature": case.signature,
        "arguments": dict(case.arguments),
        "variables": sorted(variables),
        "trainable": sorted(trainable),
    }
    if case.is_named:
        meta["arguments"]["inputs"] = {n: _name(t) for n, (t, _) in case.inputs.items()}
        meta["arguments"]["outputs"] = {n: _name(t) for n, t in case.outputs.items()}
    strings = {n for n, a in arrays.items() if a.dtype.kind == "O"}
    arrays = {n: a.astype("S") if n in strings else a for n, a in arrays.items()}
    np.savez_compressed(os.path.join(folder, "record.npz"), **arrays)
    with open(os.path.join(folder, "case.json"), "w") as file:
        json.dump(meta, file, indent=1, sort_keys=True)
        file.write("\n")


def _name(tensor):
    return tensor.name.replace("again/", "")  # where a frozen graph was imported to be recorded


def _train(case):
    """Three steps of SGD, and what the update ops leave after one run."""
    arrays = {}
    with case.session.graph.as_default():
        variables, trainable = _variables(case)
        feeds = _feeds(case, case.training_feeds)
        losses = [
            loss
            for loss in tf.get_collection(tf.GraphKeys.REGULARIZATION_LOSSES)
            if _is_of(loss, variables)
        ]
        total = tf.add_n([_squares(case.outputs)] + losses)
        gradients = _gradients(total, trainable)
        updates = [op for op in tf.get_collection(tf.GraphKeys.UPDATE_OPS)]
        places = {n: tf.placeholder(tf.float32) for n in gradients}
        assigns = [
            _assign(trainable[n], trainable_value, places[n])
            for n, trainable_value in _values(trainable).items()
            if n in gradients
        ]
        if losses:
            arrays["regularization"] = case.session.run(tf.add_n(losses))
        for step in range(STEPS):
            loss, found, _ = case.session.run([total, gradients, updates], feeds)
            arrays["loss/%d" % step] = loss
            if step == 0:
                for name, value in case.session.run(_values(variables)).items():
                    arrays["update/" + name] = value
            case.session.run(assigns, {places[n]: found[n] for n in gradients})
        for name, value in case.session.run(_values(variables)).items():
            arrays["step/" + name] = value
    return arrays


def _assign(variable, value, gradient):
    if isinstance(variable, list):
        parts, start = [], 0
        for part in variable:
            size = part.shape.as_list()[0]
            new = part.read_value() - LEARNING_RATE * gradient[start : start + size]
            parts.append(part.assign(new))
            start += size
        return tf.group(*parts)
    return variable.assign(value - LEARNING_RATE * gradient).op


def _values(variables):
    return {
        n: tf.concat([p.read_value() for p in v], 0) if isinstance(v, list) else v.read_value()
        for n, v in variables.items()
    }


def _gradients(total, trainable):
    found = {}
    for name, variable in trainable.items():
        parts = tf.gradients(total, variable if isinstance(variable, list) else [variable])
        if parts[0] is not None:
            dense = [tf.convert_to_tensor(part) for part in parts]
            found[name] = tf.concat(dense, 0) if len(dense) > 1 else dense[0]
    return found


def _squares(outputs):
    floats = [t for _, t in sorted(outputs.items()) if t.dtype.is_floating]
    return tf.add_n([tf.reduce_sum(tf.square(t)) for t in floats])


def _feeds(case, others):
    feeds = {tensor: value for tensor, value in case.inputs.values()}
    feeds.update({case.session.graph.get_tensor_by_name(n): v for n, v in others.items()})
    return feeds


def _variables(case):
    """Those that outputs or update ops need: all, and the trained ones."""
    wanted = list(case.outputs.values()) + [op for op in tf.get_collection(tf.GraphKeys.UPDATE_OPS)]
    needed = _ancestors(wanted, {t for t, _ in case.inputs.values()})
    known = case.variables if case.variables is not None else tf.global_variables()
    trained = case.trainable if case.trainable is not None else tf.trainable_variables()
    trained = {v.op.name for v in trained}
    variables, trainable = {}, {}
    for variable in known:
        if variable.op not in needed:
            continue
        part = variable._save_slice_info
        name = part.full_name if part else variable.op.name
        for group in [variables] + [trainable] * (variable.op.name in trained):
            if part:
                group.setdefault(name, []).append(variable)
            else:
                group[name] = variable
    return variables, trainable


def _is_of(loss, variables):
    ops = {
        v.op for value in variables.values() for v in (value if type(value) is list else [value])
    }
    return bool(ops & _ancestors([loss], set()))


def _ancestors(wanted, fed):
    seen, stack = set(), [getattr(w, "op", w) for w in wanted]
    while stack:
        op = stack.pop()
        if op in seen:
            continue
        seen.add(op)
        stack += [t.op for t in op.inputs if t not in fed] + list(op.control_inputs)
    return seen
