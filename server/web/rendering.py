"""Templates to answers: escaped, in the language of the request, with the page's navigation."""

import hashlib
from pathlib import Path
from typing import Final

from fastapi import Request
from fastapi.responses import HTMLResponse, JSONResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from server.web import site as sites
from server.web import words
from server.web.icons import icon
from server.web.moments import moment

#: Pages that exist: key of the name, path, icon.
NAVIGATION: Final = (
    ("overview", "/", "view-dashboard"),
    ("stations", "/stations", "map-marker-radius"),
    ("bookings", "/bookings", "calendar-check"),
)

_environment: Final = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.globals.update(icon=icon, nav=NAVIGATION)
_environment.filters["count"] = "{:,}".format


def render(request: Request, template: str, status: int = 200, **values: object) -> HTMLResponse:
    """A page from its template. A changed language is remembered in a cookie."""
    tr, site = words.of(request), sites.of(request)
    frozen = site.live.stale_since
    other = words.LANGUAGES[1 - words.LANGUAGES.index(tr.language)]
    text = _environment.get_template(template).render(
        tr=tr,
        server_name=site.live.server_name,
        frozen=moment(site, frozen, site.now()) if frozen is not None else "",
        switch_path=words.switch(request.url, other),
        **values,
    )
    answer = HTMLResponse(text, status)
    if request.query_params.get("lang") == tr.language:
        answer.set_cookie(
            words.COOKIE,
            tr.language,
            max_age=365 * 24 * 3600,
            samesite="lax",
            httponly=True,
            secure=request.url.scheme == "https",
        )
    return answer


def fresh(request: Request, page: HTMLResponse) -> HTMLResponse:
    """The page with a tag of its bytes, or only the word that the browser has it already."""
    tag = f'"{hashlib.sha256(page.body).hexdigest()[:32]}"'
    page.headers["ETag"] = tag
    if request.headers.get("if-none-match") == tag:
        return HTMLResponse(status_code=304, headers={"ETag": tag})
    return page


def sentence(
    request: Request,
    status: int,
    text: str,
    *,
    title: str = "",
    link: str = "/",
    headers: dict[str, str] | None = None,
) -> HTMLResponse:
    """A page that says one sentence and where to go from there."""
    tr = words.of(request)
    page = render(
        request, "sentence.html", status, title=title or tr("error.title"), sentence=text, link=link
    )
    page.headers.update(headers or {})
    return page


def problem(
    status: int, key: str, values: dict[str, object], headers: dict[str, str] | None = None
) -> JSONResponse:
    """An error of an API: its key and its sentence in both languages.

    A value that is itself a dict has one text for each language.
    """
    sentences = {}
    for language in words.LANGUAGES:
        own = {name: each[language] if isinstance(each, dict) else each for name, each in values.items()}
        sentences[language] = words.words(language)(key, **own)
    return JSONResponse({"error": key, "sentence": sentences}, status, headers)
