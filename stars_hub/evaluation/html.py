"""Web pages that stand alone: markup that cannot forget to escape, pages that load nothing."""

import base64
import hashlib
import html
import json
from importlib.resources import files
from typing import Any

_VOID = {"meta", "br", "input"}
_SHAPES = {"path", "rect", "circle"}  # of SVG; written with a slash where empty


class Html(str):
    """Markup that is finished; `element` escapes every string that is not of this kind."""


def element(name: str, /, *children: "str | None", **attributes: Any) -> Html:
    """One element, its text and attributes escaped.

    Args:
        name: of the element.
        children: finished markup (`Html`) or plain text; None: nothing.
        attributes: `class_` stands for class, `data_x` for data-x; None leaves one out, True writes it bare.

    Examples:
        >>> element("p", "1 < 2", element("br"), class_="note")
        '<p class="note">1 &lt; 2<br></p>'
    """
    written = "".join(_attribute(key, value) for key, value in attributes.items() if value is not None)
    if not children and name in _VOID | _SHAPES:
        return Html(f"<{name}{written}{'/' if name in _SHAPES else ''}>")
    return Html(f"<{name}{written}>{join(*children)}</{name}>")


def join(*children: "str | None") -> Html:
    """Markup and text side by side, the text escaped."""
    return Html(
        "".join(
            child if isinstance(child, Html) else html.escape(str(child))
            for child in children
            if child is not None
        )
    )


def table(header: list[str], rows: list[list["str | None"]], *, caption: str | None = None) -> Html:
    """A table whose first column names the rows."""
    heads = element("tr", *(element("th", head, scope="col") for head in header))
    body = [
        element("tr", element("th", first, scope="row"), *(element("td", cell) for cell in rest))
        for first, *rest in rows
    ]
    return element(
        "table",
        element("caption", caption) if caption else None,
        element("thead", heads),
        element("tbody", *body),
    )


def island(name: str, content: Any) -> Html:
    """Data for the page's script, which nothing in it can break out of: every < is written as its code."""
    text = json.dumps(content, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    return Html(f'<script type="application/json" id="{name}">{text}</script>')


def page(title: str, body: Html, *, motions: Any = None) -> str:
    """A whole page: style and player within, nothing from outside, as its security policy lets browsers see.

    Args:
        title: of the page.
        body: what it shows.
        motions: what the player finds in the island "motions" (`motions.Stage.content`); None: no player.
    """
    style, script = _part("style.css"), _part("player.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", title),
        Html(f"<style>{style}</style>"),
    )
    scripts = motions and join(island("motions", motions), Html(f"<script>{script}</script>"))
    return f"<!DOCTYPE html>\n{element('html', head, element('body', body, scripts), lang='en')}\n"


def _attribute(key: str, value: Any) -> str:
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{html.escape(str(value))}"'


def _part(name: str) -> str:
    return files("stars_hub.evaluation").joinpath("page").joinpath(name).read_text(encoding="utf-8")
