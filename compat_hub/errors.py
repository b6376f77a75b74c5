"""The errors that compat_hub raises, all of one family.

Each kind also derives from the builtin exception that tensorflow_hub raises in the same place, so a
program's old `except` clauses keep working.
"""

from compat_hub.common.masking import masked

__all__ = [
    "BackendError",
    "CheckpointError",
    "ConfigError",
    "GraphError",
    "HubError",
    "InputTypeError",
    "ModuleFormatError",
    "NoGradientError",
    "PathExistsError",
    "ResolveError",
    "SignatureError",
    "UnknownNameError",
    "UnsafeModuleError",
]


class HubError(Exception):
    """What every error of compat_hub is.

    Examples:
        >>> try:
        ...     compat_hub.load("path/to/nothing")
        ... except compat_hub.HubError as error:
        ...     print(type(error).__name__)
        ResolveError
    """

    # AutoGraph, which converts the body of a tf.function, makes anew each exception that passes
    # through it: of the same type only if that is constructed as Exception is, otherwise it becomes
    # a StagingError, which no `except` clause for ours catches.
    __init__ = Exception.__init__

    # The message names the module, the signature and the input. With these marks AutoGraph puts no
    # page about the converted code before it (tensorflow/python/autograph/impl/api.py), and Keras
    # none about the call's arguments around it (utils/traceback_utils.py, in both).
    ag_pass_through = True
    _keras_call_info_injected = True

    # Messages go to logs and reports, so none has a password that a handle has. Exception's own
    # methods: KeyError prints the repr of its argument, which turns a message into one quoted line.
    def __str__(self) -> str:
        return masked(Exception.__str__(self))

    def __repr__(self) -> str:
        return masked(Exception.__repr__(self))


class ModuleFormatError(HubError, ValueError):
    """What is in the folder is not a module that can be read.

    Examples:
        >>> import os
        >>> os.mkdir("empty")
        >>> compat_hub.load("empty")
        Traceback (most recent call last):
            ...
        compat_hub.errors.ModuleFormatError: 'empty' is not a module in TF1 Hub format: the
            folder empty has no tfhub_module.pb. If it is a plain SavedModel, load it with
            compat_hub.load() or tf.saved_model.load().
    """


class SignatureError(HubError, ValueError):
    """A call does not fit: variant, signature, input, output, dtype or shape.

    Examples:
        >>> compat_hub.KerasLayer("path/to/module", trainable=True, train_only="birds")
        Traceback (most recent call last):
            ...
        compat_hub.errors.SignatureError: train_only='birds' matches no trainable variable of
            'path/to/module'. The trainable variables are: features/dense/kernel,
            features/dense/bias, features/norm/gamma, features/norm/beta, cats/kernel, cats/bias,
            dogs/kernel, dogs/bias.
    """


class UnknownNameError(SignatureError, KeyError):
    """No graph variant, signature or output goes by that name.

    Examples:
        >>> compat_hub.load("path/to/module")(tf.ones([5, 7]), signature="pet_to_fruit")
        Traceback (most recent call last):
            ...
        compat_hub.errors.UnknownNameError: There is no signature 'pet_to_fruit' in module
            'path/to/module', variant set(). It has: 'default', 'fruit_to_pet'. Pass one of
            these as `signature`.
    """


class InputTypeError(SignatureError, TypeError):
    """The inputs of a call are missing, too many, or of a wrong dtype or shape.

    Examples:
        >>> compat_hub.load("path/to/module")(tf.ones([5, 8]))
        Traceback (most recent call last):
            ...
        compat_hub.errors.InputTypeError: In module 'path/to/module', variant set(), signature
            'default', input 'fruit': expected float32 [None, 7], found float32 [5, 8]. The module
            expects 7 numbers in a row, and found 8.
    """


class ResolveError(HubError, OSError):
    """A handle was not found, could not be reached, or is not a module's folder.

    Examples:
        >>> compat_hub.load("path/to/nothing")
        Traceback (most recent call last):
            ...
        compat_hub.errors.ResolveError: The handle 'path/to/nothing' leads to 'path/to/nothing',
            which does not exist. Pass the folder that holds tfhub_module.pb, or a .tar,
            .tar.gz, .tgz file.
    """


class PathExistsError(ResolveError, FileExistsError):
    """What was to be written would replace what is there already.

    Examples:
        >>> compat_hub.convert("path/to/module", "path/to/text_module")
        Traceback (most recent call last):
            ...
        compat_hub.errors.PathExistsError: There is already something at 'path/to/text_module',
            and it was left as it is. Write to a path that does not exist yet or to an empty
            folder, or remove what is there.
    """


class CheckpointError(ResolveError, ModuleFormatError):
    """There is no such checkpoint, it is incomplete, or it is one of another model.

    Examples:
        >>> import shutil
        >>> copy = shutil.copytree("path/to/module", "half_copied")
        >>> shutil.rmtree("half_copied/variables")
        >>> compat_hub.load("half_copied")
        Traceback (most recent call last):
            ...
        compat_hub.errors.CheckpointError: Module 'half_copied' has variables, and its checkpoint
            is missing: there is no folder half_copied/variables. Get a fresh copy of the
            module: the whole folder from where it came from, with variables/ and assets/, or
            from its address on the web.
        >>> import types
        >>> def model_fn(**_):
        ...     module = compat_hub.Module("path/to/module")
        ...     compat_hub.register_module_for_export(module, "encoder")
        >>> untrained = types.SimpleNamespace(
        ...     config=None, model_fn=model_fn, latest_checkpoint=lambda: None
        ... )
        >>> inputs = types.SimpleNamespace(features={})
        >>> exporter = compat_hub.LatestModuleExporter("modules", lambda: inputs)
        >>> exporter.export(untrained, "path/to/exports")
        Traceback (most recent call last):
            ...
        compat_hub.errors.CheckpointError: There is nothing to export yet: the estimator's
            latest_checkpoint() is None. Train it first, or pass `checkpoint_path`.
    """


class ConfigError(HubError, NotImplementedError):
    """A layer has no config, so Keras cannot make it again from one.

    Examples:
        >>> def module_fn():
        ...     x = tf.compat.v1.placeholder(tf.float32, [None, 4])
        ...     compat_hub.add_signature(inputs=x, outputs=2 * x)
        >>> layer = compat_hub.KerasLayer(compat_hub.create_module_spec(module_fn), name="twice")
        >>> layer.get_config()
        Traceback (most recent call last):
            ...
        compat_hub.errors.ConfigError: the KerasLayer 'twice' is on a module that is in no
            folder ('made from module_fn'), so it has no config. Export the module, and make the
            layer from the folder.
    """


class NoGradientError(HubError, LookupError):
    """A gradient is asked for of an output that has none.

    Examples:
        >>> def module_fn():
        ...     x = tf.compat.v1.placeholder(tf.float32, [None, 2, 2, 1])
        ...     preview = tf.raw_ops.ResizeArea(images=x, size=[1, 1])
        ...     compat_hub.add_signature(inputs=x, outputs={"default": x, "preview": preview})
        >>> module = compat_hub.load(compat_hub.create_module_spec(module_fn))
        >>> x = tf.ones([1, 2, 2, 1])
        >>> with tf.GradientTape() as tape:
        ...     tape.watch(x)
        ...     outputs = module(x, as_dict=True)
        >>> tape.gradient(outputs["preview"], x)
        Traceback (most recent call last):
            ...
        compat_hub.errors.NoGradientError: In module 'made from module_fn', variant set(),
            'default': no gradient can be computed of the output 'ResizeArea:0': TensorFlow has
            no gradient of the op 'ResizeArea' (node 'ResizeArea'). Leave it out of the loss, call
            the module outside of the gradient tape, or use a layer with trainable=False.
    """


class GraphError(HubError, RuntimeError):
    """A module is used in a graph, session or process that it does not belong to.

    Examples:
        >>> compat_hub.Module("path/to/module")
        Traceback (most recent call last):
            ...
        compat_hub.errors.GraphError: hub.Module is for graphs of TF1, and this program executes
            eagerly. Use it inside `with tf.Graph().as_default():`, or call compat_hub.load()
            instead. `compat-hub migrate --write` changes a whole program of TensorFlow 1.
    """


class BackendError(HubError, ImportError):
    """A package that is needed is missing, or Keras is another one than a layer is for."""


class UnsafeModuleError(HubError):
    """The module's graph would touch the host, or its folder has links that lead out of it.

    Examples:
        >>> compat_hub.load("path/to/module_that_reads_files")
        Traceback (most recent call last):
            ...
        compat_hub.errors.UnsafeModuleError: In module 'path/to/module_that_reads_files',
            variant set(): the graph would touch the host when it runs: 'ReadFile', node
            'stolen', for signature 'leak', reads or writes files. If you trust the module's
            source, allow it with compat_hub.load('path/to/module_that_reads_files',
            allow_host_access=True), or pass
            compat_hub.load_module_spec('path/to/module_that_reads_files',
            allow_host_access=True) in the handle's place.
    """
