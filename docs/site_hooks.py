"""Hooks of MkDocs (`make docs`): the reference, made from the code at each build, and the files beside docs/.

What the site shows of files elsewhere in the repository, such as model cards, is taken from where they are.
Links to what is no page of the site (source, deployment files) are refused by its strict mode.
"""

import argparse
import json
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from overread.command import every_parser
from overread.finding import Finding, load_vocabulary

ROOT = Path(__file__).parents[1]
BESIDE = {"contributing.md": "CONTRIBUTING.md", "changelog.md": "CHANGELOG.md", "security.md": "SECURITY.md"}
"""Pages of the site by the file of the repository that they are."""
_OUTSIDE = re.compile(r"\]\((?:\.\./)+((?:models|evaluation)/[^)#]+\.(?:md|toml))\)")
_METHODS = ("get", "post", "put", "patch", "delete", "head")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made."""
    made = {
        "reference/commands.md": commands_page(),
        "reference/findings.md": findings_page(),
        "reference/api.md": api_page(openapi_document()),
        "reference/openapi.json": json.dumps(openapi_document(), indent=1),
    }
    for name, path in BESIDE.items():
        made[name] = _links_into_the_site((ROOT / path).read_text(encoding="utf-8"))
    for path in sorted(_shown_from_elsewhere()):
        text = (ROOT / path).read_text(encoding="utf-8")
        shown = text if path.endswith(".md") else f"# {Path(path).name}\n\n```toml\n{text}```\n"
        made[f"repository/{Path(path).with_suffix('.md')}"] = shown
    for name, content in made.items():
        files.append(File.generated(config, name, content=content))
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Lead links to files beside docs/ to where the site shows them."""
    up = "../" * page.file.src_uri.count("/")
    for name, path in BESIDE.items():
        markdown = re.sub(rf"\]\((?:\.\./)+{re.escape(path)}\)", f"]({up}{name})", markdown)
    return _OUTSIDE.sub(lambda found: f"]({up}repository/{Path(found[1]).with_suffix('.md')})", markdown)


def _links_into_the_site(text: str) -> str:
    """Return a file of the root with its links to docs/ and to its neighbours as they are in the site."""
    text = text.replace("](docs/", "](")
    for name, path in BESIDE.items():
        text = text.replace(f"]({path})", f"]({name})")
    return text


def _shown_from_elsewhere() -> set[str]:
    return {
        found[1]
        for page in (ROOT / "docs").rglob("*.md")
        for found in _OUTSIDE.finditer(page.read_text(encoding="utf-8"))
    }


def commands_page() -> str:
    """Return every subcommand with its help, as the parser has it."""
    lines = ["# Reference of the commands", "", "As `overread NAME --help` prints it."]
    for name, parser in every_parser().items():
        parser.formatter_class = _OfFixedWidth
        lines += ["", f"## overread {name}", "", "```text", parser.format_help().rstrip()]
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                for part in action.choices.values():
                    part.formatter_class = _OfFixedWidth
                    lines += ["", part.format_help().rstrip()]
        lines.append("```")
    return "\n".join([*lines, ""])


class _OfFixedWidth(argparse.RawDescriptionHelpFormatter):
    """Help that does not depend on the terminal of whoever builds the site."""

    def __init__(self, prog: str, **options: Any) -> None:
        super().__init__(prog, **{**options, "width": 100})


def findings_page() -> str:
    """Return the vocabulary: every finding by its group."""
    groups: defaultdict[str, list[Finding]] = defaultdict(list)
    for finding in load_vocabulary().values():
        groups[finding.group].append(finding)
    lines = [
        "# Reference of the findings",
        "",
        "What a report can state and a detector can see. The weight is clinical, from 1 (incidental) to 5",
        "(harm within hours); *communicate within* follows Larson et al., J Am Coll Radiol 2014;11:552-558.",
    ]
    for group, findings in groups.items():
        lines += [
            "",
            f"## {group}",
            "",
            "| id | name | weight | communicate within | a kind of | codes |",
            "|---|---|---|---|---|---|",
        ]
        lines += [
            f"| `{finding.id}` | {finding.name} | {finding.weight} | {finding.actionable} | "
            f"{', '.join(f'`{other}`' for other in finding.broader)} | {', '.join(finding.codes)} |"
            for finding in findings
        ]
    return "\n".join([*lines, ""])


def openapi_document() -> dict[str, Any]:
    """Return the document that a running service gives at /openapi.json."""
    from service import bento  # noqa: PLC0415  # it reads the settings when it is imported
    from service.web.openapi import whole_document  # noqa: PLC0415

    return whole_document(bento.app, bento.further_documents)


def api_page(document: dict[str, Any]) -> str:
    """Return every operation of the API by its tag, with who may call it."""
    tags: defaultdict[str, list[str]] = defaultdict(list)
    for path, item in document["paths"].items():
        for method in (method for method in _METHODS if method in item):
            operation = item[method]
            who = ", ".join(
                [*operation.get("x-roles", []), *(f"`{scope}`" for scope in operation.get("x-scopes", []))]
            )
            anybody = "anybody" if operation.get("security") == [] else ""
            tag = (operation.get("tags") or ["other"])[0]
            tags[tag].append(
                f"| `{method.upper()}` | `{path}` | {operation.get('summary', '')} | {who or anybody} |"
            )
    lines = [
        "# Reference of the API",
        "",
        "Every operation, with the roles and, as code, the scopes of tokens that may call it. Parameters,",
        "bodies and errors are in the [OpenAPI document](openapi.json), which a running service shows at",
        "`/docs`. How it is used is in [HTTP](../http.md).",
    ]
    for tag in sorted(tags):
        lines += ["", f"## {tag}", "", "| method | path | what | who |", "|---|---|---|---|", *tags[tag]]
    return "\n".join([*lines, ""])
