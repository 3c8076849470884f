"""Names of files and folders that may be told: a clinic could put a person's name or a date of birth into one.

A name is told where it consists of what the mapping or the manifest says, counting numbers and words of deliveries.
Any other is told as a hash, and a file of such a name refuses its delivery.
"""

from __future__ import annotations

import re

from clinic_outcomes.files import fingerprint
from clinic_outcomes.formats import sources_of
from clinic_outcomes.mapping import System, split_suffix

MANIFEST = "manifest.json"
_COUNT = r"v?(?:[0-9]{1,3}|000[0-9]{3})"
"""One number of up to three digits counts files; more of them could be a part of a date or of a person's number."""

_WORDS = frozenset(
    re.findall(
        r"\w+",
        "a again b batch box c copy corrected correction corrections d delivery delta drop export extra final first "
        "full "
        "moved new no of old one other part provisional release second sequence test third three two unfinished upload "
        "v version",
    )
)


def is_plain_file_name(name: str, system: System, period: str | None) -> bool:
    """Whether a file's name is one of the system's, with nothing for ``*`` but counting numbers and plain words.

    ``period`` is the delivery's reporting period (``YYYY-MM``), which may be in the name too.
    """
    sources = sources_of(name, system)
    if name == MANIFEST:
        return True
    if not sources:
        return False
    stem, _ = split_suffix(name, system.formats)
    pattern, _ = split_suffix(system.sources[sources[0]].file or "", system.formats)
    found = re.fullmatch(_with_groups(pattern), stem, re.DOTALL)
    return found is not None and all(_is_plain(text, period) for text in found.groups())


def told_folder(name: str) -> str:
    """A landing folder's name as it may be told."""
    return name if _is_plain(name, None) else f"folder-{fingerprint([name])[:8]}"


def told_file(name: str, system: System, period: str | None) -> str:
    """A file's name as it may be told."""
    return name if is_plain_file_name(name, system, period) else f"file-{fingerprint([name])[:8]}"


def _with_groups(pattern: str) -> str:
    """A pattern of file names as a regular expression, with a group for each wildcard."""
    parts = re.split(r"(\*|\?|\[[^\]]*\])", pattern)
    return "".join("(.*)" if p == "*" else "(.)" if p[:1] in ("?", "[") else re.escape(p) for p in parts if p)


def _is_plain(text: str, period: str | None) -> bool:
    if period:
        text = re.sub(rf"(?<!\d){period[:4]}-?{period[5:]}(?!\d)", "", text, count=1)
    if not re.fullmatch(r"[A-Za-z0-9 ._()-]*", text):
        return False
    words = [word for word in re.split(r"[ ._()-]+", text) if word and word.lower() not in _WORDS]
    return len(words) <= 1 and all(re.fullmatch(_COUNT, word) for word in words)
