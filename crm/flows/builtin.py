"""The Flows that come with Ventana: files beside this one, to begin with and to learn from."""

from functools import cache
from pathlib import Path

PROFILE = "Mi perfil"
PROFILE_CATEGORIES = ("SIGN_UP",)


@cache
def profile() -> str:
    """The JSON of “Mi perfil”, which reads and writes the contact's name, e-mail, birthday, city and time to be written to."""
    return (Path(__file__).parent / "mi_perfil.json").read_text(encoding="utf-8")
