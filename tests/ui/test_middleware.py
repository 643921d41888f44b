"""The guards: request id, other sites, caching, and refusals that become pages."""

from __future__ import annotations

from django.test import Client, RequestFactory

from meshui.ui import refusals
from tests.ui.conftest import PARTIAL


def test_guard__every_answer__has_id_and_is_not_kept(admin_client: Client) -> None:
    first, second = admin_client.get("/people/"), admin_client.get("/people/")

    assert first["X-Request-ID"] != second["X-Request-ID"]
    assert first["Cache-Control"] == "no-store"
    assert first["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "camera=()" in first["Permissions-Policy"]


def test_guard__unsafe_request_of_another_site__is_403_before_anything(admin_client: Client) -> None:
    response = admin_client.post("/rename/", {"name": "fine"}, headers={"Sec-Fetch-Site": "cross-site"})

    assert response.status_code == 403
    assert "other sites" in response.content.decode()
    assert admin_client.get("/people/", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200


def test_refusal__raised_in_a_page__is_its_page_or_fragment(admin_client: Client) -> None:
    page = admin_client.get("/refusing/")
    part = admin_client.get("/refusing/", headers=PARTIAL)

    assert (page.status_code, part.status_code) == (503, 503)
    assert page["Retry-After"] == "5"
    for html in (page.content.decode(), part.content.decode()):
        assert "The cluster did not answer." in html
    assert page["X-Request-ID"] in page.content.decode()
    assert "<html" not in part.content.decode()


def test_not_found__page__carries_the_request_id(admin_client: Client) -> None:
    response = admin_client.get("/missing/")

    assert response.status_code == 404
    assert response["X-Request-ID"] in response.content.decode()


def test_csrf_failure__form_too_old__says_how_to_go_on(site: None, db: None) -> None:
    strict = Client(enforce_csrf_checks=True)
    request = RequestFactory().post("/rename/")

    answer = refusals.csrf_failure(request)

    assert strict.post("/rename/", {"name": "x"}).status_code == 403
    assert "Reload the page" in answer.content.decode()


def test_server_error__without_session_or_database__is_drawn(site: None) -> None:
    response = refusals.server_error(RequestFactory().get("/x/"))

    assert response.status_code == 500
    assert "MeshUI failed" in response.content.decode()


def test_theme__cookie__is_written_by_the_server(admin_client: Client) -> None:
    for cookie, theme in (("dark", "dark"), ("light", "light"), ("", "system"), ('"><script>', "system")):
        admin_client.cookies["theme"] = cookie

        assert f'data-theme="{theme}"' in admin_client.get("/people/").content.decode()


def test_all_statuses__page_and_fragment__are_drawn(site: None, db: None) -> None:
    for status in refusals.WORDS:
        page = refusals.render_status(RequestFactory().get("/x/"), status)
        part = refusals.render_status(RequestFactory().get("/x/", headers=PARTIAL), status)

        assert (page.status_code, part.status_code) == (status, status)
        assert str(refusals.WORDS[status].title) in part.content.decode()
