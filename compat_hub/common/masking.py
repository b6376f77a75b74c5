"""Web addresses as messages and files have them: without what is secret in them."""

from __future__ import annotations

import re

# A password may have any character, though those that end an address's authority should not be.
_USER = re.compile(
    r"(?P<scheme>\b[a-zA-Z][\w+.-]*://)"
    r"(?P<user>[^\s/?#]*@|[^\s/?#:@\[]*:(?!\d{1,5}(?:[/?#'\"\s]|$))\S*@)"
)
_AUTHORITY = re.compile(r"(?P<user>[^:]*):(?P<password>.*)@", re.DOTALL)
_QUERY = re.compile(
    r"(?P<name>[?&;](?:[\w-]*(?:token|secret|signature|password|credential)|passwd|pwd|sig|"
    r"api[_-]?key)=)[^&;#\s'\"]+",
    re.IGNORECASE,
)
# Where a token is the user's name, there may be such a password.
_NO_PASSWORDS = {"", "x-oauth-basic"}


def masked(text: str) -> str:
    """A text with `***` for each password, token and signature in the web addresses in it.

    Example:
        ```python
        masked("https://me:secret@example.com/m?token=1")
        # "https://me:***@example.com/m?token=***"
        ```
    """
    if "://" not in text:
        return text
    return _QUERY.sub(r"\g<name>***", _USER.sub(_masked_user, text))


def _masked_user(match: re.Match[str]) -> str:
    found = _AUTHORITY.fullmatch(match["user"])
    if found is None or found["password"] in _NO_PASSWORDS:
        return f"{match['scheme']}***@"
    return f"{match['scheme']}{found['user']}:***@"
