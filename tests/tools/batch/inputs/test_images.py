from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import compat_hub
from compat_hub.format.tensor_info import TensorInfo
from compat_hub.tools.batch.inputs.images import find_images, read_image


def _info(*shape: int | None, dtype: tf.DType = tf.float32) -> TensorInfo:
    return TensorInfo(tf.TensorSpec(shape, dtype), ("x:0",))


_RGB = _info(None, None, None, 3)
# Red, green / blue, white.
_PIXELS = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 255]]], np.uint8)


@pytest.mark.parametrize("suffix", ["png", "bmp", "gif", "webp", "PNG"])
def test_formats(tmp_path: Path, suffix: str) -> None:
    path = str(tmp_path / f"a.{suffix}")
    Image.fromarray(_PIXELS).save(path, lossless=True)
    found = read_image(path, "images", _RGB, [2, 2])
    assert found.dtype == np.float32
    assert found.tolist() == (_PIXELS / 255).tolist()


def test_a_photo_is_turned_as_its_camera_says(tmp_path: Path) -> None:
    stored = np.zeros([16, 32, 3], np.uint8)
    stored[:, :16] = 255  # white to the left
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    Image.fromarray(stored).save(tmp_path / "a.jpg", exif=exif)
    found = read_image(str(tmp_path / "a.jpg"), "images", _RGB, [32, 16])
    assert found[0, 0] == pytest.approx(1.0, abs=0.02)
    assert found[31, 15] == pytest.approx(0.0, abs=0.02)


def test_scaling_averages(tmp_path: Path) -> None:
    path = str(tmp_path / "a.png")
    Image.fromarray(np.kron(np.eye(8, dtype=np.uint8) * 255, np.ones([4, 4], np.uint8))).save(path)
    found = read_image(path, "images", _info(None, None, None, 1), [4, 2])
    assert found.shape == (4, 2, 1)
    assert found.mean() == pytest.approx(1 / 8, abs=0.02)
    assert (found.min(), found.max()) >= (0, 0)
    assert found.max() <= 1


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB"), (4, "RGBA")])
@pytest.mark.parametrize("kind", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
def test_kinds_of_pixels(tmp_path: Path, kind: str, channels: int, mode: str) -> None:
    path = str(tmp_path / ("a.jpg" if kind == "CMYK" else "a.png"))
    if kind == "I;16":
        Image.fromarray(np.full([4, 4], 51 * 256, np.uint16)).save(path)
    else:
        Image.new("RGB", (4, 4), (51, 51, 51)).convert(kind).save(path)
    found = read_image(path, "images", _info(None, 4, 4, channels), [4, 4])
    assert found.shape == (4, 4, channels)
    expected = {"1": (0.0, 1.0)}.get(kind, (0.2,))
    assert np.abs(found[0, 0, 0] - np.array(expected)).min() < 0.02


def test_integers_and_strings(tmp_path: Path) -> None:
    path = str(tmp_path / "a.png")
    Image.fromarray(_PIXELS).save(path)
    found = read_image(path, "images", _info(None, 2, 2, 3, dtype=tf.uint8), [2, 2])
    assert (found.dtype, found.tolist()) == (np.uint8, _PIXELS.tolist())
    encoded = read_image(path, "images", _info(None, dtype=tf.string), None)
    assert encoded.item() == Path(path).read_bytes()


def test_what_is_no_image(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"no image")
    with pytest.raises(compat_hub.ResolveError, match=r"image '.*a.png' cannot be read"):
        read_image(str(path), "images", _RGB, [2, 2])
    Image.new("RGB", (64, 64)).save(path)
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(compat_hub.ResolveError, match=r"image '.*a.png' cannot be read"):
        read_image(str(path), "images", _RGB, [2, 2])


@pytest.mark.parametrize("info", [_info(None), _info(None, 4, 4, 7)], ids=str)
def test_an_input_for_no_images(tmp_path: Path, info: TensorInfo) -> None:
    with pytest.raises(compat_hub.InputTypeError, match="1, 3 or 4 channels"):
        read_image(str(tmp_path / "a.png"), "x", info, [2, 2])


def test_without_pillow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(compat_hub.ResolveError, match="pip install 'pillow"):
        read_image(str(tmp_path / "a.png"), "images", _RGB, [2, 2])


def test_finding_images(tmp_path: Path) -> None:
    for name in "b.png", "a.JPG", "c.txt":
        (tmp_path / name).touch()
    folder = str(tmp_path)
    both = [f"{folder}/a.JPG", f"{folder}/b.png"]
    assert find_images(folder) == both
    assert find_images(f"{folder}/*") == both
    assert find_images(f"{folder}/*.png") == both[1:]
    assert find_images(f"{folder}/b.png") == both[1:]
    assert find_images(f"{folder}/c.txt") is None
    assert find_images('["a"]') is None
    for missing in "d.png", "*.gif", "*.tiff":
        with pytest.raises(compat_hub.ResolveError, match="no image file"):
            find_images(f"{folder}/{missing}")
