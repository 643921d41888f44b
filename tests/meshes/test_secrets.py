"""Routes without secrets, and back to the live ones."""

from __future__ import annotations

from dataclasses import replace

from meshes.adapters.edits import MASK
from meshes.adapters.istio import IstioAdapter
from meshes.secrets import masked_route, with_live_matches
from meshes.types import Around, HeaderMatch, Match, Route, Rule
from meshui.lib.masking import PREFIX
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

    assert ADAPTER.render(desired, live, Around()).losses
    rendered = ADAPTER.render(with_live_matches(desired, live.route), live, Around())

    assert not rendered.losses
    assert [o.value for o in rendered.objects[0].operations] == [90, 10, 50, 50]


def test_with_live_matches__cookie_moved_meanwhile__stays_different() -> None:
    desired = masked_route(by_cookie("session=canary"))
    live = by_cookie("session=other")

    assert with_live_matches(desired, live).rules[0].matches == desired.rules[0].matches


def test_with_live_matches__a_rule_more__the_known_one_by_name_and_the_new_one_as_it_is() -> None:
    live = by_cookie("session=canary")
    fresh = Rule("dark", (Match(headers=(HeaderMatch("x-user", "exact", "qa"),)),), live.rules[0].backends)
    desired = masked_route(replace(live, rules=(fresh, *live.rules)))

    found = with_live_matches(desired, live)

    assert found.rules == (fresh, *live.rules)


def test_render__a_masked_value_in_a_new_rule__refused_and_never_written() -> None:
    body = virtual_service()
    live = ADAPTER.live(body)
    fresh = replace(by_cookie("session=canary").rules[0], name="dark")
    desired = masked_route(replace(live.route, rules=(fresh, *live.route.rules)))

    rendered = ADAPTER.render(with_live_matches(desired, live.route), live, Around())

    assert rendered.objects == ()
    assert [loss.path for loss in rendered.losses] == ["rules[dark].matches"]
    assert MASK == PREFIX


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
