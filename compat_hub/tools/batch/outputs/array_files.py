"""Arrays written to `.npz` and `.npy` files batch by batch, without holding them.

numpy writes whole arrays: the number of rows, and how long the longest string is, are known at the
end. Meanwhile the batches of each array are in a file.
"""

from __future__ import annotations

import contextlib
import os
import zipfile
from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np


class ArrayFiles:
    """Arrays in the making.

    Args:
        folder: A folder for files meanwhile, on the same disk.
        stack: Closes the files where there is an error.
    """

    def __init__(self, folder: str, stack: contextlib.ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self._arrays: dict[str, _Batches] = {}

    def append(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Adds to each array, along its first dimension. Arrays of objects have bytes."""
        for name, array in arrays.items():
            if name not in self._arrays:
                place = os.path.join(self._folder, f"{len(self._arrays)}.batches")
                file = self._stack.enter_context(open(place, "w+b"))  # noqa: SIM115
                self._arrays[name] = _Batches(file)
            self._arrays[name].append(array)

    def write_npz(self, path: str) -> None:
        """Writes all arrays to one file."""
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as file:
            for name, batches in self._arrays.items():
                member = zipfile.ZipInfo(f"{name}.npy")  # of no date
                with file.open(member, "w", force_zip64=True) as target:
                    batches.write(target)

    def write_npy(self, path: str) -> None:
        """Writes the one array that there is."""
        for batches in self._arrays.values():
            with open(path, "wb") as target:
                batches.write(target)


class _Batches:
    """One array: a file of its batches."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._count = 0
        self._shape: tuple[int, ...] = ()
        self._dtype: np.dtype | None = None

    def append(self, array: np.ndarray) -> None:
        if array.dtype.kind == "O":
            array = array.astype("S")
        rows = (self._shape[0] if self._count else 0) + array.shape[0] if array.ndim else 0
        self._shape = (rows, *array.shape[1:]) if array.ndim else ()
        self._dtype = np.result_type(array.dtype, self._dtype or array.dtype)
        self._count += 1
        np.lib.format.write_array(self._file, np.ascontiguousarray(array), allow_pickle=False)

    def write(self, target: Any) -> None:
        assert self._dtype is not None
        facts = {"descr": self._dtype.str, "fortran_order": False, "shape": self._shape}
        np.lib.format.write_array_header_1_0(target, facts)
        self._file.seek(0)
        for _ in range(self._count):
            array = np.lib.format.read_array(self._file, allow_pickle=False)
            target.write(array.astype(self._dtype).tobytes())
        self._file.close()
        os.remove(self._file.name)
