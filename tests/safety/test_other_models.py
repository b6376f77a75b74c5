"""Models of TensorFlow 1 in whose folder a file leads to another's checkpoint."""

from __future__ import annotations

from pathlib import Path

import pytest
import tensorflow as tf

import compat_hub

v1 = tf.compat.v1
SECRET = "7919"


def _save(folder: Path) -> None:
    folder.mkdir()
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.string, [None], "x")
        w = v1.get_variable("w", initializer=SECRET, use_resource=True)
        tf.identity(tf.strings.join([x, w]), "y")
        session.run(v1.global_variables_initializer())
        v1.train.Saver().save(session, str(folder / "model.ckpt"))


@pytest.mark.parametrize(
    ("named", "handle"),
    [
        ("{}/m_private/model.ckpt", "{}/m"),
        ("../m_private/model.ckpt", "{}/m"),
        ("../m_private/model.ckpt", "."),
        ("link/model.ckpt", "{}/m"),
    ],
)
def test_the_list_of_checkpoints_names_one_elsewhere(
    named: str, handle: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _save(tmp_path / "m_private")
    folder = tmp_path / "m"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path / "m_private")
    (folder / "checkpoint").write_text(f'model_checkpoint_path: "{named.format(tmp_path)}"\n')
    monkeypatch.chdir(folder)
    with pytest.raises(compat_hub.CheckpointError, match="not in the folder"):
        compat_hub.load_tf1(handle.format(tmp_path), {"x": "x:0"}, {"default": "y:0"})
    # One that is in the folder, and was in another when it was written.
    (folder / "link").unlink()
    for file in (tmp_path / "m_private").glob("model.ckpt.*"):
        (folder / file.name).write_bytes(file.read_bytes())
    module = compat_hub.load_tf1(handle.format(tmp_path), {"x": "x:0"}, {"default": "y:0"})
    assert module(["a"]).numpy() == [b"a7919"]


@pytest.mark.parametrize("is_first_format", [False, True])
def test_a_prefix_that_is_a_pattern_of_another_file(is_first_format: bool, tmp_path: Path) -> None:
    """TensorFlow takes z[a].ckpt for za.ckpt, a link to a checkpoint of the first format."""
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None], "x")
        w = v1.get_variable("w", initializer=7919.0, use_resource=False)
        tf.multiply(x, w, "y")
        session.run(v1.global_variables_initializer())
        first = v1.train.Saver(write_version=v1.train.SaverDef.V1)
        (tmp_path / "other").mkdir()
        first.save(session, str(tmp_path / "other/model.ckpt"), write_meta_graph=False)
        folder = tmp_path / "m"
        folder.mkdir()
        session.run(w.assign(1.0))
        saver = first if is_first_format else v1.train.Saver()
        saver.save(session, str(folder / "z.ckpt"))
    for file in folder.glob("z.ckpt*"):
        file.rename(folder / file.name.replace("z.", "z[a]."))
    (folder / "za.ckpt").symlink_to(tmp_path / "other/model.ckpt")
    for handle in (folder / "z[a].ckpt", folder / "z[a].ckpt.meta"):
        with pytest.raises(compat_hub.HubError, match="pattern"):
            compat_hub.load_tf1(str(handle), {"x": "x:0"}, {"default": "y:0"})
