"""Page that shows the OpenAPI document: Swagger UI, whose files come with BentoML."""

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter
from fastapi import Path as PathParameter
from fastapi.responses import FileResponse, HTMLResponse
from starlette.exceptions import HTTPException

from service.web.access_log import SECURITY_HEADERS

_BENTOML = find_spec("bentoml")  # is not imported: that takes seconds
_SWAGGER_UI = Path(str(_BENTOML and _BENTOML.origin)).parent / "_internal" / "server" / "static_content"
_FILES = {
    "swagger-ui.css": _SWAGGER_UI / "swagger-ui.css",
    "swagger-ui-bundle.js": _SWAGGER_UI / "swagger-ui-bundle.js",
    "start.js": Path(__file__).parent / "docs_page.js",
}
_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>API · overread</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/swagger-ui.css">
<script src="/docs/swagger-ui-bundle.js" defer></script>
<script src="/docs/start.js" defer></script>
</head>
<body>
<main id="swagger-ui"></main>
<noscript><p>The document itself is at <a href="/openapi.json">/openapi.json</a>.</p></noscript>
</body>
</html>
"""
# Its style sheet holds pictures as data.
_POLICY = SECURITY_HEADERS["Content-Security-Policy"].replace("img-src 'self'", "img-src 'self' data:")

router = APIRouter(include_in_schema=False)


@router.get("/docs")
def docs() -> HTMLResponse:
    """Return the page."""
    headers = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-cache"}
    return HTMLResponse(_PAGE, headers=headers)


@router.get("/docs/{name}")
def docs_file(name: Annotated[str, PathParameter(max_length=64)]) -> FileResponse:
    """Return a script or style sheet of the page.

    Raises:
        HTTPException: 404, it is none of them.
    """
    if name not in _FILES:
        raise HTTPException(404, "no such file of the documentation")
    return FileResponse(_FILES[name], headers={"Cache-Control": "no-cache"})
