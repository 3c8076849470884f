"""The manifest that a clinic writes last into a delivery's folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from clinic_outcomes.files import write_json
from clinic_outcomes.problems import ClinicOutcomesError, Problem

MANIFEST_NAME = "manifest.json"
SAFE_FILE_NAME = r"^[A-Za-z0-9][A-Za-z0-9._ ()-]{0,127}$"
LARGEST_MANIFEST_BYTES = 1_000_000


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


class ManifestFile(BaseModel):
    """One file of the delivery: its name without any folder, its rows below the header, and its SHA-256."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: str = Field(pattern=SAFE_FILE_NAME)
    rows: int = Field(ge=0)
    sha256: Annotated[str, BeforeValidator(_lower), Field(pattern=r"^[0-9a-f]{64}$")]


class Manifest(BaseModel):
    """What a delivery says of itself.

    ``export_sequence`` counts the clinic's exports from 1 and orders them; ``reporting_period`` is ``YYYY-MM``, and
    ``period_status`` says whether the clinic still expects to change it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    manifest_version: Literal[1]
    clinic_id: str
    export_sequence: int = Field(ge=1, le=999_999)
    export_kind: Literal["full", "delta"]
    reporting_period: str = Field(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])$")
    period_status: Literal["provisional", "final"] = "provisional"
    files: tuple[ManifestFile, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_once(self) -> Self:
        if len({file.name for file in self.files}) < len(self.files):
            raise ValueError("a file is listed twice")
        return self


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest into a delivery's folder, as the last of its files."""
    write_json(folder / MANIFEST_NAME, manifest.model_dump(mode="json"))


def read_manifest(path: Path) -> Manifest:
    """Read a manifest. ``ClinicOutcomesError``, rule ``manifest_invalid``, lists every mistake by field."""
    with path.open("rb") as stream:
        content = stream.read(LARGEST_MANIFEST_BYTES + 1)
    if len(content) > LARGEST_MANIFEST_BYTES:
        raise ClinicOutcomesError([_invalid("the manifest is too large")])
    try:
        return Manifest.model_validate_json(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise ClinicOutcomesError([_invalid("the manifest is not UTF-8 text")]) from None
    except ValidationError as error:
        raise ClinicOutcomesError(
            [_describe(item["type"], item["msg"], item["loc"]) for item in error.errors()]
        ) from None


def _describe(kind: str, message: str, place: tuple[int | str, ...]) -> Problem:
    if kind == "json_invalid":
        return _invalid("the manifest is not readable as JSON")
    if kind == "extra_forbidden":
        # The name of a field that should not be there is the clinic's text, so only its parent is told.
        return _invalid("a field that manifests do not have", place[:-1])
    return _invalid(message, place)


def _invalid(message: str, place: tuple[int | str, ...] = ()) -> Problem:
    return Problem(
        rule="manifest_invalid",
        message=message,
        advice="Correct manifest.json and deliver again; docs/adding-a-clinic.md describes it.",
        file=MANIFEST_NAME,
        column=".".join(map(str, place)) or None,
    )
