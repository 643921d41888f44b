"""Routes without secrets, and back to the live ones."""

from __future__ import annotations

from dataclasses import replace

from meshes.adapters.istio import IstioAdapter
from meshes.secrets import masked_route, with_live_matches
from meshes.types import HeaderMatch, Match, Route
from tests.meshes.objects import destination, virtual_service

ADAPTER = IstioAdapter()


def by_cookie(cookie: str) -> Route:
    """A route with a rule for one cookie."""
    split = [destination("web", "v1", 90), destination("web", "v2", 10)]
    http = [{"match": [{"headers": {"cookie": {"regex": cookie}, "x-user": {"exact": "qa"}}}], "route": split}]
    return ADAPTER.live(virtual_service(http=http)).route


def test_masked_route__cookie__hidden_and_the_rest_stays() -> None:
    route = by_cookie("session=canary")

    masked = masked_route(route)

    (match,) = masked.rules[0].matches
    assert match.headers[0].value.startswith("masked·hmac:")
    assert match.headers[1] == HeaderMatch("x-user", "exact", "qa")
    assert masked.rules[0].backends == route.rules[0].backends
    assert masked_route(masked) == masked


def test_with_live_matches__made_from_the_masked_row__can_be_rendered() -> None:
    body = virtual_service(
        http=[
            {
                "match": [{"headers": {"cookie": {"regex": "session=canary"}}}],
                "route": [destination("web", "v1", 90), destination("web", "v2", 10)],
            }
        ]
    )
    live = ADAPTER.live(body)
    masked = masked_route(live.route)
    rule = masked.rules[0]
    moved = replace(rule, backends=tuple(replace(b, weight_bp=5000) for b in rule.backends))
    desired = replace(masked, rules=(moved,))

    assert ADAPTER.render(desired, live).losses
    rendered = ADAPTER.render(with_live_matches(desired, live.route), live)

    assert not rendered.losses
    assert [o.value for o in rendered.objects[0].operations] == [90, 10, 50, 50]


def test_with_live_matches__cookie_moved_meanwhile__stays_different() -> None:
    desired = masked_route(by_cookie("session=canary"))
    live = by_cookie("session=other")

    assert with_live_matches(desired, live).rules[0].matches == desired.rules[0].matches


def test_with_live_matches__other_number_of_rules__left_alone() -> None:
    desired = by_cookie("a")
    live = replace(desired, rules=(*desired.rules, *desired.rules))

    assert with_live_matches(desired, live) == desired


def test_match_words__every_part__in_one_line() -> None:
    match = (
        ADAPTER.live(
            virtual_service(
                http=[
                    {
                        "match": [
                            {
                                "uri": {"prefix": "/api"},
                                "method": {"exact": "POST"},
                                "headers": {"x-user": {"exact": "qa"}},
                                "withoutHeaders": {"x-bot": {}},
                                "queryParams": {"beta": {"exact": "1"}},
                                "port": 8080,
                            }
                        ],
                        "route": [destination("web")],
                    }
                ]
            )
        )
        .route.rules[0]
        .matches[0]
    )

    assert match.words == (
        "path prefix /api and method POST and header x-bot not present and header x-user exact qa"
        " and query beta exact 1 and port 8080"
    )
    assert Match().words == ""
