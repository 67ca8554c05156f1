"""Write docs/settings.md: every setting and every command, from the code that defines them.

python docs/make_settings.py            # writes it
python docs/make_settings.py --check    # says whether it is current, and exits with 1 if it is not
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import annotated_types
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings
from typer.main import get_command

from tweet_profiles.commands.main import app
from tweet_profiles.settings import ENV_PREFIX, Settings
from tweet_profiles.sources.x.config import ENV_PREFIX as X_PREFIX
from tweet_profiles.sources.x.config import XSettings

TARGET = Path(__file__).with_name("settings.md")
COMPUTED = {"home": "`.tweet_profiles` in the project, else in your home directory"}
"""Defaults that depend on the machine this runs on."""
HEAD = """# Settings and commands

Written by `make docs` from the code; a test holds it current. Do not edit it by hand.

Settings come from the environment, from `.env` in the home folder, and from `.env` beside `pyproject.toml`; the first
that tells one wins. `TWEET_PROFILES_ENV_FILE` names another file for the last, or none if it is empty. A setting that
cannot be used is named with what is wrong, without its value.
"""


def variable(name: str, field: FieldInfo, prefix: str) -> str:
    """The environment variable of a field; the names it is also taken from follow in brackets."""
    alias = field.validation_alias
    if alias is None:
        return f"`{prefix}{name.upper()}`"
    names = [alias] if isinstance(alias, str) else [str(choice) for choice in getattr(alias, "choices", [])]
    return " or ".join(f"`{each}`" for each in names)


def default(name: str, field: FieldInfo) -> str:
    """The default as one would write it in `.env`."""
    if name in COMPUTED:
        return COMPUTED[name]
    value = field.default
    if value is PydanticUndefined or value is None or value == ():
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def bounds(field: FieldInfo) -> str:
    """What may be given, as far as it is said in the field's type."""
    signs = {annotated_types.Ge: "at least", annotated_types.Gt: "above", annotated_types.Le: "at most"}
    found = [
        *field.metadata,
        *(item for part in get_args(field.annotation) for item in getattr(part, "__metadata__", [])),
    ]
    while found and isinstance(found[-1], FieldInfo):
        found = [*found[:-1], *found[-1].metadata]
    said = [f"{sign} {limit(bound)}" for kind, sign in signs.items() for bound in found if isinstance(bound, kind)]
    choices = [str(choice) for choice in get_args(field.annotation) if isinstance(choice, str)]
    return "; ".join(part for part in (", ".join(said), " or ".join(choices)) if part)


def limit(bound: Any) -> str:
    """The number of a bound, without a needless fraction."""
    value = next(getattr(bound, name) for name in ("ge", "gt", "le") if hasattr(bound, name))
    return f"{value:,g}" if value < 1_000_000 else f"{value:,}"


def settings_table(settings: type[BaseSettings], prefix: str) -> Iterator[str]:
    """The lines of the table of one class of settings. Raises ValueError for a setting that nothing describes."""
    yield "| setting | default | may be | what |"
    yield "|---|---|---|---|"
    for name, field in settings.model_fields.items():
        if not field.description:
            raise ValueError(f"{settings.__name__}.{name} has no description")
        what = field.description.replace("|", "\\|")
        yield f"| {variable(name, field, prefix)} | {default(name, field)} | {bounds(field)} | {what} |"


def commands(command: Any, path: str) -> Iterator[str]:
    """The lines about a command, or about all that are below a group. Raises ValueError for one without help."""
    if hasattr(command, "commands"):
        options = [entry for entry in command.params if entry.name != "help"]
        if options:
            yield from (f"### `{path} [OPTIONS] COMMAND`", "", *map(parameter, options), "")
        for name in sorted(command.commands):
            yield from commands(command.commands[name], f"{path} {name}")
        return
    if not command.help:
        raise ValueError(f"{path} has no help")
    yield f"### `{path}`"
    yield ""
    yield from (line.strip() for line in command.help.strip().splitlines())
    yield ""
    parameters = [entry for entry in command.params if entry.name != "help" and not getattr(entry, "hidden", False)]
    yield from (parameter(entry) for entry in parameters)
    if parameters:
        yield ""


def parameter(entry: Any) -> str:
    """The line of one argument or option."""
    is_option = entry.param_type_name == "option"
    shown = "`, `".join([*entry.opts, *entry.secondary_opts]) if is_option else entry.name.upper()
    value = entry.default
    is_told = value is not None and value != [] and not callable(value)
    given = f" (default: `{str(value).lower() if isinstance(value, bool) else value}`)" if is_told else ""
    return f"- `{shown}`: {entry.help or 'see above'}{given}"


def page() -> str:
    """The whole of docs/settings.md."""
    lines = [
        HEAD,
        "## The pipeline, the API and the page",
        "",
        *settings_table(Settings, ENV_PREFIX),
        "",
        "## X",
        "",
        *settings_table(XSettings, X_PREFIX),
        "",
        "## Commands",
        "",
        *commands(get_command(app), "tweet-profiles"),
    ]
    return "\n".join(lines).rstrip() + "\n"


def main() -> None:
    """Write the page, or compare it."""
    text = page()
    if "--check" in sys.argv[1:]:
        if not TARGET.is_file() or TARGET.read_text() != text:
            sys.exit("docs/settings.md is not current: run `make docs`")
        return
    TARGET.write_text(text)


if __name__ == "__main__":
    main()
