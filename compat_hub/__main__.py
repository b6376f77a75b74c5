"""`python -m compat_hub` is `compat-hub`."""

from compat_hub.cli.main import main

if __name__ == "__main__":
    main(prog_name="python -m compat_hub")
