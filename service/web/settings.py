"""The settings of what is spoken over HTTP: page, API and DICOMweb."""

from typing import ClassVar

from service.settings_sources import SettingsModel, setting


class WebSettings(SettingsModel):
    """Settings of the HTTP service: token, addresses, and limits of what it reads at once."""

    table: ClassVar[str] = "web"

    host: str = setting("127.0.0.1", meaning="address that `overread serve` binds to; its --host is stronger")
    api_token: str | None = setting(
        meaning="what clients send as `Authorization: Bearer TOKEN`, at least 16 characters; required as "
        "soon as host is not the loopback interface",
        secret=True,
    )
    probe_port: int | None = setting(
        meaning="a port of its own for health and metrics, which asks for no token; 0 for any free one",
        ge=0,
        le=65535,
    )
    dicomweb_url: str | None = setting(
        meaning="address of DICOMweb behind a reverse proxy, such as https://pacs.example.org/dicomweb; it "
        "stands in Retrieve URL and Bulk Data URI",
        default_words="as requests are addressed",
    )
    stow_address: str = setting(
        "http://127.0.0.1:8401",
        meaning="address of the DICOMweb intake in the OpenAPI document of the API; `overread serve` sets it",
    )
    ohif_folder: str | None = setting(
        meaning="folder with the ready-built OHIF viewer, as `make ohif` fetches it; DICOMweb serves it "
        "under /ohif/, and the case page offers it",
    )
    archive_readers: int = setting(8, meaning="requests to DICOMweb that read headers or files at once", ge=1)
    archive_decoders: int = setting(
        2, meaning="child processes that decode pixels at once, for the API and for DICOMweb each", ge=1
    )
    picture_bytes_max: int = setting(
        1 << 30,
        meaning="memory that decoding, and what was decoded and waits to be sent, may take at once, for the "
        "API and for DICOMweb each; an image that alone takes more is refused",
        unit="bytes",
        ge=1 << 26,
    )
    pictures_waiting_max: int = setting(
        64, meaning="requests that may wait for that memory; further ones are told to come again", ge=0
    )
    picture_cache_bytes: int = setting(
        64 << 20,
        meaning="memory in which drawn pictures stay for a while, for the API and for DICOMweb each",
        unit="bytes",
        ge=0,
    )
    narratives_at_once: int = setting(
        4, meaning="requests that bring reports of any form, such as PDF in FHIR, read at once", ge=1
    )
    narratives_waiting_max: int = setting(
        64, meaning="such requests that may wait; further ones are told to come again", ge=0
    )
    http_connections_max: int = setting(
        512,
        meaning="connections at once to API and page, and as many to DICOMweb; then a silent one makes room",
        ge=1,
    )
    live_pages_max: int = setting(
        128,
        meaning="open pages of the worklist that are kept up to date at once; further ones ask now and then",
        ge=0,
    )
    search_headers_max: int = setting(
        2000, meaning="headers that one search by DICOMweb reads to find what the tables do not hold", ge=1
    )
    stow_parts_max: int = setting(5000, meaning="objects in one request of STOW-RS", ge=1)
