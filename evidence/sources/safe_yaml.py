"""One YAML document of a stranger, read without running anything in it and without unfolding into more than it is."""

from collections.abc import Iterator
from typing import Any

MAX_DEPTH = 40


def load_yaml(body: bytes) -> Any:
    """Parse one YAML document without running anything in it. Raises ``ValueError`` that quotes no value."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml where it was built in: ten times faster
    try:
        text = body.decode("utf-8-sig")
        _check_events(yaml.parse(text, Loader=loader))
        return yaml.load(text, Loader=loader)  # noqa: S506 - either loader is the safe one
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None
    except yaml.MarkedYAMLError as exc:
        line = exc.problem_mark.line + 1 if exc.problem_mark else "?"
        raise ValueError(f"line {line}: not YAML that we read") from None
    except (yaml.YAMLError, RecursionError):
        raise ValueError("not YAML that we read") from None


def _check_events(events: Iterator[Any]) -> None:
    """Refuse aliases (a few lines can unfold to gigabytes), deep nesting and a key that stands twice."""
    import yaml

    stack: list[tuple[set[str], list[bool]] | None] = []
    for event in events:
        if isinstance(event, yaml.AliasEvent):
            raise ValueError(f"{_line(event)}: aliases are not read")  # noqa: TRY004 - callers catch one kind of error
        if isinstance(event, yaml.CollectionEndEvent):
            stack.pop()
            continue
        if not isinstance(event, yaml.NodeEvent):
            continue
        top = stack[-1] if stack else None
        if top is not None:
            _check_key(event, *top)
        if isinstance(event, yaml.CollectionStartEvent):
            stack.append((set(), [True]) if isinstance(event, yaml.MappingStartEvent) else None)
            if len(stack) > MAX_DEPTH:
                raise ValueError(f"{_line(event)}: nested too deeply")


def _check_key(event: Any, keys: set[str], turn: list[bool]) -> None:
    """Nodes of a mapping alternate: key, value, key, value."""
    if turn[0] and hasattr(event, "value"):
        if event.value in keys:
            raise ValueError(f"{_line(event)}: a key stands twice")
        keys.add(event.value)
    turn[0] = not turn[0]


def _line(event: Any) -> str:
    return f"line {event.start_mark.line + 1}"
