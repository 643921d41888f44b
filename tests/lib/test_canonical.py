"""meshui/lib/canonical.py: the bytes of RFC 8785, by an independent implementation."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from meshui.lib.canonical import LIMIT, NotCanonicalError, canonical, sha256_hex, without_nulls

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
KEYS = st.text(st.characters(max_codepoint=127))
SCALARS = st.booleans() | st.integers(-LIMIT + 1, LIMIT - 1) | TEXT
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner), max_leaves=30)


@given(VALUES)
def test_canonical__any_value_of_the_subset__bytes_of_rfc_8785(value: Any) -> None:
    assert canonical(value) == rfc8785.dumps(value)


@given(st.dictionaries(KEYS, SCALARS))
def test_canonical__other_order_of_keys__same_bytes(value: dict[str, Any]) -> None:
    turned = dict(reversed(value.items()))

    assert canonical(turned) == canonical(value)


@pytest.mark.parametrize(
    ("value", "where"),
    [
        (1.5, r"^\$: float"),
        (None, r"^\$: NoneType"),
        ({"a": [1, None]}, r"^\$\.a\[1\]: NoneType"),
        (LIMIT, r"^\$: an integer beyond"),
        (-LIMIT, r"^\$: an integer beyond"),
        ("\ud800", r"^\$: a lone surrogate"),
        ({"ä": 1}, r"^\$: a key that is not ASCII"),
        ({1: 1}, r"^\$: a key that is not ASCII"),
        (b"", r"^\$: bytes"),
    ],
)
def test_canonical__outside_the_subset__refused_with_its_place(value: object, where: str) -> None:
    with pytest.raises(NotCanonicalError, match=where):
        canonical(value)


def test_sha256_hex__prefix__separates_domains() -> None:
    expected = hashlib.sha256(b'p{"a":"\xc3\xa4"}').hexdigest()

    assert sha256_hex({"a": "ä"}, prefix=b"p") == expected
    assert sha256_hex({"a": "ä"}) != expected


def test_without_nulls__nested__absent_instead_of_null() -> None:
    value = {"a": None, "b": [{"c": None, "d": 0}], "e": ({"f": None},)}

    assert without_nulls(value) == {"b": [{"d": 0}], "e": [{}]}
