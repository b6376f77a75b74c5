from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import tensorflow as tf

from compat_hub.common import folder_progress as _folder_progress
from compat_hub.common.folder_progress import byte_size, folder_progress

_MB = 2**20


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What a bar in the place of the true one is advanced by."""
    found: list[int] = []

    @contextmanager
    def bar(title: str, total: int, shown: bool) -> Iterator[Callable[[int], None]]:
        assert shown
        yield found.append

    monkeypatch.setattr(_folder_progress, "progress_bar", bar)
    return found


def test_what_is_in_the_folder(steps: list[int], tmp_path: Path) -> None:
    folder = tmp_path / "variables"
    with folder_progress(str(folder), 150 * _MB):
        folder.mkdir()
        (folder / "part-1").write_bytes(b"x" * (60 * _MB))
        for _ in range(200):
            time.sleep(0.05)
            if sum(steps) == 60:
                break
        assert sum(steps) == 60
        (folder / "part-1").rename(folder / "variables.data")
        (folder / "part-2").write_bytes(b"x" * (110 * _MB))
    assert sum(steps) == 150
    assert min(steps) >= 0


def test_the_watcher_ends_with_an_error(steps: list[int], tmp_path: Path) -> None:
    before = threading.active_count()
    with pytest.raises(ValueError, match="stop"), folder_progress(str(tmp_path), 150 * _MB):
        raise ValueError("stop")
    assert threading.active_count() == before


def test_a_line_in_a_log(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with folder_progress(str(tmp_path), 150 * _MB):
        pass
    assert capsys.readouterr() == ("", "Writing weights, MB: 150\n")


def test_nothing_for_a_small_model(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    before = threading.active_count()
    with folder_progress(str(tmp_path), 99 * _MB):
        assert threading.active_count() == before
    assert capsys.readouterr() == ("", "")


def test_no_listing_of_object_stores(steps: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_folder_progress, "_watch", None)
    with folder_progress("gs://bucket/model", 150 * _MB):
        pass
    assert steps == []


def test_the_size_of_variables() -> None:
    unknown = tf.Variable([1.0, 2.0], shape=tf.TensorShape([None]))
    variables = [tf.Variable(tf.zeros([3, 5])), tf.Variable(tf.zeros([7], tf.int8)), unknown]
    assert byte_size(variables) == 3 * 5 * 4 + 7
