"""The OpenAPI document as one page, complete in itself: calls by tag, the shapes that they name, the words."""

from __future__ import annotations

import json
import re
from html import escape
from typing import Any

from api.answered import words
from api.refusing import MEANINGS
from api.texts import FIELDS, TEXTS

Told = dict[str, Any]
_PROBLEM = "application/problem+json"
_CODE = re.compile(r"`([^`]+)`")
_STYLE = """
body{font:15px/1.5 "Noto Sans SC","PingFang SC","Microsoft YaHei","WenQuanYi Micro Hei",sans-serif;max-width:60rem;
margin:2rem auto;padding:0 1rem;color:#222;background:#fff}
details{border:1px solid #ddd;border-radius:4px;margin:.4rem 0;padding:0 .6rem}
summary{margin:0 -.6rem;padding:.4rem .6rem;cursor:pointer;overflow-wrap:anywhere}
summary b{display:inline-block;width:4.5rem}code,pre{font:13px ui-monospace,monospace;overflow-wrap:anywhere}
pre{background:#f6f6f6;padding:.6rem;overflow:auto;margin:.4rem 0}p{margin:.4rem 0}h4{margin:.8rem 0 .2rem}
ul{margin:.2rem 0 .6rem;padding:0;list-style:none}li{overflow-wrap:anywhere}li p{margin:0 0 .4rem 1.2rem;color:#444}
li>code:first-child{font-weight:bold}nav ul{columns:14rem}
"""
_BOUNDS = {("minLength", "maxLength"): " signs", ("minItems", "maxItems"): " of them", ("minimum", "maximum"): ""}


def page(made: Told) -> str:
    """The page: an introduction with contents, headers and problems, then the calls, the shapes, the words."""
    shapes = {name: shape for name, shape in made["components"]["schemas"].items() if name not in words()}
    calls = "".join(_tag(tag, made) for tag in made["tags"] if _of(tag, made))
    body = f"{_headers(made)}{_problems(made)}{calls}{_sent(made)}{_shapes(shapes)}{_words()}"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>kinbind · API</title><style>{_STYLE}</style></head><body><h1>kinbind · API</h1>"
        f'{_prose(made["info"]["description"])}<p><a href="openapi.json">openapi.json</a></p>'
        f"{_contents(made)}{body}</body></html>"
    )


def _contents(made: Told) -> str:
    tags = [(_anchor("tag", tag["name"]), tag["name"]) for tag in made["tags"] if _of(tag, made)]
    listed = [
        ("headers", "Headers"),
        ("problems", "Problems"),
        *tags,
        ("sent", "What is sent to endpoints"),
        ("shapes", "Shapes"),
        ("words", "Words"),
    ]
    rows = "".join(f'<li><a href="#{anchor}">{escape(title.capitalize())}</a></li>' for anchor, title in listed)
    return f"<nav><ul>{rows}</ul></nav><p>A field or a parameter that is not said to be optional is always there.</p>"


def _headers(made: Told) -> str:
    """What may be sent with a call; each call names those that it reads."""
    key = ("Authorization", "`Bearer <key>`. On every call under `/v1` but the callbacks.", "")
    told = {one["name"]: one for one in made["components"]["parameters"].values() if not one.get("required")}
    rows = [key, *((name, one["description"], one["example"]) for name, one in told.items())]
    items = "".join(
        f'<li id="{_anchor("header", name)}"><code>{name}</code> {_example(shown)}<p>{_inline(said)}</p></li>'
        for name, said, shown in rows
    )
    return f'<h2 id="headers">Headers</h2><ul>{items}</ul>'


def _example(shown: str) -> str:
    return f"as in <code>{escape(shown)}</code>" if shown else ""


def _problems(made: Told) -> str:
    """The one document of all refusals, what each status means, and the texts of the codes."""
    shape = made["components"]["schemas"]["Problem"]
    statuses = "".join(f"<li>{status}<p>{_inline(said)}</p></li>" for status, said in MEANINGS.items())
    codes, fields = (
        "".join(f"<li><code>{code}</code><p>{escape(en)}</p></li>" for code, (_, en) in listed)
        for listed in (sorted(TEXTS.items()), FIELDS.items())
    )
    return (
        '<h2 id="problems">Problems</h2><p>Whatever a call refuses, it answers with '
        f'<a href="#{_anchor("shape", "Problem")}">Problem</a>.</p><ul>{statuses}</ul>'
        f"{_block(shape['examples'][0])}"
        f"<details><summary>Every code, and every <code>reason</code></summary><ul>{codes}</ul></details>"
        f"<details><summary>What is wrong with a field</summary><ul>{fields}</ul></details>"
    )


# -- calls -------------------------------------------------------------------------------------------------------


def _of(tag: Told, made: Told) -> list[tuple[str, str, Told]]:
    """The calls of a tag; one that has several is shown under the last."""
    return [
        (path, method, operation)
        for path, operations in made["paths"].items()
        for method, operation in operations.items()
        if operation["tags"][-1] == tag["name"]
    ]


def _tag(tag: Told, made: Told) -> str:
    calls = "".join(_call(path, method, operation, made) for path, method, operation in _of(tag, made))
    head = f'<h2 id="{_anchor("tag", tag["name"])}">{escape(tag["name"].capitalize())}</h2>'
    return f"{head}{_prose(tag['description'])}{calls}"


def _call(path: str, method: str, operation: Told, made: Told) -> str:
    parts = [_prose(operation["description"]), _parameters(operation, made)]
    for media, content in operation.get("requestBody", {}).get("content", {}).items():
        parts.append(_body(media, content["schema"], made))
    answers = {status: _resolved(told, made) for status, told in operation["responses"].items()}
    parts += [_answer(status, told) for status, told in answers.items() if _PROBLEM not in told.get("content", {})]
    parts.append(_refusals({status: told for status, told in answers.items() if _PROBLEM in told.get("content", {})}))
    head = f"<b>{method.upper()}</b> <code>{escape(path)}</code> {_inline(operation.get('summary', ''))}"
    anchor = _anchor("call", f"{method} {path}")
    return f'<details id="{anchor}"><summary>{head}</summary>{"".join(parts)}</details>'


def _parameters(operation: Told, made: Told) -> str:
    """Those of the path and of the query with all that is known of them, then the headers by name."""
    told = [_resolved(one, made) for one in operation.get("parameters", [])]
    rows = [
        _field(one["name"], one, needed=one.get("required", False), place=one["in"])
        for one in told
        if one["in"] != "header"
    ]
    named = [
        f'<a href="#{_anchor("header", one["name"])}">{one["name"]}</a>{" (required)" if one.get("required") else ""}'
        for one in told
        if one["in"] == "header"
    ]
    parts = f"<h4>Parameters</h4><ul>{''.join(rows)}</ul>" if rows else ""
    return parts + (f"<h4>Headers</h4><p>{', '.join(named)}</p>" if named else "")


def _body(media: str, schema: Told, made: Told) -> str:
    shape = _resolved(schema, made)
    name = f" {_kind(schema)}" if "$ref" in schema else ""
    shown = "".join(_block(one) for one in shape.get("examples", [])[:1])
    return f"<h4>Body, {escape(media)}{name}</h4>{_fields(shape)}{shown}"


def _answer(status: str, told: Told) -> str:
    parts = [f"<h4>{status} {escape(told['description'])}</h4>"]
    if names := ", ".join(f"<code>{name}</code>" for name in told.get("headers", {})):
        parts.append(f"<p>Headers: {names}</p>")
    for media, content in told.get("content", {}).items():
        shown = _block(content["example"]) if "example" in content else ""
        parts.append(f"<p>{escape(media)} {_kind(content.get('schema', {}))}</p>{shown}")
    return "".join(parts)


def _refusals(told: Told) -> str:
    """The codes of each status; what a status means is said once, with the problems."""
    rows = "".join(f"<li>{status} {_codes(one)}</li>" for status, one in told.items())
    return f'<h4>Refusals</h4><p><a href="#problems">Problems</a></p><ul>{rows}</ul>' if rows else ""


def _codes(told: Told) -> str:
    listed = told["content"][_PROBLEM]["schema"]["properties"]["code"]["enum"]
    return " ".join(f"<code>{code}</code>" for code in listed)


def _resolved(one: Told, made: Told) -> Told:
    """What a `$ref` leads to; anything else as it is."""
    found = one
    if "$ref" in one:
        found = made
        for part in one["$ref"].removeprefix("#/").split("/"):
            found = found[part]
    return found


def _sent(made: Told) -> str:
    """What endpoints are sent: the bodies, and the headers, which are the same of all."""
    letters = [one["post"] for one in made["webhooks"].values()]
    rows = "".join(
        f"<li>{_kind(one['requestBody']['content']['application/json']['schema'])}"
        f"<p>{_inline(one['description'])}</p></li>"
        for one in letters
    )
    named = "".join(_field(one["name"], one, needed=True, place=one["in"]) for one in letters[0]["parameters"])
    return f'<h2 id="sent">What is sent to endpoints</h2><ul>{rows}</ul><h4>Headers</h4><ul>{named}</ul>'


# -- shapes ------------------------------------------------------------------------------------------------------


def _shapes(shapes: Told) -> str:
    parts = [
        f'<h3 id="{_anchor("shape", name)}">{name}</h3>{_prose(shape.get("description", ""))}{_fields(shape)}'
        for name, shape in sorted(shapes.items())
    ]
    return f'<h2 id="shapes">Shapes</h2>{"".join(parts)}'


def _fields(shape: Told) -> str:
    needed = shape.get("required", [])
    rows = "".join(_field(name, one, needed=name in needed) for name, one in shape.get("properties", {}).items())
    return f"<ul>{rows}</ul>" if rows else "<p>No fields.</p>"


def _field(name: str, one: Told, *, needed: bool, place: str = "") -> str:
    """A field or a parameter: its name, what it may be, whether it may be left out; then what it says."""
    marks = "".join(f" · {mark}" for mark in (place, "" if needed else "optional") if mark)
    said = f"<p>{_inline(one['description'])}</p>" if one.get("description") else ""
    schema = one.get("schema", one)
    if place and "anyOf" in schema:  # an address cannot say null
        schema = {"anyOf": [kind for kind in schema["anyOf"] if kind.get("type") != "null"]}
    return f"<li><code>{escape(name)}</code> {_kind(schema)}{marks}{said}</li>"


def _kind(schema: Told) -> str:
    """What a value may be, in words and links."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        return f'<a href="#{_anchor("shape", name)}">{name}</a>{_limits(schema)}'
    if "anyOf" in schema:
        kinds = " or ".join(_kind(one) for one in schema["anyOf"])
    elif "enum" in schema or "const" in schema:
        listed = [f"<code>{escape(str(one))}</code>" for one in schema.get("enum", [schema.get("const")])]
        kinds = f"one of {' '.join(listed)}" if len(listed) > 1 else listed[0]
    elif schema.get("type") == "array":
        kinds = f"list of {_kind(schema.get('items', {}))}"
    elif isinstance(schema.get("additionalProperties"), dict):
        kinds = f"object of {_kind(schema['additionalProperties'])}"
    else:
        kinds = escape(schema.get("type", "anything" if not schema.get("properties") else "object"))
    return kinds + _limits(schema)


def _limits(schema: Told) -> str:
    told = [schema[name] for name in ("format", "contentMediaType") if name in schema]
    told += [f"as {schema['pattern']}"] if "pattern" in schema else []
    for (least, most), unit in _BOUNDS.items():
        bounds = [f"{word} {schema[name]}" for word, name in (("from", least), ("to", most)) if name in schema]
        told += [" ".join(bounds) + unit] if bounds else []
    if schema.get("default") is not None:
        told.append(f"{json.dumps(schema['default'], ensure_ascii=False)} where not given")
    return f" ({escape(', '.join(told))})" if told else ""


def _words() -> str:
    """The table of words: of each list its name, then what it holds."""
    rows = "".join(
        f'<p id="{_anchor("shape", name)}"><b>{name}</b> {_inline(listed.get("description", ""))}<br>'
        f"{' '.join(f'<code>{escape(word)}</code>' for word in listed.get('enum') or listed['examples'])}</p>"
        for name, listed in words().items()
    )
    return f'<h2 id="words">Words</h2>{rows}'


# -- text --------------------------------------------------------------------------------------------------------


def _anchor(kind: str, name: str) -> str:
    return f"{kind}-{re.sub('[^A-Za-z0-9]+', '-', name).strip('-')}"


def _inline(text: str) -> str:
    return _CODE.sub(r"<code>\1</code>", escape(text))


def _prose(text: str) -> str:
    return "".join(f"<p>{_inline(part)}</p>" for part in text.split("\n\n") if part)


def _block(value: Any) -> str:
    return f'<pre tabindex="0">{escape(json.dumps(value, ensure_ascii=False, indent=2))}</pre>'
