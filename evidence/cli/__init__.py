"""The command line: one thin function per command: parse, call the verb, print, exit code (design.md section 10)."""

from evidence.cli.app import main

__all__ = ["main"]
