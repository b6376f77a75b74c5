"""How the packages of an extra are installed, wherever compat_hub itself came from."""

from __future__ import annotations

from importlib import metadata

# What pyproject.toml says of them; a test compares.
_PACKAGES = {
    "beam": ("apache-beam>=2.72,<3",),
    "html": ("jinja2>=3.1,<4", "networkx>=3.2,<4"),
    "images": ("pillow>=10",),
    "kaggle": ("kagglehub>=0.3",),
    "migrate": ("libcst>=1.5",),
    "tables": ("pyarrow>=14",),
    "text": ("tensorflow-text",),
}


def install_command(extra: str) -> str:
    """The command that installs what an extra needs.

    It names the packages, since `pip install 'compat-hub[...]'` finds nothing where compat_hub was
    installed from a clone.
    """
    requirements = _PACKAGES[extra]
    if extra == "text":  # each release needs the TensorFlow of the same number
        requirements = (f"tensorflow-text=={'.'.join(_tensorflow_version())}.*",)
    return f"pip install {' '.join(repr(text) for text in requirements)}"


def _tensorflow_version() -> tuple[str, str]:
    major, minor = metadata.version("tensorflow").split(".")[:2]
    return major, minor
