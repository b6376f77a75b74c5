"""A picture of a variant's graph by scopes: boxes in layers, and where what they compute goes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

from compat_hub.common.words import count
from compat_hub.format.variant import GraphVariant
from compat_hub.graphdef.names import is_control, node_of
from compat_hub.tools.inspection.scopes import open_scopes, tree_of, walk_open

_BOXES = 28
_CHARACTER, _LINE = 7.2, 16  # of the page's font, in its units
_LONGEST = 34  # characters of a label
_HEIGHT, _GAP, _LAYER_GAP, _MARGIN = 46, 22, 44, 12
_SWEEPS = 6


@dataclasses.dataclass
class Box:
    """A scope, an input or an output.

    Attributes:
        name: Its full name.
        label: What is written in it.
        remark: What is written below.
        kind: `"input"`, `"output"`, `"trainable"`, `"variables"` or `"plain"`.
        x: The left edge.
        y: The upper edge.
        width: Its width.
        height: Its height.
    """

    name: str
    label: str
    remark: str
    kind: str
    x: float = 0
    y: float = 0
    width: float = 0
    height: float = _HEIGHT


@dataclasses.dataclass(frozen=True)
class Arrow:
    """What one box computes goes to another.

    Attributes:
        path: The line, as SVG has it.
        is_back: Whether it goes back to where it came from: two scopes that need each other.
    """

    path: str
    is_back: bool


@dataclasses.dataclass(frozen=True)
class Picture:
    """Boxes and arrows with their places.

    Attributes:
        width: The width of all.
        height: The height of all.
        boxes: The boxes.
        arrows: The arrows.
    """

    width: float
    height: float
    boxes: list[Box]
    arrows: list[Arrow]


def draw(variant: GraphVariant) -> Picture:
    """Draws what the signatures of a variant need, constants left out."""
    boxes, edges = _boxes_and_edges(variant)
    layers = _layers(boxes, edges)
    _order(layers, edges)
    width, height = _place(layers, boxes)
    arrows = [_arrow(boxes[a], boxes[b]) for a, b in sorted(edges)]
    return Picture(width, height, list(boxes.values()), arrows)


def _boxes_and_edges(variant: GraphVariant) -> tuple[dict[str, Box], set[tuple[str, str]]]:
    inputs = {
        node_of(tensor): name
        for s in variant.signatures.values()
        for name, info in s.inputs.items()
        for tensor in info.components
    }
    outputs = {
        node_of(tensor): name
        for s in variant.signatures.values()
        for name, info in s.outputs.items()
        for tensor in info.components
    }
    needed = variant.needed_nodes([*outputs])
    nodes = [n for n in variant.nodes.values() if n.name in needed and n.op != "Const"]
    boxes: dict[str, Box] = {}
    home: dict[str, str] = {}
    for node, name in inputs.items():
        home[node] = f"input {name}"
        boxes[home[node]] = Box(name, _short(name), "input", "input")
    for key, name, members in _scopes([n for n in nodes if n.name not in inputs]):
        home.update(dict.fromkeys([node.name for node in members], key))
        boxes[key] = _scope_box(variant, name, members)
    edges = {
        (home[node_of(source)], home[node.name])
        for node in nodes
        for source in node.input
        if not is_control(source) and node_of(source) in home and node.name in home
    }
    for node, name in outputs.items():
        if node in home:
            key = f"output {name} {node}"  # signatures may give their outputs one name
            boxes[key] = Box(name, _short(name), "output", "output")
            edges.add((home[node], key))
    return boxes, {(a, b) for a, b in edges if a != b}


def _scopes(nodes: Iterable[Any]) -> Iterable[tuple[str, str, list[Any]]]:
    """Groups of nodes, as fine as there is room: a key, a name and the nodes."""
    root = tree_of(nodes, lambda node: node.name)
    open_scopes(root, _BOXES)
    rest = {node.name: node for node in root.items}
    for _, scope in walk_open(root, _BOXES):
        if not scope.is_open:
            for node in scope.items:
                del rest[node.name]
            yield f"scope {scope.path}{'/' if scope.children else ''}", scope.path, scope.items
    if rest:
        yield "others", "others", list(rest.values())


def _scope_box(variant: GraphVariant, name: str, members: list[Any]) -> Box:
    infos = [variant.variables_by_node.get(node.name) for node in members]
    variables = [info for info in infos if info is not None]
    parameters = sum(v.shape.num_elements() or 0 for v in variables)
    remark = members[0].op if len(members) == 1 else count(len(members), "node")
    if variables:
        remark += f", {_human(parameters)} parameters"
    trains = any(v.trainable for v in variables)
    kind = "trainable" if trains else "variables" if variables else "plain"
    return Box(name, _short(name), remark, kind)


def _human(number: int) -> str:
    for limit, unit in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if number >= limit:
            return f"{number / limit:.1f} {unit}"
    return str(number)


def _short(name: str) -> str:
    """The end of a long name, which tells most."""
    return name if len(name) <= _LONGEST else f"...{name[3 - _LONGEST :]}"


def _layers(boxes: dict[str, Box], edges: set[tuple[str, str]]) -> list[list[str]]:
    """Boxes below all that they need; those that need each other are side by side."""
    import networkx as nx  # noqa: PLC0415

    graph = nx.DiGraph()
    graph.add_nodes_from(boxes)
    graph.add_edges_from(sorted(edges))
    condensed = nx.condensation(graph)
    members = condensed.nodes(data="members")
    place = {name: k for k, name in enumerate(boxes)}
    return [
        sorted((name for group in generation for name in members[group]), key=place.__getitem__)
        for generation in nx.topological_generations(condensed)
    ]


def _order(layers: list[list[str]], edges: set[tuple[str, str]]) -> None:
    """Orders each layer by where the neighbours are, in place, so that few arrows cross."""
    neighbours: dict[str, list[str]] = {}
    for a, b in sorted(edges):
        neighbours.setdefault(a, []).append(b)
        neighbours.setdefault(b, []).append(a)
    place = {}
    for layer in layers:
        place.update({name: (k + 0.5) / len(layer) for k, name in enumerate(layer)})
    for sweep in range(_SWEEPS):
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            around = {
                name: [place[n] for n in neighbours.get(name, [])] or [place[name]]
                for name in layer
            }
            layer.sort(key=lambda name: sum(around[name]) / len(around[name]))
            place.update({name: (k + 0.5) / len(layer) for k, name in enumerate(layer)})


def _place(layers: list[list[str]], boxes: dict[str, Box]) -> tuple[float, float]:
    for box in boxes.values():
        box.width = max(len(box.label), len(box.remark) * 0.85) * _CHARACTER + 20
    widths = [sum(boxes[n].width + _GAP for n in layer) - _GAP for layer in layers]
    whole = max(widths, default=0)
    for row, (layer, width) in enumerate(zip(layers, widths, strict=True)):
        x = _MARGIN + (whole - width) / 2
        for name in layer:
            boxes[name].x, boxes[name].y = x, _MARGIN + row * (_HEIGHT + _LAYER_GAP)
            x += boxes[name].width + _GAP
    height = len(layers) * (_HEIGHT + _LAYER_GAP) - _LAYER_GAP
    return whole + 2 * _MARGIN, max(height, 0) + 2 * _MARGIN


def _arrow(source: Box, target: Box) -> Arrow:
    is_back = target.y <= source.y
    x1, y1 = source.x + source.width / 2, source.y + (0 if is_back else source.height)
    x2, y2 = target.x + target.width / 2, target.y + (target.height if is_back else 0)
    if target.y == source.y:
        y1 = y2 = source.y + source.height
    bend = 30 if y1 == y2 else (y2 - y1) / 2
    path = f"M{x1:.0f},{y1:.0f} C{x1:.0f},{y1 + bend:.0f} {x2:.0f},"
    path += f"{y2 + bend if y1 == y2 else y2 - bend:.0f} {x2:.0f},{y2:.0f}"
    return Arrow(path, is_back)
