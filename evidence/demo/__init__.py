"""A generated health carrier with planted deviations and its answer key (``docs/demo.md``)."""

from evidence.demo.answer import AnswerKey
from evidence.demo.size import FULL, SMALL, Size, size_named
from evidence.demo.world import Names
from evidence.demo.write import generate

__all__ = ["FULL", "SMALL", "AnswerKey", "Names", "Size", "generate", "size_named"]
