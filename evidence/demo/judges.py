"""What a workspace judges its evidence by, as far as the answer key must know it: given by the caller, never looked up here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Judges:
    """Version of the tool, severity and version of each control, and the SHA-256 of controls and overlay together.

    ``identity`` returns, for a parsed ``overlay.toml``, what assessments name as the library they were made by.
    """

    tool: str
    severities: Mapping[str, str]
    versions: Mapping[str, str]
    identity: Callable[[Mapping[str, Any]], str]
