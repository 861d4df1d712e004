"""What is in a release, for programs that load data sets: Croissant 1.0, of MLCommons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import pyarrow as pa

from circuitkb.moving.files.parquet_folder import relation_file_schema
from circuitkb.schema.definition import NODES, RELATIONS
from circuitkb.schema.tables import node_schema

_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
"""The context that the specification gives."""

_ENCODINGS = {
    ".parquet": "application/x-parquet",
    ".safetensors": "application/octet-stream",
    ".json": "application/json",
}


def croissant(
    name: str,
    *,
    version: str,
    identifier: str,
    description: str,
    cited: str,
    authors: Sequence[str],
    licenses: Sequence[str],
    published: str,
    files: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """Return the metadata of a release: every file with its hash, every table with its columns.

    Parameters
    ----------
    licenses
        SPDX expressions, all of which hold for a part of it.
    published
        A day, in ISO 8601.
    files
        Size and sha256 of each by its path.
    """
    about: dict[str, Any] = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": name,
        "description": description,
        "version": version,
        "identifier": identifier,
        "url": f"urn:{identifier}",
        "citeAs": cited,
        "creator": [{"@type": "sc:Organization", "name": author} for author in authors],
        "license": [license_url(license) for license in licenses],
        "datePublished": published,
        "keywords": ["interpretability", "circuits", "neural networks"],
        "distribution": [_file(path, about) for path, about in files.items()],
        "recordSet": list(_tables(files)),
    }
    return {key: value for key, value in about.items() if value not in ("", [])}


def license_url(license: str) -> str:
    """Return the address of a licence; one that is not of the SPDX list is its own name.

    Examples
    --------
    >>> license_url("CC-BY-4.0"), license_url("LicenseRef-mine")
    ('https://spdx.org/licenses/CC-BY-4.0.html', 'LicenseRef-mine')
    """
    known = not license.startswith("LicenseRef-") and " " not in license
    return f"https://spdx.org/licenses/{quote(license, safe='+')}.html" if known else license


def _file(path: str, about: Mapping[str, Any]) -> dict[str, Any]:
    ending = path[path.rindex(".") :]
    return {
        "@type": "cr:FileObject",
        "@id": path,
        "name": path,
        "contentUrl": path,
        "contentSize": f"{about['bytes']} B",
        "encodingFormat": _ENCODINGS[ending],
        "sha256": about["sha256"],
    }


def _tables(files: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for node in NODES:
        path = f"nodes/{node.label}.parquet"
        columns = {each.name: each.description for each in node.properties}
        if path in files:
            table = _table(node.label, path, node_schema(node.label), node.description, columns)
            yield {**table, "key": {"@id": f"{node.label}/id"}}
    for relation in RELATIONS:
        path = f"relations/{relation.name}.parquet"
        columns = {each.name: each.description for each in relation.properties}
        if path in files:
            schema = relation_file_schema(relation.name)
            yield _table(relation.name, path, schema, relation.description, columns)


def _table(
    name: str, path: str, schema: pa.Schema, description: str, columns: Mapping[str, str]
) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "description": description,
        "field": [_field(name, path, column, columns.get(column.name, "")) for column in schema],
    }


def _field(table: str, path: str, column: pa.Field, description: str) -> dict[str, Any]:
    listed = pa.types.is_list(column.type)
    made = {
        "@type": "cr:Field",
        "@id": f"{table}/{column.name}",
        "name": column.name,
        "description": description or _ENDS.get(column.name, column.name),
        "dataType": _data_type(column.type.value_type if listed else column.type),
        "source": {"fileObject": {"@id": path}, "extract": {"column": column.name}},
    }
    return made | ({"repeated": True} if listed else {})


_ENDS = {
    "source": "id of the node it leads from",
    "target": "id of the node it leads to",
    "source_label": "kind of that node",
    "target_label": "kind of that node",
}


def _data_type(kind: pa.DataType) -> str:
    if pa.types.is_boolean(kind):
        return "sc:Boolean"
    if pa.types.is_integer(kind):
        return "sc:Integer"
    return "sc:Float" if pa.types.is_floating(kind) else "sc:Text"
