"""Data Docs of a validated state: Great Expectations' own result pages, one a table, and an index.

The results come without values (``BOOLEAN_ONLY``), and nothing that could hold one is rendered: no text of an
exception, no batch. The pages are Great Expectations' content in a frame of our own, because its own frame loads
scripts, styles and pictures from other hosts, and puts the time of day and random ids on the page.
"""

from __future__ import annotations

import html
import itertools
from collections.abc import Sequence
from pathlib import Path
from types import CodeType

from great_expectations.core import ExpectationSuiteValidationResult
from great_expectations.render.renderer.page_renderer import ValidationResultsPageRenderer
from great_expectations.render.view.view import DefaultJinjaPageView
from jinja2 import BaseLoader, ChoiceLoader, DictLoader
from jinja2.bccache import Bucket, BytecodeCache

STYLE = """
body { font: 15px/1.45 sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; margin: 0.5rem 0 1.5rem; }
th, td { border: 1px solid #ccc; padding: 0.3rem 0.6rem; text-align: left; vertical-align: top; }
.fa-check-circle::before { content: "holds"; color: #176317; }
.fa-times::before { content: "broken"; color: #a11; }
.fa-exclamation-triangle::before { content: "not evaluated"; color: #a11; }
"""
HEAD = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><style>{STYLE}</style>'
PAGE = f"""<!DOCTYPE html>
<html lang="en"><head>{HEAD}<title>{{{{ expectation_suite_name }}}}</title></head>
<body><p><a href="index.html">All tables</a></p>
{{% for section in sections %}}{{% set section_loop = loop %}}{{% include 'section.j2' %}}{{% endfor %}}
</body></html>
"""


class _Compiled(BytecodeCache):
    """Templates that this process has compiled: those of a state's pages are those of another's."""

    def __init__(self) -> None:
        self._codes: dict[str, CodeType | None] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._codes.get(bucket.key)

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._codes[bucket.key] = bucket.code


_COMPILED = _Compiled()


class _PageView(DefaultJinjaPageView):
    """Great Expectations' page in our frame: nothing loaded from elsewhere, the same bytes every time."""

    def __init__(self) -> None:
        super().__init__()
        theirs: list[BaseLoader] = [self.env.loader] if self.env.loader else []
        self.env.loader = ChoiceLoader([DictLoader({"page.j2": PAGE}), *theirs])
        self.env.bytecode_cache, self.env.auto_reload = _COMPILED, False
        self._numbers = itertools.count()

    def generate_html_element_uuid(self, prefix: str | None = None) -> str:
        return f"{prefix or ''}{next(self._numbers)}"


def write_data_docs(clinic_id: str, results: Sequence[ExpectationSuiteValidationResult], folder: Path) -> None:
    """Write ``<table>.html`` for each table's results, and ``index.html``, into ``folder``."""
    lines = []
    renderer, view = ValidationResultsPageRenderer(), _PageView()
    for result in results:
        table = result.suite_name
        result.meta = {}
        for each in result.results:
            each.exception_info = {}
        page: str = view.render(renderer.render(result))  # type: ignore[no-untyped-call]
        (folder / f"{table}.html").write_text(page, encoding="utf-8")
        broken = sum(not each.success for each in result.results)
        lines.append(
            f'<tr><td><a href="{table}.html">{table}</a></td><td>{len(result.results)}</td><td>{broken}</td></tr>'
        )
    heading = "<tr><th>Table</th><th>Rules</th><th>Broken</th></tr>"
    (folder / "index.html").write_text(
        f'<!DOCTYPE html>\n<html lang="en"><head>{HEAD}<title>Validation</title></head><body>'
        f"<h1>Validation of {html.escape(clinic_id)}</h1>\n"
        "<p>Of a table is asked first whether any row breaks any rule; where one does, each rule on its own.</p>\n"
        "<table>" + "\n".join([heading, *lines]) + "\n</table></body></html>\n",
        encoding="utf-8",
    )
