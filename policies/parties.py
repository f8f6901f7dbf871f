"""What the two parties are called: a sharing has other words for them than a family account."""

from __future__ import annotations

from policies.languages import Words

_FAMILY: dict[str, Words] = {"holder": ("绑定人", "the holder"), "member": ("家庭成员", "the member")}
# Also for a code display: there the member binds, so 绑定人 would name the wrong one of the two (F74, F77, C6).
_SHARING: dict[str, Words] = {"holder": ("授权人", "the authoriser"), "member": ("使用人", "the user")}


def parties(product: str | None) -> dict[str, Words]:
    """Return what holder and member are called in a product; if it is not known, as in a family account."""
    return _SHARING if product in ("account_sharing", "code_display") else _FAMILY


def named(text: Words, product: str | None, **facts: object) -> Words:
    """Fill the gaps of a text: `{holder}`, `{member}`, `{members}` as the product calls them, others with `facts`."""
    zh, en = (called(product, at) | facts for at in (0, 1))
    return text[0].format(**zh), text[1].format(**en)


def called(product: str | None, at: int) -> dict[str, object]:
    """Return the names for the gaps of a text in one language: 0 is Chinese, 1 English."""
    names = {role: words[at] for role, words in parties(product).items()}
    return {
        **names,
        **{f"{role}s": name if at == 0 else f"{name.removeprefix('the ')}s" for role, name in names.items()},
    }
