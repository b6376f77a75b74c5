from __future__ import annotations

import pytest

from tests.keras_layers.kits import KITS, Kit


@pytest.fixture(params=KITS, ids=lambda kit: kit.name)
def kit(request: pytest.FixtureRequest) -> Kit:
    """Each of the two Keras."""
    return request.param
