"""The interactive documentation and the document behind it."""

from importlib.resources import files

from fastapi import Request
from starlette.responses import JSONResponse, Response

from common.errors import NotFound
from common.web import error_answers
from gateway.identity.access import guarded_router, public

router = guarded_router(include_in_schema=False)

_VIEWER = files("fastapi_offline") / "static"
_PAGES = files("gateway.docs") / "pages"
_ASSETS = {
    "swagger-ui-bundle.js": (_VIEWER, "text/javascript"),
    "swagger-ui.css": (_VIEWER, "text/css"),
    "docs.js": (_PAGES, "text/javascript"),
    "docs.css": (_PAGES, "text/css"),
}
_DAY = {"Cache-Control": "public, max-age=86400"}


@router.get("/openapi.json")
@public
async def show_openapi(request: Request) -> Response:
    """The OpenAPI document."""
    return JSONResponse(request.app.openapi())


@router.get("/docs")
@public
async def show_documentation() -> Response:
    """The page of the viewer."""
    return Response((_PAGES / "docs.html").read_bytes(), media_type="text/html")


@router.get("/docs/{asset}", responses=error_answers(404))
@public
async def show_asset(asset: str) -> Response:
    """A file that the page needs."""
    if asset not in _ASSETS:
        raise NotFound
    folder, media_type = _ASSETS[asset]
    return Response((folder / asset).read_bytes(), media_type=media_type, headers=_DAY)
