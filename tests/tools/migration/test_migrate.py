from __future__ import annotations

import json
import os
import shutil
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

import compat_hub
from compat_hub.tools.migration import migrate as migrating
from tests.records import FIXTURES

MODULES = Path(__file__).parents[2] / "tf1" / "modules"
_PROGRAM = """\
import numpy as np
import tensorflow as tf
import tensorflow_hub as hub  # pylint: disable=x

def module_fn(training):
    x = tf.placeholder(tf.float32, [None, 2])
    w = tf.get_variable("w", [2, 1], initializer=tf.ones_initializer())
    hub.add_signature(inputs=x, outputs=tf.matmul(x, w))


def main(path):
    spec = hub.create_module_spec(module_fn, [(set(), {"training": False})])
    with tf.Graph().as_default(), tf.Session() as session:
        m = hub.Module(spec, trainable=True)
        y = m(np.ones([3, 2]))
        session.run([tf.global_variables_initializer(), tf.tables_initializer()])
        m.export(path, session)
        pets = hub.Module(PETS)(np.zeros([1, 7]))
        session.run(tf.global_variables_initializer())
        return session.run([y, pets])
"""


def _migrated(program: str) -> str:
    """What becomes of a program: lines that import, and no others."""
    tensorflow = "from compat_hub import tf1 as tf\ntf.disable_v2_behavior()\n"
    program = program.replace("import tensorflow as tf\n", tensorflow)
    return program.replace("import tensorflow_hub as", "import compat_hub as")


def test_a_program_runs_after_it_was_migrated(tmp_path: Path) -> None:
    path = tmp_path / "program.py"
    path.write_text(_PROGRAM)
    report = compat_hub.migrate(path, write=True)
    (file,) = report.files
    assert (report.passed, report.read, file.written) == (True, 1, True)
    assert path.read_text() == _migrated(_PROGRAM)
    names: dict[str, Any] = {"PETS": str(FIXTURES / "pets" / "module")}
    # The test goes on in TensorFlow 2.
    exec(path.read_text().replace("tf.disable_v2_behavior()\n", ""), names)
    y, pets = names["main"](str(tmp_path / "module"))
    assert y.tolist() == [[2.0]] * 3
    assert pets.shape == (1, 8)
    # What it says of TF2 holds, too.
    in_tf2 = {use.old: use.tf2 for use in file.uses if use.tf2}
    code = in_tf2["hub.Module(PETS)"]
    assert code == "hub.load(PETS)"
    m = eval(code, {"hub": compat_hub, "PETS": tmp_path / "module"})
    assert m([[1.0, 3.0]]).numpy().tolist() == [[4.0]]


def test_a_program_of_tf1_without_hub_is_rewritten_and_one_of_tf2_is_not(tmp_path: Path) -> None:
    old, new = tmp_path / "old.py", tmp_path / "new.py"
    old.write_text("import tensorflow as tf\nx = tf.placeholder(tf.float32)\n")
    new.write_text("import tensorflow as tf\nx = tf.Variable(1.0)\n")
    before = new.read_text()
    compat_hub.migrate(tmp_path, write=True)
    assert old.read_text() == _migrated("import tensorflow as tf\nx = tf.placeholder(tf.float32)\n")
    assert new.read_text() == before


def test_programs_of_tf1_are_rewritten(tmp_path: Path) -> None:
    folder = tmp_path / "modules"
    folder.mkdir()
    some = sorted(MODULES.glob("[a-e]*.py"))
    for path in some:
        shutil.copy(path, folder)
    report = compat_hub.migrate(folder, write=True)
    assert report.errors == ()
    assert len(report.files) == len(some) > 3
    for path in some:
        assert (folder / path.name).read_text() == _migrated(path.read_text())
    again = compat_hub.migrate(folder, write=True)
    assert not any(file.written for file in again.files)
    count = sum(len(file.uses) for file in again.files)
    assert count > sum(use.status == "unchanged" for file in report.files for use in file.uses) / 2


def test_without_write_nothing_changes(tmp_path: Path) -> None:
    path = tmp_path / "program.py"
    path.write_text(_PROGRAM)
    (file,) = compat_hub.migrate(path).files
    assert path.read_text() == _PROGRAM
    assert "-import tensorflow_hub as hub  # pylint: disable=x\n" in file.diff
    assert "+import compat_hub as hub  # pylint: disable=x\n" in file.diff


@pytest.mark.parametrize(
    "content",
    [
        "# -*- coding: latin-1 -*-\nimport tensorflow_hub as hub\nx = 'ü'\n".encode("latin-1"),
        b"\xef\xbb\xbfimport tensorflow_hub as hub\r\nx = 1\r\n",
        "import tensorflow_hub as hub\nx = 'ü'  # no end of line".encode(),
        b"if 1:\n\timport tensorflow_hub as hub\n\n\n",
    ],
    ids=["latin-1", "utf-8-sig and CRLF", "no end of line", "tabs"],
)
def test_all_else_stays_byte_by_byte(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "program.py"
    path.write_bytes(content)
    path.chmod(0o750)
    compat_hub.migrate(path, write=True)
    assert path.read_bytes() == content.replace(b"tensorflow_hub", b"compat_hub")
    assert stat.S_IMODE(path.stat().st_mode) == 0o750
    assert list(tmp_path.iterdir()) == [path]


def test_which_files_of_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    files = ("a.py", "b/c.py", ".git/d.py", "env/e.py", "b/__pycache__/f.py", "g.txt", "h.ipynb")
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("import tensorflow_hub" if name != "h.ipynb" else "{}")
    (folder / "env" / "pyvenv.cfg").touch()
    (tmp_path / "outside.py").write_text("import tensorflow_hub")
    (folder / "link.py").symlink_to(tmp_path / "outside.py")
    (folder / "same.py").symlink_to(folder / "a.py")
    (folder / "loop").symlink_to(folder)
    report = compat_hub.migrate(folder, write=True)
    assert [os.path.relpath(f.path, folder) for f in report.files] == ["a.py", "b/c.py"]
    assert report.read == 3
    assert (tmp_path / "outside.py").read_text() == "import tensorflow_hub"
    assert (folder / "same.py").is_symlink()


def test_files_that_are_no_programs_do_not_stop_the_others(tmp_path: Path) -> None:
    broken = {
        "python2.py": b"import tensorflow_hub\nprint 'x'\n",
        "syntax.py": b"import tensorflow_hub\ndef f(:\n",
        "encoding.py": b"import tensorflow_hub\nx = '\xff'\n",
        "codec.py": b"# coding: nonsense\nimport tensorflow_hub\n",
        "notebook.ipynb": b'{"cells": "tensorflow_hub"}',
    }
    for name, content in {**broken, "good.py": b"import tensorflow_hub\n"}.items():
        (tmp_path / name).write_bytes(content)
    report = compat_hub.migrate(tmp_path, write=True)
    errors = {os.path.basename(f.path): f.error for f in report.files if f.error}
    assert errors.keys() == broken.keys()
    assert "Line 2, column " in errors["python2.py"]
    assert not report.passed
    assert (tmp_path / "good.py").read_text() == "import compat_hub as tensorflow_hub\n"


def test_a_file_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "program.py"
    path.write_text(_PROGRAM)

    def fail(*args: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(migrating.os, "replace", fail)
    (file,) = compat_hub.migrate(path, write=True).files
    assert (file.written, file.error) == (False, "It cannot be written: the disk is full")
    assert path.read_text() == _PROGRAM
    assert list(tmp_path.iterdir()) == [path]


def test_a_notebook(tmp_path: Path) -> None:
    cells = [
        {"cell_type": "markdown", "source": ["import tensorflow_hub"]},
        {"cell_type": "code", "source": ["!pip install x\n", "import tensorflow_hub as hub"]},
        {"cell_type": "code", "source": "%%bash\nls\nimport tensorflow_hub"},
        {
            "cell_type": "code",
            "source": "%%time\nimport tensorflow as tf\nif 1:\n    !ls \nfiles = !ls\nhub.load?\n",
        },
        {"cell_type": "code", "source": "%time\n\nm = hub.Module(p)  # ü\ns = tf.Session()"},
        {"cell_type": "code", "source": []},
    ]
    path = tmp_path / "a.ipynb"
    path.write_text(
        json.dumps({"cells": cells, "nbformat": 4}, indent=1, ensure_ascii=False) + "\n"
    )
    before = path.read_text()
    (file,) = compat_hub.migrate(path, write=True).files
    assert [(use.cell, use.line, use.old) for use in file.uses] == [
        (2, 2, "import tensorflow_hub as hub"),
        (4, 2, "import tensorflow as tf"),
        (5, 3, "hub.Module(p)"),
        (5, 4, "tf.Session()"),
    ]
    expected = before.replace("import tensorflow_hub as hub", "import compat_hub as hub")
    tensorflow = "from compat_hub import tf1 as tf\\ntf.disable_v2_behavior()"
    assert path.read_text() == expected.replace("import tensorflow as tf", tensorflow)
    assert file.written
    assert not compat_hub.migrate(path, write=True).files[0].written


def test_a_program_of_several_files(tmp_path: Path) -> None:
    files = {
        "main.py": "import tensorflow_hub as hub\nfrom lib import model\n"
        "m = hub.Module(model.PATH)\n",
        "lib/model.py": "import tensorflow as tf\nPATH = 'p'\ninit = tf.tables_initializer()\n",
        # Not of that program, and of TensorFlow 2.
        "other.py": "import tensorflow as tf\nimport tensorflow_hub as hub\n"
        "hub.load(tf.constant('p'))\n",
    }
    for name, code in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(code)
    report = compat_hub.migrate(tmp_path, write=True)
    assert (tmp_path / "lib/model.py").read_text() == _migrated(files["lib/model.py"])
    assert (tmp_path / "other.py").read_text() == _migrated(files["other.py"]).replace(
        "from compat_hub import tf1 as tf\ntf.disable_v2_behavior()", "import tensorflow as tf"
    )
    # The initializer is of a module that is made in another file.
    (model,) = [file for file in report.files if file.path.endswith("model.py")]
    assert [use.tf2 for use in model.uses if use.line == 3] == [""]


def test_names_that_are_gone_and_a_second_run(tmp_path: Path) -> None:
    path = tmp_path / "program.py"
    path.write_text(
        "import tensorflow as tf\n"
        "import tensorflow_hub as hub\n"
        "from tensorflow.contrib import seq2seq\n"
        "from tensorflow.examples.tutorials.mnist import input_data\n"
        "def f(x):\n"
        "    tf.contrib.quantize.create_training_graph()\n"
        "    r = tf.contrib.cluster_resolver.GceClusterResolver\n"
        "    tf.layers.dense(x, 1), tf.contrib.rnn.LSTMCell(2), tf.float32.max, tf.GraphKeys.X\n"
        "    return hub.image_util.ImageModuleInfo(), hub.Module(x)\n"
    )
    report = compat_hub.migrate(path, write=True)
    assert not report.passed
    gone = [(u.line, u.old, u.note) for u in report.files[0].uses if u.status == "unavailable"]
    assert [(line, old) for line, old, _ in gone] == [
        (3, "from tensorflow.contrib import seq2seq"),
        (4, "from tensorflow.examples.tutorials.mnist import input_data"),
        (6, "tf.contrib.quantize.create_training_graph"),
    ]
    assert "tf.while_loop" in gone[0][2]
    assert "copy the file" in gone[1][2]
    assert "tf.lite" in gone[2][2]
    lines = path.read_text().splitlines()
    assert lines[:3] == [
        "from compat_hub import tf1 as tf",
        "tf.disable_v2_behavior()",
        "import compat_hub as hub",
    ]
    assert "    r = tf.distribute.cluster_resolver.GCEClusterResolver" in lines
    assert "    return hub.ImageModuleInfo(), hub.Module(x)" in lines
    again = compat_hub.migrate(path, write=True)
    (file,) = again.files
    assert not file.written
    assert [u.line for u in file.uses if u.status == "unavailable"] == [4, 5, 7]
    assert [u.old for u in file.uses if u.tf2 == "hub.load(x)"] == ["hub.Module(x)"]


def test_tensorflow_2_beside_its_v1_stays(tmp_path: Path) -> None:
    path = tmp_path / "program.py"
    code = (
        "import tensorflow as tf\nimport tensorflow.compat.v1 as tf1\n"
        "import tensorflow_hub as hub\n"
        "with tf.Graph().as_default():\n"
        "    m = hub.Module(p)\n"
        "    tf1.layers.dense(m(x), 1), tf.compat.v1.layers.dense(m(x), 1), tf1.contrib.crf\n"
        "tf.random.set_seed(1)\n"
    )
    path.write_text(code)
    (file,) = compat_hub.migrate(path, write=True).files
    new = code.replace("import tensorflow.compat.v1 as tf1", "from compat_hub import tf1")
    assert path.read_text() == new.replace("tensorflow_hub as", "compat_hub as")
    changes = {use.old: use.new for use in file.uses if use.status == "change"}
    assert changes["tf.compat.v1.layers.dense"] == "tf1.layers.dense"
    assert [use.old for use in file.uses if use.status == "unavailable"] == ["tf1.contrib.crf"]
    again = compat_hub.migrate(path, write=True).files[0]
    assert not again.written
    assert [use.old for use in again.uses if use.status == "unavailable"] == ["tf1.contrib.crf"]


def test_the_imports_of_the_result_are_run(tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text("raise SystemExit\n")
    path = tmp_path / "program.py"
    code = (
        "import tensorflow as tf\nimport os; import tensorflow_hub as hub\nimport helper\n"
        "{}m = hub.Module(p)\ns = tf.Session()\n"
    )
    path.write_text(code.format("import nothing_of_the_kind\nfrom nowhere import x\n"))
    report = compat_hub.migrate(path, check=True)
    assert not report.passed
    failing = report.files[0].failing_import
    assert failing is not None
    assert failing.startswith("Line 5: import nothing_of_the_kind: ModuleNotFoundError: No module")
    assert f"IMPORT FAILS {failing}" in str(report)
    path.write_text(code.format(""))
    (tmp_path / "helper.py").write_text("import os\n")
    assert compat_hub.migrate(path, write=True, check=True).passed


def test_bad_arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(compat_hub.ResolveError, match="no file or folder"):
        compat_hub.migrate(tmp_path / "no.py")
    (tmp_path / "a.txt").touch()
    with pytest.raises(compat_hub.ResolveError, match="neither"):
        compat_hub.migrate(tmp_path / "a.txt")
    monkeypatch.setitem(sys.modules, "libcst", None)
    with pytest.raises(compat_hub.HubError, match="pip install 'libcst"):
        compat_hub.migrate(tmp_path)
