from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import compat_hub
from compat_hub.errors import InputTypeError, SignatureError, UnknownNameError

beam = pytest.importorskip("apache_beam")

from apache_beam.ml.inference.base import (
    KeyedModelHandler,
    ModelMetadata,
    PredictionResult,
    RunInference,
)
from apache_beam.testing import test_pipeline
from apache_beam.testing.util import assert_that, equal_to

from compat_hub.beam import HubModelHandler

pytestmark = pytest.mark.filterwarnings("default")  # Beam and what it imports


def _fruit(k: int) -> dict[str, Any]:
    return {"apples": np.full(4, k, np.float32), "oranges": np.ones(3, np.float32)}


def _cats(path: str, k: int) -> float:
    inputs = {name: value[np.newaxis] for name, value in _fruit(k).items()}
    outputs = compat_hub.load(path)(inputs, "fruit_to_pet", as_dict=True)
    return round(float(outputs["cats"][0, 0]), 4)


@pytest.fixture
def handler(fixture_path) -> HubModelHandler:
    path = fixture_path("fruit")
    return HubModelHandler(path, signature="fruit_to_pet", output_key="cats", max_batch_size=8)


def _first(result: PredictionResult) -> float:
    return round(float(result.inference[0]), 4)


def test_a_pipeline(handler: HubModelHandler, fixture_path) -> None:
    with test_pipeline.TestPipeline() as pipeline:
        found = (
            pipeline
            | beam.Create([_fruit(k) for k in range(20)])
            | RunInference(handler)
            | beam.Map(_first)
        )
        assert_that(found, equal_to([_cats(fixture_path("fruit"), k) for k in range(20)]))
    metrics = pipeline.result.metrics().query()
    counted = {c.key.metric.name: c.committed for c in metrics["counters"]}
    assert counted["num_inferences"] == 20
    loaded = [d for d in metrics["distributions"] if "load_model_latency" in d.key.metric.name]
    assert [d.committed.count for d in loaded] == [1]


def test_a_bad_example_fails_alone(handler: HubModelHandler) -> None:
    bad = {"apples": np.ones(5, np.float32), "oranges": np.ones(3, np.float32)}
    with test_pipeline.TestPipeline() as pipeline:
        good, failed = (
            pipeline
            | beam.Create([_fruit(1), bad, _fruit(2)])
            | RunInference(handler).with_exception_handling()
        )
        assert_that(good | beam.combiners.Count.Globally(), equal_to([2]), "good")
        (checked,) = failed.failed_preprocessing
        what = checked | beam.Map(lambda pair: (pair[0]["apples"].size, pair[1][0].__name__))
        assert_that(what, equal_to([(5, "InputTypeError")]), "bad")
        none = failed.failed_inferences | "count" >> beam.combiners.Count.Globally()
        assert_that(none, equal_to([0]), "none")


def test_a_batch_that_fails_is_not_lost(fixture_path) -> None:
    handler = HubModelHandler(fixture_path("embedding_lookup"), min_batch_size=3, max_batch_size=3)
    (name, info), *others = handler.load_model()._signature.inputs.items()
    assert not others
    ids = [np.full([d or 2 for d in info.get_shape()[1:]], k) for k in (0, 10**6, 1)]
    with test_pipeline.TestPipeline() as pipeline:
        good, failed = (
            pipeline
            | beam.Create([{name: i} for i in ids])
            | RunInference(handler).with_exception_handling()
        )
        batches = failed.failed_inferences | beam.Map(lambda pair: len(pair[0]))
        lost = (batches, good | beam.Map(lambda _: 1)) | beam.Flatten()
        assert_that(lost | beam.CombineGlobally(sum), equal_to([3]))
        assert_that(batches | beam.combiners.Count.Globally(), _is_positive, "failed")


def _is_positive(found: list[int]) -> None:
    assert found[0] > 0


def test_keys(fixture_path) -> None:
    path = fixture_path("fruit")
    handler = HubModelHandler(
        path, signature="fruit_to_pet", output_key="cats", check_examples=False
    )
    with test_pipeline.TestPipeline() as pipeline:
        found = (
            pipeline
            | beam.Create([(f"key {k}", _fruit(k)) for k in range(3)])
            | RunInference(KeyedModelHandler(handler))
            | beam.MapTuple(lambda key, result: (key, _first(result)))
        )
        assert_that(found, equal_to([(f"key {k}", _cats(path, k)) for k in range(3)]))


def test_a_new_module_by_a_side_input(handler: HubModelHandler, copy_of) -> None:
    copy = copy_of("fruit")
    module = compat_hub.load(copy.path)
    for variable in module.variables:
        variable.assign(2 * variable)
    other = module.export(os.path.join(os.path.dirname(copy.path), "other"))
    with test_pipeline.TestPipeline() as pipeline:
        side = pipeline | "side" >> beam.Create([ModelMetadata(model_id=other, model_name="new")])
        found = (
            pipeline
            | beam.Create([_fruit(1)])
            | RunInference(handler, model_metadata_pcoll=side)
            | beam.Map(lambda result: (result.model_id, _first(result)))
        )
        assert_that(found, equal_to([(other, _cats(other, 1))]))
    assert _cats(other, 1) != _cats(copy.path, 1)


def test_text_files_become_parquet(fixture_path, tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    lines = [f"the quick fox {k}" for k in range(30)]
    (tmp_path / "text.txt").write_text("\n".join(lines))
    path = fixture_path("nnlm")
    fields = [("text", pyarrow.string()), ("embedding", pyarrow.list_(pyarrow.float32()))]
    with test_pipeline.TestPipeline() as pipeline:
        _ = (
            pipeline
            | beam.io.ReadFromText(str(tmp_path / "text.txt"))
            | RunInference(HubModelHandler(path, max_batch_size=7))
            | beam.Map(lambda r: {"text": r.example, "embedding": r.inference.tolist()})
            | beam.io.WriteToParquet(str(tmp_path / "vectors"), pyarrow.schema(fields))
        )
    (file,) = tmp_path.glob("vectors*")
    table = parquet.read_table(file).to_pydict()
    assert sorted(table["text"]) == sorted(lines)
    expected = compat_hub.load(path)(table["text"])
    np.testing.assert_allclose(table["embedding"], expected, rtol=1e-5, atol=1e-6)


def test_processes_share_one_module(fixture_path) -> None:
    handler = HubModelHandler(fixture_path("fruit"), signature="fruit_to_pet", large_model=True)
    assert handler.share_model_across_processes()
    script = f"""
import numpy as np, apache_beam as beam
from apache_beam.ml.inference.base import RunInference
from compat_hub.beam import HubModelHandler
handler = HubModelHandler({fixture_path("fruit")!r}, signature="fruit_to_pet",
    output_key="cats", large_model=True)
with beam.Pipeline() as pipeline:
    rows = [{{"apples": np.ones(4), "oranges": np.ones(3)}}] * 5
    _ = pipeline | beam.Create(rows) | RunInference(handler) | beam.Map(
        lambda result: print("cats", len(result.inference)))
"""
    found = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=300
    )
    assert found.stdout.count("cats") == 5


def test_all_outputs(fixture_path) -> None:
    handler = HubModelHandler(
        fixture_path("fruit"), signature="fruit_to_pet", signature_outputs_as_dict=True
    )
    (result,) = handler.run_inference([_fruit(1)], handler.load_model())
    assert result.inference.keys() == {"cats", "dogs", "hidden"}
    assert isinstance(result.inference["cats"], np.ndarray)


def test_a_handler_is_pickled(handler: HubModelHandler) -> None:
    copy = pickle.loads(pickle.dumps(handler))
    assert copy.batch_elements_kwargs() == {"max_batch_size": 8}
    assert len(list(copy.run_inference([_fruit(1)], copy.load_model()))) == 1


def test_what_does_not_fit(fixture_path) -> None:
    path = fixture_path("fruit")
    with pytest.raises(InputTypeError, match="a path or a URL"):
        HubModelHandler(compat_hub.load(path))  # pyright: ignore
    with pytest.raises(InputTypeError, match="one of the two"):
        HubModelHandler(path, output_key="cats", signature_outputs_as_dict=True)
    with pytest.raises(SignatureError, match="no output 'default', there are 'cats', 'dogs'"):
        HubModelHandler(path, signature="fruit_to_pet").load_model()
    with pytest.raises(UnknownNameError, match="no signature 'x'"):
        HubModelHandler(path, signature="x").load_model()
    with pytest.raises(InputTypeError, match="as `arguments`"):
        HubModelHandler(path).validate_inference_args({"x": 1})


def test_sizes_for_metrics(handler: HubModelHandler) -> None:
    assert handler.get_num_bytes([_fruit(1), _fruit(2)]) == 56
    assert handler.get_num_bytes(["abc", b"de"]) == 5
    assert handler.get_num_bytes([1.0, [1, 2]]) == 24


def test_without_beam(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apache_beam.ml.inference.base", None)
    monkeypatch.delitem(sys.modules, "compat_hub.beam", raising=False)
    monkeypatch.delitem(sys.modules, "compat_hub.tools.beam.handler")
    with pytest.raises(ImportError, match="pip install 'apache-beam"):
        __import__("compat_hub.beam")
