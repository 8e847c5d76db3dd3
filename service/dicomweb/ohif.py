"""The OHIF viewer beside DICOMweb, where an installation has fetched it (`make ohif`): same origin, no proxy.

Its files are served as they come, but for three: the page, whose addresses and inline scripts are made to fit
this place and our policy; its settings, which name this DICOMweb alone; and its service worker, which is left
out. It runs under a wider policy than our own pages, since its libraries make code from text, and styles.
"""

import base64
import hashlib
import re
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi import Path as PathParameter
from fastapi.responses import FileResponse, HTMLResponse, Response
from starlette.exceptions import HTTPException

from service.web.settings import WebSettings

PLACE = "/ohif"
ROUTE = f"{PLACE}/{{path:path}}"
_PAGE = "index.html"
_SCRIPT = "text/javascript"
_ADDRESS = re.compile(r'(\b(?:src|href|content)=")/(?!/)')
_INLINE = re.compile(r"<script>(.*?)</script>", re.DOTALL)
_CONFIG = """\
const root = window.location.origin + window.location.pathname.split("/ohif")[0];
window.config = {
  name: "overread",
  routerBasename: new URL(root).pathname.replace(/\\/$/, "") + "/ohif",
  extensions: [],
  modes: [],
  customizationService: {},
  showStudyList: false,
  showCPUFallbackMessage: false,
  maxNumberOfWebWorkers: 3,
  defaultDataSourceName: "overread",
  dataSources: [
    {
      namespace: "@ohif/extension-default.dataSourcesModule.dicomweb",
      sourceName: "overread",
      configuration: {
        friendlyName: "overread",
        name: "overread",
        qidoRoot: root,
        wadoRoot: root,
        wadoUriRoot: root,
        qidoSupportsIncludeField: true,
        imageRendering: "wadors",
        thumbnailRendering: "wadors",
        enableStudyLazyLoad: true,
        supportsFuzzyMatching: false,
        supportsWildcard: false,
        bulkDataURI: { enabled: true },
      },
    },
  ],
};
"""
_OWN_FILES = {"app-config.js": _CONFIG, "init-service-worker.js": "", "sw.js": ""}

router = APIRouter(include_in_schema=False)


@router.get(ROUTE)
def ohif_file(request: Request, path: Annotated[str, PathParameter(max_length=500)]) -> Response:
    """Return a file of the viewer, and its page for every address that is none.

    Raises:
        HTTPException: 404, no OHIF was fetched, or it has no such file.
    """
    settings: WebSettings = request.app.state.web
    if settings.ohif_folder is None:
        raise HTTPException(404, "OHIF is not installed here: OVERREAD_OHIF_FOLDER names no folder")
    if path in _OWN_FILES:
        return Response(_OWN_FILES[path], media_type=_SCRIPT, headers={"Cache-Control": "no-cache"})
    folder = Path(settings.ohif_folder).resolve()
    file = (folder / path).resolve()
    if path and file != folder / _PAGE and file.is_relative_to(folder) and file.is_file():
        return FileResponse(file, headers={"Content-Security-Policy": _policy(())})
    if "." in path.rpartition("/")[2]:
        raise HTTPException(404, "OHIF has no such file")
    return _page(folder)


def _page(folder: Path) -> HTMLResponse:
    try:
        text = (folder / _PAGE).read_text(encoding="utf-8")
    except OSError as error:
        raise HTTPException(404, f"there is no OHIF in its folder: {error.strerror}") from error
    text = _ADDRESS.sub(rf"\1{PLACE}/", text).replace(
        'window.PUBLIC_URL="/"', f'window.PUBLIC_URL="{PLACE}/"'
    )
    headers = {"Content-Security-Policy": _policy(_INLINE.findall(text)), "Cache-Control": "no-cache"}
    return HTMLResponse(text, headers=headers)


def _policy(scripts: list[str] | tuple[str, ...]) -> str:
    """Return the Content Security Policy under which OHIF runs: nothing from elsewhere either."""
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
        for script in scripts
    )
    return (
        f"default-src 'none'; script-src 'self' 'unsafe-eval' {hashes}; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' data: blob:; "
        "worker-src 'self' blob:; manifest-src 'self'; form-action 'none'; base-uri 'none'; "
        "frame-ancestors 'none'"
    )
