"""Reading mapping files and collecting every mistake in them."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from clinic_outcomes.files import parse_yaml
from clinic_outcomes.problems import Problem

IDENTIFIER = re.compile(r"[a-z][a-z0-9_]{1,62}")
Model = TypeVar("Model", bound=BaseModel)


class Mistakes:
    """Mapping mistakes found so far, each with file, line and column."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def add(self, file: Path, message: str, *, line: int | None = None, column: str | None = None) -> None:
        """Record one mistake. ``file`` is shown as its last two parts, so no path of the machine is printed."""
        name = "/".join(file.parts[-2:])
        self.problems.append(
            Problem(rule="mapping", message=message, file=name, line=line, column=column, advice="Correct the mapping.")
        )


def read_yaml(path: Path, model: type[Model], mistakes: Mistakes) -> Model | None:
    """A YAML file as ``model``; None, with the mistakes recorded, where it does not fit."""
    try:
        content: Any = parse_yaml(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        mistakes.add(path, "file is missing")
        return None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        mistakes.add(path, "not readable as YAML", line=mark.line + 1 if mark else None)
        return None
    try:
        return model.model_validate(content)
    except ValidationError as error:
        for item in error.errors():
            mistakes.add(path, item["msg"], column=".".join(map(str, item["loc"])) or None)
        return None


def read_csv(path: Path, columns: tuple[str, ...], mistakes: Mistakes) -> Iterator[tuple[int, Mapping[str, str]]]:
    """Line number and stripped cells of each row of a mapping CSV with exactly these columns."""
    if not path.is_file():
        mistakes.add(path, "file is missing")
        return
    with path.open(encoding="utf-8", newline="") as stream:
        reader = csv.reader(stream)
        header = next(reader, [])
        if tuple(header) != columns:
            mistakes.add(path, f"header must be {','.join(columns)}", line=1)
            return
        for cells in reader:
            if not cells:
                continue
            if len(cells) != len(columns):
                mistakes.add(path, f"{len(cells)} cells where {len(columns)} are expected", line=reader.line_num)
                continue
            yield reader.line_num, dict(zip(columns, map(str.strip, cells), strict=True))
