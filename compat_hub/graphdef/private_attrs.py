"""Attributes of nodes that TensorFlow sets and reads by itself, and documents nowhere.

TensorFlow 1.15.5 writes them into graphs, and TensorFlow 2.16.2 and 2.21.0 read them.
"""

# Colocation groups: "loc:@" and the name of a node. `colocate_with` sets it.
COLOCATION = "_class"
# The importer holds a node to these static shapes, which the exporter noted.
NOTED_SHAPES = "_output_shapes"
# The name under which the gradient of this one node is registered; `gradient_override_map` sets it.
GRADIENT = "_gradient_op_type"
# On If and While: the runtime turns them back into Switch, Merge, Enter and Exit, and runs branches
# and iterations in parallel.
LOWER = "_lower_using_switch_merge"
# On While: how many outputs there were before a gradient added some.
ORIGINAL_OUTPUTS = "_num_original_outputs"
