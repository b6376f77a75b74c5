"""Outputs written to `.npz` and `.npy` files batch by batch, without holding them."""

from __future__ import annotations

import contextlib
import os
import shutil
import struct
import zipfile
from collections.abc import Mapping
from typing import BinaryIO

import numpy as np

_HEADER_BYTES = 512  # room for the shape, which is known at the end
_LENGTH = struct.Struct("<Q")


class NpzFile:
    """A `.npz` file in the making.

    Args:
        path: The file to make.
        folder: A folder for files meanwhile, on the same disk.
        stack: Closes the files where there is an error.
    """

    def __init__(self, path: str, folder: str, stack: contextlib.ExitStack) -> None:
        self._path = path
        self._folder = folder
        self._stack = stack
        self._arrays: dict[str, _ArrayFile] = {}

    def append(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Adds to each array of the file, along its first dimension."""
        for name, array in arrays.items():
            if name not in self._arrays:
                place = os.path.join(self._folder, f"{len(self._arrays)}.npy")
                self._arrays[name] = _ArrayFile(place, array, self._stack)
            self._arrays[name].append(array)

    def close(self) -> None:
        """Completes the file."""
        with zipfile.ZipFile(self._path, "w", zipfile.ZIP_STORED) as file:
            for name, array in self._arrays.items():
                member = zipfile.ZipInfo(f"{name}.npy")  # of no date
                path = array.close()
                with open(path, "rb") as source, file.open(member, "w", force_zip64=True) as target:
                    shutil.copyfileobj(source, target, 1 << 20)
                os.remove(array.path)


class NpyFile:
    """A `.npy` file in the making, with the one array that comes.

    Args:
        path: The file to make.
        stack: Closes the file where there is an error.
    """

    def __init__(self, path: str, stack: contextlib.ExitStack) -> None:
        self._path = path
        self._stack = stack
        self._array: _ArrayFile | None = None

    def append(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Adds to the array, along its first dimension."""
        (array,) = arrays.values()
        self._array = self._array or _ArrayFile(self._path, array, self._stack)
        self._array.append(array)

    def close(self) -> None:
        """Completes the file."""
        if self._array is not None:
            self._array.close()


class _ArrayFile:
    """One array. Strings wait in a file of their own until the longest is known."""

    def __init__(self, path: str, first: np.ndarray, stack: contextlib.ExitStack) -> None:
        self.path = path
        self._is_text = first.dtype.kind == "O"
        self._dtype = first.dtype
        self._shape = first.shape
        self._rows: int | None = None
        self._longest = 1
        place = f"{path}.strings" if self._is_text else path
        self._file: BinaryIO = stack.enter_context(open(place, "wb"))  # noqa: SIM115
        if not self._is_text:
            self._file.write(bytes(_HEADER_BYTES))

    def append(self, array: np.ndarray) -> None:
        if array.ndim:
            self._rows = (self._rows or 0) + array.shape[0]
        if not self._is_text:
            self._file.write(np.ascontiguousarray(array).data)
            return
        for text in array.ravel():
            self._longest = max(self._longest, len(text))
            self._file.write(_LENGTH.pack(len(text)) + text)

    def close(self) -> str:
        shape = self._shape if self._rows is None else (self._rows, *self._shape[1:])
        if self._is_text:
            self._file.close()
            dtype = np.dtype(f"S{self._longest}")
            with open(f"{self.path}.strings", "rb") as source, open(self.path, "wb") as target:
                target.write(_header(dtype, shape))
                while length := source.read(_LENGTH.size):
                    text = source.read(_LENGTH.unpack(length)[0])
                    target.write(text.ljust(self._longest, b"\0"))
            os.remove(f"{self.path}.strings")
        else:
            self._file.seek(0)
            self._file.write(_header(self._dtype, shape))
            self._file.close()
        return self.path


def _header(dtype: np.dtype, shape: tuple[int, ...]) -> bytes:
    """The start of a `.npy` file of version 1.0, always of the same length.

    https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
    """
    facts = {"descr": dtype.str, "fortran_order": False, "shape": tuple(map(int, shape))}
    start = b"\x93NUMPY\x01\x00" + struct.pack("<H", _HEADER_BYTES - 10)
    return start + repr(facts).encode("latin1").ljust(_HEADER_BYTES - 11) + b"\n"
