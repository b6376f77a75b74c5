from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import tensorflow as tf

import compat_hub
from compat_hub import common_signatures
from compat_hub.common_signatures import COMMON_SIGNATURES, CommonSignatureWarning
from compat_hub.format import protos

FEATURES, CLASSES, TEXT = "image_feature_vector", "image_classification", "text_embedding"


def _placeholder(*shape: int | None, dtype: tf.DType = tf.float32) -> tf.Tensor:
    return tf.compat.v1.placeholder(dtype, shape)


def _images(*shape: int | None) -> tf.Tensor:
    return _placeholder(*(shape or (None, 6, 8, 3)))


def _with_shape(x: tf.Tensor, shape: list[int | None] | None) -> tf.Tensor:
    """The same, with a static shape that says no more."""
    return tf.compat.v1.placeholder_with_default(x, shape)


def _image_module(
    images: Callable[[], Any] = _images,
    output: Callable[[Any], Any] = lambda x: tf.reduce_mean(x, [1, 2]),
    name: str = "images",
    names: tuple[str, ...] = ("default", FEATURES),
    size: tuple[int, int] | None = None,
) -> Callable[[], None]:
    def module_fn() -> None:
        x = images()
        for signature in names:
            compat_hub.add_signature(signature, {name: x}, {"default": output(x)})
        if size:
            info = protos.ImageModuleInfo()
            info.default_image_size.height, info.default_image_size.width = size
            compat_hub.attach_message("image_module_info", info)

    return module_fn


def _text_module(
    texts: Callable[[], Any] = lambda: _placeholder(None, dtype=tf.string),
    output: Callable[[Any], Any] = lambda x: _with_shape(tf.zeros([tf.size(x), 5]), [None, 5]),
    **extra: Any,
) -> Callable[[], None]:
    def module_fn() -> None:
        x = texts()
        inputs = {"texts": x, **{name: make() for name, make in extra.items()}}
        compat_hub.add_signature(inputs=inputs, outputs={"default": output(x)})

    return module_fn


def _problems(module_fn: Callable[[], None], kind: str) -> list[str]:
    return common_signatures.check(compat_hub.create_module_spec(module_fn), kind)


def test_what_is_documented() -> None:
    assert list(COMMON_SIGNATURES) == [FEATURES, CLASSES, TEXT]
    for kind, common in COMMON_SIGNATURES.items():
        assert common.kind == kind
        assert common.description.endswith(".")
        assert common.source.startswith("https://www.tensorflow.org/hub/common_signatures/")
        assert all(tensor.docs.endswith(".") for tensor in common.inputs + common.outputs)
    images = COMMON_SIGNATURES[FEATURES].inputs[0]
    assert str(images) == "float32 [batch_size, height, width, 3]"
    assert (images.name, images.value_range) == ("images", (0.0, 1.0))
    assert str(COMMON_SIGNATURES[TEXT].inputs[0]) == "string [batch_size]"


@pytest.mark.parametrize(
    ("module", "kind"),
    [
        ("image_bn", FEATURES),
        ("inception", FEATURES),
        ("inception", CLASSES),
        ("resnet_v2", FEATURES),
        ("resnet_v2", CLASSES),
        ("nnlm", TEXT),
        ("sentence_encoder", TEXT),
        ("elmo", TEXT),
    ],
)
def test_modules_that_implement_theirs(fixture_path, module: str, kind: str) -> None:
    assert common_signatures.check(fixture_path(module), kind) == []


@pytest.mark.parametrize(
    ("module_fn", "expected"),
    [
        (_image_module(names=("default",)), ["no signature 'image_feature_vector'.*'default'"]),
        (_image_module(names=(FEATURES,)), ["no signature 'default'.*'image_feature_vector'"]),
        (_image_module(name="pictures"), ["one input called 'images'.*'pictures': float32"]),
        (
            _image_module(lambda: _placeholder(None, 6, 8, 3, dtype=tf.float64)),
            ["'images' has to be float32 .* found float64 .*cast", "'default'.*float64"],
        ),
        (_image_module(lambda: _images(2, 6, 8, 3)), ["batch_size .* is 2", "batch_size .* is 2"]),
        (_image_module(lambda: _images(None, 6, 8, 1)), ["last size has to be 3, and is 1"]),
        (
            _image_module(lambda: _images(None, None, None, 3)),
            ["height is unknown.*ImageModuleInfo.*; its width is unknown"],
        ),
        (_image_module(size=(6, 9)), ["width is 8, and 9 in the attached ImageModuleInfo"]),
        (_image_module(output=lambda x: x), ["output 'default' .* rank has to be 2, and is 4"]),
        (
            _image_module(output=lambda x: _with_shape(x, None)),
            ["output 'default' .* rank has to be 2, and is unknown.*set_shape"],
        ),
        (
            _image_module(output=lambda x: tf.cast(tf.reduce_mean(x, [1, 2]), tf.float16)),
            ["output 'default' has to be float32 .* found float16"],
        ),
        (
            _image_module(output=lambda x: _with_shape(tf.reduce_mean(x, [1, 2]), [None, None])),
            ["num_features is unknown"],
        ),
        (
            _image_module(
                lambda: tf.compat.v1.sparse_placeholder(tf.float32, [None, 6, 8, 3]),
                lambda x: _with_shape(tf.reduce_mean(tf.sparse.to_dense(x), [1, 2]), [None, 3]),
            ),
            ["'images' .* found sparse float32 .*dense"],
        ),
    ],
)
def test_problems_of_image_modules(module_fn: Callable[[], None], expected: list[str]) -> None:
    by_signature: dict[str, list[str]] = {}
    for problem in _problems(module_fn, FEATURES):
        place, _, what = problem.partition(": ")
        by_signature.setdefault(place, []).append(what)
    for place, problems in by_signature.items():
        assert place.startswith("In module 'made from module_fn', variant set()")
        assert len(problems) == len(expected)
        for problem, pattern in zip(problems, expected, strict=True):
            assert re.search(pattern, problem)
            assert problem.endswith(".")
    assert by_signature


@pytest.mark.parametrize(
    ("module_fn", "expected"),
    [
        (_text_module(lambda: _placeholder(None, 1, dtype=tf.string)), "rank has to be 1"),
        (_text_module(lambda: _placeholder(4, dtype=tf.string)), "batch_size .* is 4"),
        (_text_module(lambda: _placeholder(None, dtype=tf.int64)), "dtype has to be string"),
        (_text_module(output=lambda x: tf.zeros([3, 5])), "'default' .*batch_size .* is 3"),
        (_text_module(weights=lambda: _placeholder(None)), "one input, .*, found 'texts'"),
        (
            _text_module(rate=lambda: _with_shape(tf.constant(0.1), [])),
            "one input, string .*, found 'rate': float32 .., 'texts'",
        ),
    ],
)
def test_problems_of_text_modules(module_fn: Callable[[], None], expected: str) -> None:
    (problem,) = _problems(module_fn, TEXT)
    assert re.search(f"signature 'default': .*{expected}", problem)


def test_no_inputs_and_no_default_output() -> None:
    def module_fn() -> None:
        compat_hub.add_signature(outputs={"constant": tf.constant(1.0)})

    inputs, outputs = _problems(module_fn, TEXT)
    assert "has to have one input, string [batch_size], found none" in inputs
    assert "has to have an output 'default', float32 [batch_size, num_features]" in outputs
    assert "found 'constant'" in outputs


def test_an_attached_size_stands_in_for_an_unknown_one() -> None:
    any_size = _image_module(lambda: _images(None, None, None, 3), size=(6, 8))
    assert _problems(any_size, FEATURES) == []


def test_a_damaged_attachment_is_an_error() -> None:
    def module_fn() -> None:
        _image_module()()
        compat_hub.attach_message("image_module_info", protos.ModuleAttachment(key="\x0f"))

    with pytest.raises(compat_hub.SignatureError, match="'image_module_info'"):
        _problems(module_fn, FEATURES)


def test_all_variants_are_checked_unless_one_is_named() -> None:
    def module_fn(names: tuple[str, ...]) -> None:
        _image_module(names=names)()

    spec = compat_hub.create_module_spec(
        module_fn,
        [(set(), {"names": ("default", FEATURES)}), ({"train"}, {"names": ("default",)})],
    )
    (problem,) = common_signatures.check(spec, FEATURES)
    assert 'variant {"train"}' in problem
    assert common_signatures.check(spec, FEATURES, tags=set()) == []
    assert common_signatures.check(spec, FEATURES, tags="train") == [problem]
    assert common_signatures.check(spec, FEATURES, signature="default", tags="train") == []
    with pytest.raises(compat_hub.UnknownNameError, match="no graph variant"):
        common_signatures.check(spec, FEATURES, tags="tpu")


def test_one_signature(fixture_path) -> None:
    path = fixture_path("inception")
    with_hyperparameters = f"{FEATURES}_with_bn_hparams"
    assert common_signatures.check(path, FEATURES, signature=with_hyperparameters) == []
    (problem,) = common_signatures.check(fixture_path("elmo"), TEXT, signature="tokens")
    assert "signature 'tokens': it has to have one input" in problem
    with pytest.raises(compat_hub.UnknownNameError, match="no signature 'bogus'"):
        common_signatures.check(path, FEATURES, signature="bogus")


def test_an_unknown_kind(fixture_path) -> None:
    with pytest.raises(compat_hub.UnknownNameError, match=r"'image_detection'.*'text_embedding'"):
        common_signatures.check(fixture_path("nnlm"), "image_detection")


def test_loaded_modules_specs_and_modules_of_graphs(fixture_path) -> None:
    path = fixture_path("nnlm")
    with tf.Graph().as_default():
        module = compat_hub.Module(path)
    for same in (path, compat_hub.load_module_spec(path), compat_hub.load(path), module):
        assert common_signatures.check(same, TEXT) == []
        assert len(common_signatures.check(same, FEATURES)) == 2
        assert [common.kind for common in common_signatures.matching(same)] == [TEXT]


@pytest.mark.parametrize(
    ("module", "signature", "kinds"),
    [
        ("inception", None, [FEATURES]),  # it gives what the signature of that name gives
        ("inception", FEATURES, [FEATURES]),
        ("inception", CLASSES, [CLASSES]),
        ("inception", f"{CLASSES}_with_bn_hparams", [CLASSES]),
        ("conv_zoo", None, [FEATURES, CLASSES]),
        ("contrib_bn", None, []),  # images of two channels
        ("nnlm", None, [TEXT]),
        ("sentence_encoder", "scores", []),
        ("bert", "tokens", []),
        ("text_kv", None, []),
    ],
)
def test_matching(fixture_path, module: str, signature: str | None, kinds: list[str]) -> None:
    found = common_signatures.matching(fixture_path(module), signature)
    assert [common.kind for common in found] == kinds


def test_matching_names_what_it_does_not_find(fixture_path) -> None:
    with pytest.raises(compat_hub.UnknownNameError, match="no signature 'bogus'"):
        common_signatures.matching(fixture_path("nnlm"), "bogus")


def test_create_module_spec_warns_on_request() -> None:
    module_fn = _image_module(lambda: _images(None, 6, 8, 1))
    with pytest.warns(CommonSignatureWarning) as caught:
        spec = compat_hub.create_module_spec(module_fn, common_signature=FEATURES)
    assert spec.get_signature_names() == ["default", FEATURES]
    assert [warning.filename for warning in caught] == [__file__]
    text = str(caught[0].message)
    assert text.count("\n- In module 'made from module_fn'") == 2
    assert "is no 'image_feature_vector'" in text
    assert "https://www.tensorflow.org/hub/common_signatures/images#feature-vector" in text


def test_create_module_spec_warns_of_each_kind() -> None:
    with pytest.warns(CommonSignatureWarning) as caught:
        compat_hub.create_module_spec(_image_module(), common_signature=[FEATURES, CLASSES, TEXT])
    assert [re.findall(r"is no '(\w+)'", str(w.message)) for w in caught] == [[CLASSES], [TEXT]]


def test_create_module_spec_is_silent_where_all_is_well_or_nobody_asked() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compat_hub.create_module_spec(_image_module(), common_signature=FEATURES)
        compat_hub.create_module_spec(_text_module(), common_signature=TEXT)
        compat_hub.create_module_spec(_image_module(lambda: _images(None, 6, 8, 1)))


def test_create_module_spec_refuses_an_unknown_kind_at_once() -> None:
    def module_fn() -> None:
        raise AssertionError("It was called.")

    with pytest.raises(compat_hub.UnknownNameError, match="'image_detection'"):
        compat_hub.create_module_spec(module_fn, common_signature="image_detection")
