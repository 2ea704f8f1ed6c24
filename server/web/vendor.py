"""Browser libraries: served from node_modules when npm has put them there, and not missed when not."""

from pathlib import Path
from typing import Final

from fastapi import APIRouter
from fastapi.responses import FileResponse

from server.web.errors import Refusal

router = APIRouter(include_in_schema=False)

#: The build with bars and tooltips; a third smaller than the whole library.
ECHARTS: Final = Path(__file__).parents[2] / "node_modules" / "echarts" / "dist" / "echarts.common.min.js"


def has_charts() -> bool:
    """Whether the chart library is installed."""
    return ECHARTS.is_file()


@router.get("/static/vendor/echarts.js")
def echarts() -> FileResponse:
    """Apache ECharts."""
    if not has_charts():
        raise Refusal(404, "error.not_found")
    return FileResponse(ECHARTS, media_type="text/javascript", headers={"Cache-Control": "max-age=86400"})
