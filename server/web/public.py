"""Pages that anybody may open: a job post on the visitor's own phone, from the QR on the screen."""

import re
from datetime import date
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from server.store import content
from server.web import site as sites
from server.web import words
from server.web.rendering import render, sentence

router = APIRouter(include_in_schema=False)

POSTS = "jobs.posts"


@router.get("/p/jobs/{job_id}")
def post(request: Request, job_id: str) -> HTMLResponse:
    """One job post; a friendly page when it is gone. No cookie is needed, none but the language is set."""
    site = sites.of(request)
    with site.store.read() as conn:
        row = content.row(conn, POSTS, job_id)
    tr = words.of(request)
    if row is None or not open_on(row, site.today()):
        return sentence(
            request, 404 if row is None else 410, tr("post.gone"), title=tr("post.gone_title"), link=""
        )
    return render(request, "post.html", post=view(row, tr))


def open_on(row: dict[str, Any], day: date) -> bool:
    """Whether a post still stands on this day; one without a readable end stands."""
    try:
        return date.fromisoformat(str(row.get("expires", ""))) >= day
    except ValueError:
        return True


def view(row: dict[str, Any], tr: words.Words) -> dict[str, Any]:
    """A post as its page shows it."""

    def named(group: str, field: str) -> str:
        value = str(row.get(field) or "")
        return tr.texts.get(f"{group}.{value}", value)

    facts = [
        ("area", str(row.get("area") or "")),
        ("trade", named("job", "trade")),
        ("shift", named("shift", "shift")),
        ("kind", named("kind", "kind")),
        ("posted", str(row.get("posted") or "")),
        ("expires", str(row.get("expires") or "")),
    ]
    phone = str(row.get("phone") or "")
    return {
        "title": str(row.get("title") or ""),
        "company": str(row.get("company") or ""),
        "pay": pay(row.get("pay_min"), row.get("pay_max"), tr),
        "facts": [(key, text) for key, text in facts if text],
        "detail": str(row.get("detail") or ""),
        "phone": phone,
        "dial": re.sub(r"[^\d+]", "", phone),
    }


def pay(low: object, high: object, tr: words.Words) -> str:
    """Yuan a month in words; empty when the post does not say."""
    if not isinstance(low, int) or not low:
        low, high = high, None
    if not isinstance(low, int) or not low:
        return ""
    if not isinstance(high, int) or high <= low:
        return tr("post.pay_one", low=low)
    return tr("post.pay", low=low, high=high)
