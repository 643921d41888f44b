"""The base views: page and partial, scope, sorting, keyset pages, forms and refusals."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from accounts.models import User
from meshui.ui.checks import check_needs
from tests.people import make_person
from tests.ui.conftest import PARTIAL

if TYPE_CHECKING:
    from django.test import Client


def names(html: str) -> list[str]:
    return re.findall(r"<td>([^<]+)</td>", html)


def test_list__page__has_frame_rows_and_navigation(admin_client: Client) -> None:
    response = admin_client.get("/people/")

    html = response.content.decode()
    assert response.status_code == 200
    assert names(html) == ["admin"]
    assert '<main class="main" id="main" tabindex="-1" hx-history-elt>' in html
    assert re.findall(r'data-key="(.?)"', html) == ["f", "i", "k", "m", "s", "t", "c", "", "a", ""]
    assert set(response["Vary"].split(", ")) >= {"HX-Request", "HX-Request-Type"}


def test_list__partial__is_the_table_alone_and_pushes_its_url(admin_client: Client) -> None:
    response = admin_client.get("/people/?q=adm&sort=", headers=PARTIAL)

    html = response.content.decode()
    assert html.strip().startswith('<div id="table">')
    assert "<html" not in html
    assert response["HX-Push-Url"] == "/people/?q=adm"
    assert "HX-Request-Type" in response["Vary"]


def test_list__history_restore__is_the_whole_page(admin_client: Client) -> None:
    response = admin_client.get("/people/", headers={"HX-History-Restore-Request": "true", "HX-Request-Type": "full"})

    assert "<html" in response.content.decode()


def test_list__without_the_right__is_403_and_names_it(stranger_client: Client) -> None:
    response = stranger_client.get("/people/")

    assert response.status_code == 403
    assert "access.manage" in response.content.decode()


def test_list__signed_out__asks_for_sign_in(site: None, db: None, client: Client) -> None:
    page = client.get("/people/?q=a")
    part = client.get("/people/?q=a", headers=PARTIAL)

    assert page.status_code == 302
    assert page["Location"] == "/sign-in/?next=/people/%3Fq%3Da"
    assert part.status_code == 401
    assert part["HX-Redirect"] == "/sign-in/?next=%2Fpeople%2F%3Fq%3Da"


def test_list__sorted_and_paged__walks_every_row_once(admin_client: Client) -> None:
    User.objects.bulk_create(User(username=f"p{number:03}") for number in range(60))
    seen: list[str] = []
    url = "/people/?sort=-name&rows=25"

    while url:
        html = admin_client.get(url).content.decode()
        seen += names(html)
        found = re.search(r'<a class="lnk"[^>]*href="(\?[^"]*after=[^"]*)"', html, re.DOTALL)
        url = "/people/" + found.group(1).replace("&amp;", "&") if found else ""

    assert seen == sorted(seen, reverse=True)
    assert len(seen) == len(set(seen)) == 61


@pytest.mark.parametrize(
    "query", ["after=%00", "after=bm90IGpzb24", "sort=evil", "rows=9999", "after=WyJhIiwgeyJ4IjogMX1d"]
)
def test_list__broken_query__is_the_first_page(admin_client: Client, query: str) -> None:
    response = admin_client.get(f"/people/?{query}")

    assert response.status_code == 200
    assert names(response.content.decode()) == ["admin"]


def test_detail__missing_and_out_of_scope__answer_alike(site: None, db: None, client: Client) -> None:
    person = make_person("viewer", roles=())
    make_person("other", roles=())
    client.force_login(make_person("reader", roles=["viewer"], scope={"namespace": ["shop"]}))

    hidden, missing = client.get(f"/people/{person.username}/"), client.get("/people/nobody/")

    ids = re.compile(rb"[0-9a-f]{16}|value=\"[^\"]*\"|\"X-CSRFToken\": \"\w+\"")
    assert hidden.status_code == missing.status_code == 404
    assert ids.sub(b"", hidden.content) == ids.sub(b"", missing.content)


def test_action__invalid_form__is_422_with_the_input_kept(admin_client: Client) -> None:
    page = admin_client.post("/rename/", {"name": "not a slug"})
    part = admin_client.post("/rename/", {"name": "not a slug"}, headers=PARTIAL)

    assert (page.status_code, part.status_code) == (422, 422)
    assert "<html" in page.content.decode()
    assert part.content.decode().strip().startswith("<form")
    for html in (page.content.decode(), part.content.decode()):
        assert 'value="not a slug"' in html
        assert 'aria-invalid="true"' in html
        assert 'aria-describedby="id_name_error"' in html
        assert 'href="#id_name"' in html


@pytest.mark.parametrize("status", [409, 412, 428, 503])
def test_action__refused__has_its_status_and_keeps_the_input(admin_client: Client, status: int) -> None:
    response = admin_client.post("/rename/", {"name": str(status)}, headers=PARTIAL)

    html = response.content.decode()
    assert response.status_code == status
    assert "It moved." in html
    assert "Look again." in html
    assert f'value="{status}"' in html


def test_action__done__is_303_or_redirect_for_htmx(admin_client: Client) -> None:
    page = admin_client.post("/rename/", {"name": "fine"})
    part = admin_client.post("/rename/", {"name": "fine"}, headers=PARTIAL)

    assert (page.status_code, page["Location"]) == (303, "/people/")
    assert (part.status_code, part["HX-Redirect"]) == (204, "/people/")
    assert "Renamed." in admin_client.get("/people/").content.decode()


def test_action__get__is_405(admin_client: Client) -> None:
    assert admin_client.get("/rename/").status_code == 405


def test_action__refused_without_form__is_the_page_of_its_status(admin_client: Client) -> None:
    response = admin_client.post("/over/")

    assert response.status_code == 409
    assert "It is over." in response.content.decode()


def test_check_needs__undeclared_view__is_ui101(site: None) -> None:
    found = check_needs(None)

    assert [(error.id, error.obj.__name__) for error in found] == [("UI101", "UndeclaredView")]
