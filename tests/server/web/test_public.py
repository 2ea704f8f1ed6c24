"""A job post on a visitor's own phone."""

import pytest
from fastapi.testclient import TestClient

from server.web.public import pay
from server.web.words import words
from tests.server.web.town import Town


def test_a_post_opens_without_login_and_can_be_called(stranger: TestClient, town: Town) -> None:
    town.post("J1")
    answer = stranger.get("/p/jobs/J1")
    assert answer.status_code == 200
    for text in ("电动车配送员", "6000–8500 元 / 月", "外卖配送", "时间灵活", 'href="tel:05725550100"'):
        assert text in answer.text
    assert "set-cookie" not in answer.headers
    assert "Flexible" in stranger.get("/p/jobs/J1?lang=en").text


@pytest.mark.parametrize(
    ("job_id", "status"), [("expired", 410), ("unknown", 404), ("%00", 404), ("%22%3E", 404)]
)
def test_a_post_that_is_gone_gets_a_friendly_page(
    stranger: TestClient, town: Town, job_id: str, status: int
) -> None:
    town.post("expired", expires="2026-11-20")
    answer = stranger.get(f"/p/jobs/{job_id}")
    assert answer.status_code == status
    assert "这个岗位已经下架" in answer.text


def test_a_post_stands_on_its_last_day(stranger: TestClient, town: Town) -> None:
    town.post("J1", expires="2026-11-21")
    assert stranger.get("/p/jobs/J1").status_code == 200


def test_what_an_employer_wrote_is_escaped(stranger: TestClient, town: Town) -> None:
    evil = '"><script>alert(1)</script>'
    town.post("J1", title=evil, company=evil, area=evil, detail=evil, trade=evil, phone=f"1{evil}")
    page = stranger.get("/p/jobs/J1").text
    assert "<script" not in page
    assert 'href="tel:11"' in page


def test_a_post_without_phone_has_no_button(stranger: TestClient, town: Town) -> None:
    town.post("J1", phone="")
    assert "tel:" not in stranger.get("/p/jobs/J1").text


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (6000, 8500, "6000–8500 元 / 月"),
        (6000, None, "6000 元 / 月"),
        (6000, 6000, "6000 元 / 月"),
        (None, 7000, "7000 元 / 月"),
        (None, None, ""),
        (0, 0, ""),
    ],
)
def test_pay_is_said_as_far_as_it_is_known(low: object, high: object, text: str) -> None:
    assert pay(low, high, words("zh")) == text
