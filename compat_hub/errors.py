"""The errors that compat_hub raises, all of one family.

Each kind also derives from the builtin exception that tensorflow_hub raises in the same place, so a
program's old `except` clauses keep working.
"""

__all__ = [
    "BackendError",
    "CheckpointError",
    "ConfigError",
    "GraphError",
    "HubError",
    "InputTypeError",
    "ModuleFormatError",
    "PathExistsError",
    "ResolveError",
    "SignatureError",
    "UnknownNameError",
    "UnsafeModuleError",
]


class HubError(Exception):
    """What every error of compat_hub is."""

    # AutoGraph, which converts the body of a tf.function, makes anew each exception that passes
    # through it: of the same type only if that is constructed as Exception is, otherwise it becomes
    # a StagingError, which no `except` clause for ours catches.
    __init__ = Exception.__init__


class ModuleFormatError(HubError, ValueError):
    """What is in the folder is not a module that can be read."""


class SignatureError(HubError, ValueError):
    """A call does not fit: variant, signature, input, output, dtype or shape."""


class UnknownNameError(SignatureError, KeyError):
    """No graph variant, signature or output goes by that name."""

    # KeyError prints the repr of its argument, which turns a message into one quoted line.
    __str__ = Exception.__str__


class InputTypeError(SignatureError, TypeError):
    """The inputs of a call are missing, too many, or of a wrong dtype or shape."""


class ResolveError(HubError, OSError):
    """A handle was not found, could not be reached, or is not a module's folder."""


class PathExistsError(ResolveError, FileExistsError):
    """What was to be written would replace what is there already."""


class CheckpointError(ResolveError, ValueError):
    """There is no such checkpoint, or it is one of another model."""


class ConfigError(HubError, NotImplementedError):
    """A layer has no config, so Keras cannot make it again from one."""


class GraphError(HubError, RuntimeError):
    """A module is used in a graph or session that it does not belong to."""


class BackendError(HubError, ImportError):
    """Keras is another version, or runs on another backend, than the layer is for."""


class UnsafeModuleError(HubError):
    """The module's graph would touch the host: files, processes or Python."""
