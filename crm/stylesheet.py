"""`ventana.css` as one file: its `@import` lines are replaced by what they name, so that a page asks once, not 25 times.

The list stays in the stylesheet itself and works without this module; no build step is needed in development.
"""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import BaseFinder
from django.core.files.storage import FileSystemStorage

NAME = "crm/css/ventana.css"
_IMPORT = re.compile(r'@import "([^"]+)";')


def inlined(source: Path) -> str:
    """The stylesheet with every import in place; the parts hold no relative addresses that would move."""
    return _IMPORT.sub(lambda found: (source.parent / found[1]).read_text(), source.read_text())


class InlinedStylesheet(BaseFinder):
    """Comes before the finder that would find the list of imports under the same name."""

    def __init__(self, app_names: Any = None, *args: Any, **kwargs: Any) -> None:
        self.source = settings.BASE_DIR / "static" / NAME
        self.folder = tempfile.TemporaryDirectory(prefix="ventana-css-")
        self.storage = FileSystemStorage(location=self.folder.name)
        self.storage.prefix = None  # type: ignore[attr-defined]  # collectstatic reads it

    def find(self, path: str, find_all: bool = False, **kwargs: Any) -> Any:
        if path != NAME:
            return []
        written = self._write()
        return [written] if find_all else written

    def list(self, ignore_patterns: Any) -> Iterator[tuple[str, FileSystemStorage]]:
        self._write()
        yield NAME, self.storage

    def check(self, **kwargs: Any) -> Any:
        return []

    def _write(self) -> str:
        target = Path(self.folder.name) / NAME
        target.parent.mkdir(parents=True, exist_ok=True)
        text = inlined(self.source)
        if not target.exists() or target.read_text() != text:
            target.write_text(text)
        return str(target)
