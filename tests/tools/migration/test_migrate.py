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


def test_a_program_runs_after_it_was_migrated(tmp_path: Path) -> None:
    path = tmp_path / "program.py"
    path.write_text(_PROGRAM)
    report = compat_hub.migrate(path, write=True)
    (file,) = report.files
    assert (report.passed, report.read, file.written) == (True, 1, True)
    assert path.read_text() == _PROGRAM.replace("tensorflow_hub as", "compat_hub as")
    # The one line that is left to do by hand, as the report says.
    (change,) = [use for use in file.uses if use.status == "change" and use.line == 2]
    assert change.old == "import tensorflow as tf"
    assert change.new == "import tensorflow.compat.v1 as tf"
    names: dict[str, Any] = {"PETS": str(FIXTURES / "pets" / "module")}
    exec(path.read_text().replace(change.old, change.new), names)
    y, pets = names["main"](str(tmp_path / "module"))
    assert y.tolist() == [[2.0]] * 3
    assert pets.shape == (1, 8)
    # What it says of TF2 holds, too.
    in_tf2 = {use.old: use.tf2 for use in file.uses if use.tf2}
    code = in_tf2["hub.Module(PETS)"]
    assert code == "hub.load(PETS)"
    m = eval(code, {"hub": compat_hub, "PETS": tmp_path / "module"})
    assert m([[1.0, 3.0]]).numpy().tolist() == [[4.0]]


def test_programs_of_tf1_are_rewritten(tmp_path: Path) -> None:
    folder = tmp_path / "modules"
    shutil.copytree(MODULES, folder, ignore=shutil.ignore_patterns("__pycache__"))
    report = compat_hub.migrate(folder, write=True)
    assert report.errors == ()
    assert len(report.files) > 10
    for path in MODULES.glob("*.py"):
        old, new = "import tensorflow_hub as hub", "import compat_hub as hub"
        assert (folder / path.name).read_text() == path.read_text().replace(old, new)
    again = compat_hub.migrate(folder, write=True)
    assert not any(file.written for file in again.files)


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
        {"cell_type": "code", "source": "%%bash\nls"},
        {"cell_type": "code", "source": "%time\n\nm = hub.Module(p)"},
    ]
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps({"cells": cells}))
    before = path.read_bytes()
    (file,) = compat_hub.migrate(path, write=True).files
    assert [(use.cell, use.line, use.old) for use in file.uses] == [
        (2, 2, "import tensorflow_hub as hub"),
        (4, 3, "hub.Module(p)"),
    ]
    assert (file.written, path.read_bytes()) == (False, before)


def test_bad_arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(compat_hub.ResolveError, match="no file or folder"):
        compat_hub.migrate(tmp_path / "no.py")
    (tmp_path / "a.txt").touch()
    with pytest.raises(compat_hub.ResolveError, match="neither"):
        compat_hub.migrate(tmp_path / "a.txt")
    monkeypatch.setitem(sys.modules, "libcst", None)
    with pytest.raises(compat_hub.HubError, match="pip install 'libcst"):
        compat_hub.migrate(tmp_path)
