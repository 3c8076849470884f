"""Whether what a mapping takes for an instrument is that instrument.

A delivered code, or the source of a table with one instrument, may say by name or LOINC code which questionnaire it
is. A mapping that takes it for another is a mistake: PCL-C is not PCL-5, though both are called PCL.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from clinic_outcomes.contract import Contract
from clinic_outcomes.contract.loader import INSTRUMENT_LIST, reduced
from clinic_outcomes.mapping.lines import Codes, ColumnMapping
from clinic_outcomes.mapping.reading import Mistakes
from clinic_outcomes.mapping.sources import Source

_LOINC = re.compile(r"(?<![0-9-])[1-9][0-9]{2,5}-[0-9](?![0-9-])")
_BETWEEN_NAMES = re.compile(r"[/|#?=&:*.]+")


def mistaken_instrument(texts: Iterable[str], taken_for: str, contract: Contract) -> str | None:
    """What is wrong with taking something that ``texts`` name for the instrument ``taken_for``; None where nothing is.

    Texts that name no instrument are the system's own, and say nothing.
    """
    meant = {contract.instrument_names[name] for text in texts for name in _names(text, contract)}
    refused = sorted(meant & (set(contract.refused_instruments) - {taken_for}))
    labels = contract.code_lists[INSTRUMENT_LIST]
    if refused:
        reason = contract.refused_instruments[refused[0]]
        return f"this is {labels[refused[0]]} and may not be taken for {labels.get(taken_for, taken_for)}: {reason}"
    if meant and taken_for not in meant:
        named = " and ".join(labels[name] for name in sorted(meant))
        return f"this is {named} and may not be taken for {labels.get(taken_for, taken_for)}"
    return None


def _names(text: str, contract: Contract) -> set[str]:
    found = {reduced(part) for part in (text, *_BETWEEN_NAMES.split(text))} | set(_LOINC.findall(text))
    return found & set(contract.instrument_names)


def check_instruments(
    folder: Path,
    columns: Iterable[ColumnMapping],
    codes: Codes,
    sources: Mapping[str, Source],
    views: Mapping[str, Mapping[str, Any]],
    contract: Contract,
    mistakes: Mistakes,
) -> None:
    """Record every line that takes a questionnaire for another one."""
    of_instruments = [m for m in columns if m.target and m.target.code_list == INSTRUMENT_LIST]
    for name in sorted({m.codes for m in of_instruments if m.codes} & set(codes)):
        for source_code, (code, line) in codes[name].items():
            wrong = mistaken_instrument([source_code], code, contract)
            if wrong:
                mistakes.add(folder / "codes.csv", wrong, line=line, column="source_code")
    for mapping in of_instruments:
        if mapping.constant and mapping.source in sources:
            texts = _texts(mapping.source, sources[mapping.source], views.get(mapping.source, {}))
            wrong = mistaken_instrument(texts, mapping.constant, contract)
            if wrong:
                mistakes.add(folder / "columns.csv", wrong, line=mapping.line, column="constant")


def _texts(name: str, source: Source, view: Mapping[str, Any]) -> list[str]:
    """Names of a source and of where it lies, and what its view selects by."""
    texts = [name, *(text for text in (source.file, source.sheet, source.form, source.view, source.origin) if text)]
    if source.unpivot:
        texts.append(source.unpivot.columns.partition("{")[0])
    chosen = {key: part for key, part in view.items() if key in ("constant", "select", "where")}
    return [*texts, *_LOINC.findall(json.dumps(chosen))]
