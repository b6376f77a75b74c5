from __future__ import annotations

import subprocess
import sys

import pytest

import compat_hub
from compat_hub.format.op_packages import explain_op, package_of
from compat_hub.programs.missing_ops.table import can_replace
from compat_hub.tf_private import op_registry
from tests.packages import HAS_TEXT
from tests.records import FIXTURES

_PACKAGES = FIXTURES / "packages"


@pytest.mark.parametrize(
    ("op", "package"),
    [
        ("GatherTree", "tf.contrib.seq2seq"),
        ("PeriodicResample", "tf.contrib.periodic_resample"),
        ("TensorForestTreePredict", "tensorflow"),
        ("SentencepieceEncodeSparse", "tf_sentencepiece"),
        ("SentencepieceTokenizeOp", "tensorflow_text"),
        ("TFText>Utf8Binarize", "tensorflow_text"),
        ("Addons>Resampler", "tensorflow_addons"),
        ("SimpleMLInferenceOp", "tensorflow_decision_forests"),
    ],
)
def test_the_package_of_an_op(op: str, package: str) -> None:
    assert package_of(op) == package
    assert "TensorFlow 1" in explain_op(op) or package in explain_op(op)


def test_an_op_of_no_package() -> None:
    assert package_of("Zzz") is None
    assert "import that package" in explain_op("Zzz")


def test_what_tensorflow_1_alone_had_is_not_here() -> None:
    for op in ("AdjustHsvInYiq", "GatherTree", "Rpc", "Resampler", "TreePredictionsV4"):
        assert not op_registry.is_registered_op(op)
    assert can_replace("GatherTree")
    assert not can_replace("PeriodicResample")


def test_a_module_with_an_op_that_is_gone() -> None:
    module = compat_hub.load(FIXTURES / "unknown_ops" / "periodic_resample" / "module")
    images = [[[1.0] * 4] * 2] * 2
    assert module(images, "plain").shape == (2, 8)
    with pytest.raises(compat_hub.ModuleFormatError, match=r"was of tf\.contrib.periodic_resample"):
        module(images)


@pytest.mark.skipif(HAS_TEXT, reason="tensorflow_text is installed")
def test_modules_without_the_package_that_they_need() -> None:
    module = compat_hub.load(_PACKAGES / "text_sentencepiece" / "module")
    assert module([[1.0, 1, 1]], "plain").shape == (1, 80)
    for signature in ("default", "tokens", "words"):
        with pytest.raises(compat_hub.ModuleFormatError, match="pip install 'tensorflow-text=="):
            module.call_signature(["texts"], signature)
    with pytest.raises(compat_hub.ModuleFormatError, match=r"tf_sentencepiece, which is gone"):
        compat_hub.load(_PACKAGES / "text_tf_sentencepiece" / "module")
    inspection = compat_hub.inspect(str(_PACKAGES / "text_sentencepiece" / "module"))
    assert "of tensorflow_text" in str(inspection)


def test_no_other_package_is_imported_for_a_module(tmp_path) -> None:
    (tmp_path / "tensorflow_addons.py").write_text("raise SystemExit(1)")
    code = (
        "from compat_hub.format.op_packages import import_package_of, package_of;"
        "op = 'Addons>Resampler'; assert package_of(op) == 'tensorflow_addons';"
        "import_package_of(op)"
    )
    environment = {"PYTHONPATH": f"{tmp_path}:{':'.join(filter(None, sys.path))}"}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
