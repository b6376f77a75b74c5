"""How a GraphDef names nodes, tensors and control inputs."""


def node_of(name: str) -> str:
    """The node that `name` belongs to: `"a/b"` for `"a/b:1"`, `"^a/b"` and `"a/b"` alike."""
    if name.startswith("^"):
        return name[1:]
    node, colon, _ = name.rpartition(":")
    return node if colon else name


def tensor_of(name: str) -> str:
    """The canonical tensor name: `"a/b:0"` for `"a/b"`, which is how a node input says it."""
    return name if ":" in name else f"{name}:0"


def spellings(tensor: str) -> tuple[str, ...]:
    """How inputs of nodes may say the canonical name of a tensor: `"a/b:0"`, or `"a/b"`."""
    node, _, output = tensor.rpartition(":")
    return (tensor, node) if output == "0" else (tensor,)


def is_control(name: str) -> bool:
    """Whether a node's input is a control input."""
    return name.startswith("^")
