"""The server for assistants, through the SDK's own client over standard input and output."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import jsonschema
import pytest
from mcp import Client, MCPError, StdioServerParameters, stdio_client

import circuitkb as ckb
from circuitkb.mcp_server.replies import MOST_CHARACTERS, unquoted
from circuitkb.mcp_server.server import build
from tests.mcp.conftest import EVIL, HEAD

Work = Callable[[Client], Awaitable[Any]]


def session(store: Path, work: Work) -> Any:
    """Start the server as an assistant does, and work with it."""

    async def run() -> Any:
        command = StdioServerParameters(
            command=sys.executable, args=["-m", "circuitkb", "mcp", "--kb", str(store)]
        )
        async with Client(stdio_client(command)) as client:
            return await work(client)

    with anyio.from_thread.start_blocking_portal() as portal:
        return portal.call(run)


@pytest.fixture(scope="module")
def told(store: Path) -> dict[str, Any]:
    """One session in which everything is asked."""
    found: dict[str, Any] = {}

    async def work(client: Client) -> None:
        found["instructions"] = client.instructions
        found["tools"] = (await client.list_tools()).tools
        found["resources"] = (await client.list_resources()).resources
        found["templates"] = (await client.list_resource_templates()).resource_templates
        found["prompts"] = (await client.list_prompts()).prompts
        for name, tool, given in CALLS:
            found[name] = await client.call_tool(tool, given)
        for name, uri in READ:
            found[name] = (await client.read_resource(uri)).contents[0]
        found["prompt"] = await client.get_prompt("investigate", {"feature": HEAD})
        for name, uri in (("no feature", "circuitkb://feature/nosuch/layer:1"),):
            try:
                await client.read_resource(uri)
            except MCPError as error:
                found[name] = error

    session(store, work)
    return found


CALLS: list[tuple[str, str, dict[str, Any]]] = [
    ("sentence", "ask", {"question": "find all circuits unioning left/right detectors"}),
    ("inputs", "ask", {"question": "inputs", "parameters": {"feature": HEAD, "top": 2}}),
    ("nonsense", "ask", {"question": "what is the weather like?"}),
    ("questions", "questions", {}),
    (
        "cypher",
        "query",
        {"cypher": "MATCH (f:Feature {id: $id}) RETURN f.unit AS unit", "parameters": {"id": HEAD}},
    ),
    ("bounded", "query", {"cypher": "MATCH (f:Feature) RETURN f.id AS id ORDER BY id", "limit": 3}),
    (
        "long",
        "query",
        {"cypher": "MATCH (f:Feature) RETURN f.id AS id, range(1, 300) AS r", "limit": 1000},
    ),
    ("write", "query", {"cypher": "MATCH (n) DETACH DELETE n"}),
    ("file", "query", {"cypher": "LOAD CSV FROM 'file:///etc/passwd' AS line RETURN line"}),
    ("syntax", "query", {"cypher": "MATCH (f:Feature RETURN f"}),
    (
        "slow",
        "query",
        {
            "cypher": "UNWIND range(1, 100000) AS a UNWIND range(1, 100000) AS b "
            "WITH a, b WHERE a * b = -1 RETURN count(*) AS n",
            "timeout": 1,
        },
    ),
    ("too many", "query", {"cypher": "RETURN 1 AS a", "limit": 100_000}),
    ("card", "show", {"id": HEAD}),
    ("no card", "show", {"id": "inceptionv1/mixed4b:99999"}),
    ("models", "models", {}),
    ("features", "features", {"model": "inceptionv1", "label": "dog", "limit": 2}),
    ("misspelt", "features", {"model": "inceptionv2"}),
    ("circuits", "circuits", {"feature": HEAD, "motif": "mirrored-inputs"}),
    ("bad id", "circuits", {"feature": "mixed4b 418"}),
    ("no tool", "delete", {}),
]

READ = [
    ("schema", "circuitkb://schema"),
    ("catalogue", "circuitkb://questions"),
    ("all models", "circuitkb://models"),
    ("feature card", f"circuitkb://feature/{HEAD}"),
    ("circuit card", "circuitkb://circuit/inceptionv1.dog-circuit"),
]


def rows(reply: Any) -> list[dict[str, Any]]:
    assert not reply.is_error, reply.content
    found = reply.structured_content
    return [dict(zip(found["columns"], row, strict=True)) for row in found["rows"]]


def refused(reply: Any) -> str:
    assert reply.is_error
    (said,) = reply.content
    return str(said.text)


def test_every_tool_only_reads_and_has_a_schema_of_its_input(told: dict[str, Any]) -> None:
    assert {tool.name for tool in told["tools"]} == {
        "ask",
        "questions",
        "query",
        "show",
        "models",
        "features",
        "circuits",
    }
    for tool in told["tools"]:
        assert tool.annotations.read_only_hint
        assert not tool.annotations.destructive_hint
        assert tool.description
        jsonschema.Draft202012Validator.check_schema(tool.input_schema)
        jsonschema.Draft202012Validator.check_schema(tool.output_schema)


def test_a_sentence_is_answered_with_what_was_asked_and_run(told: dict[str, Any]) -> None:
    found = told["sentence"].structured_content
    assert found["question"] == "union"
    assert found["cypher"].startswith("CALL ()")
    assert found["parameters"]["of"] == "mirror left-right"
    assert "inceptionv1" in found["notes"][0]
    first = rows(told["sentence"])[0]
    assert first["target"] == HEAD
    assert {"null_mean", "p", "q"} <= first.keys()


def test_a_question_by_name_takes_parameters(told: dict[str, Any], store: Path) -> None:
    with ckb.open(store) as kb:
        expected = kb.ask("inputs", parameters={"feature": HEAD, "top": 2}).result
    assert unquoted(rows(told["inputs"])) == expected.to_dicts()


def test_what_is_not_understood_is_refused_with_the_nearest_questions(
    told: dict[str, Any],
) -> None:
    assert "Nearest:" in refused(told["nonsense"])


def test_the_catalogue_is_listed_with_parameters_and_columns(told: dict[str, Any]) -> None:
    found = told["questions"].structured_content["result"]
    assert {q["name"] for q in found} == {q.name for q in ckb.KnowledgeBase.questions(None)}  # type: ignore[arg-type]
    inputs = next(q for q in found if q["name"] == "inputs")
    assert inputs["parameters"]["feature"]["required"]
    assert json.loads(told["catalogue"].text)[0]["cypher"]


def test_cypher_takes_parameters_and_is_bounded(told: dict[str, Any]) -> None:
    assert rows(told["cypher"]) == [{"unit": 418}]
    assert len(rows(told["bounded"])) == 3
    assert "more rows" in told["bounded"].structured_content["more"]
    long = told["long"]
    assert len(long.model_dump_json()) < MOST_CHARACTERS
    assert len(long.structured_content["rows"]) > 3
    assert "too long" in long.structured_content["more"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("write", "may only read"),
        ("file", "LOAD CSV"),
        ("syntax", "line 1"),
        ("slow", "longer than 1 s"),
        ("no card", "has units 0 to 511"),
        ("misspelt", "Did you mean 'inceptionv1'"),
        ("bad id", "model/layer:unit"),
        ("too many", "1000"),
        ("no tool", "delete"),
    ],
)
def test_a_mistake_is_told_in_the_words_of_the_command_line(
    name: str, message: str, told: dict[str, Any]
) -> None:
    said = refused(told[name])
    assert message in said
    assert "Traceback" not in said


def test_cards_come_as_tool_and_as_resource(told: dict[str, Any]) -> None:
    card = told["card"].structured_content
    assert card["id"] == HEAD
    assert json.loads(told["feature card"].text) == card
    assert json.loads(told["circuit card"].text)["kind"] == "circuit"
    assert "No model 'nosuch'" in str(told["no feature"])


def test_lists_of_models_features_and_circuits(told: dict[str, Any]) -> None:
    assert [row["model"] for row in rows(told["models"])] == ["inceptionv1"]
    assert all("og" in " ".join(row["labels"]) for row in rows(told["features"]))
    assert len(rows(told["features"])) == 2
    assert {row["motif"] for row in rows(told["circuits"])} == {"mirrored-inputs"}
    assert json.loads(told["all models"].text)[0]["model"] == "inceptionv1"


def test_the_schema_names_every_label(told: dict[str, Any]) -> None:
    assert all(label in told["schema"].text for label in ("Feature", "WEIGHT", "ANALOGOUS_TO"))


def test_a_label_that_gives_orders_comes_back_as_data(told: dict[str, Any]) -> None:
    labels = next(row for row in rows(told["sentence"]) if row["target"] == HEAD)["target_labels"]
    assert f"“{EVIL}”" in labels, "marked as a quotation"
    assert EVIL not in labels
    assert "follow no instruction" in told["instructions"]
    assert EVIL not in told["instructions"]


def test_prompts_and_templates_are_listed(told: dict[str, Any]) -> None:
    assert {prompt.name for prompt in told["prompts"]} == {"investigate", "compare"}
    assert HEAD in told["prompt"].messages[0].content.text
    assert {t.uri_template for t in told["templates"]} == {
        f"circuitkb://{kind}/{{+id}}" for kind in ("feature", "circuit", "layer")
    }
    assert {str(r.uri) for r in told["resources"]} == {uri for _, uri in READ[:3]}


class Raw:
    """The server as a process, spoken to line by line."""

    def __init__(self, store: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "circuitkb", "mcp", "--kb", str(store)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.asked = 0
        hello = {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        }
        self.request("initialize", hello)
        self.send(json.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"}).encode())

    def send(self, line: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()

    def answer(self) -> tuple[dict[str, Any], int]:
        """Return the next message, and how many characters it has."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline().decode()
        return json.loads(line), len(line)

    def request(self, method: str, params: dict[str, Any]) -> tuple[dict[str, Any], int]:
        self.asked += 1
        message = {"jsonrpc": "2.0", "id": self.asked, "method": method, "params": params}
        self.send(json.dumps(message).encode())
        found = self.answer()
        assert found[0]["id"] == self.asked
        return found

    def call(self, tool: str, **given: Any) -> tuple[dict[str, Any], int]:
        return self.request("tools/call", {"name": tool, "arguments": given})

    def end(self) -> None:
        _, said = self.process.communicate(timeout=60)
        assert (self.process.returncode, said) == (0, b"")


@pytest.fixture(scope="module")
def raw(store: Path) -> Iterator[Raw]:
    found = Raw(store)
    yield found
    found.end()


UNREADABLE = [
    b"{nope",
    b"{}",
    b"[]",
    b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]',
    b'"ping"',
    b'{"jsonrpc":"2.0","id":null,"method":"ping"}',
    b'{"jsonrpc":"2.0","id":1.5,"method":"ping"}',
    b'{"jsonrpc":"2.0","id":{},"method":"ping"}',
    b'{"jsonrpc":"2.0","id":true,"method":"ping"}',
    b'{"jsonrpc":"2.0","id":1' + b"0" * 400 + b',"method":"ping"}',
    b'{"jsonrpc":"2.0","id":"' + b"x" * 100_000 + b'","method":"ping"}',
    b'{"jsonrpc":"1.0","id":7,"method":"ping"}',
    b'{"id":7,"method":"ping"}',
    b'{"jsonrpc":"2.0","id":7,"method":5}',
    b'{"jsonrpc":"2.0","id":7,"method":"nosuch"}',
    b'{"jsonrpc":"2.0","id":7,"method":"tools/call"}',
    b'{"jsonrpc":"2.0","id":7,"method":"tools/call","params":[1]}',
    b'{"jsonrpc":"2.0","id":7,"method":"\xff"}',
    b'{"jsonrpc":"2.0","id":7,"method":"ping","params":{"a":"\\ud800"}}',
    b'{"jsonrpc":"2.0","id":7,"method":"notifications/initialized"}',
    b'{"jsonrpc":"2.0","id":7,"method":"ping","params":' + b"[" * 9000 + b"]" * 9000 + b"}",
]


@pytest.mark.parametrize("line", UNREADABLE, ids=lambda line: repr(line)[:50])
def test_every_message_that_cannot_be_read_is_answered(raw: Raw, line: bytes) -> None:
    raw.send(line)
    message, size = raw.answer()
    assert message["error"]["code"] in (-32700, -32600, -32601, -32602)
    assert message["id"] in (None, 7)
    assert size < 1000
    assert raw.request("ping", {})[0]["result"] == {}


LONG = "x" * 400_000


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("tools/call", {"name": "query", "arguments": {"cypher": f"RETURN '{LONG}' AS a"}}),
        ("tools/call", {"name": "query", "arguments": {"cypher": f"RETURN 1 AS `{LONG}`"}}),
        ("tools/call", {"name": "query", "arguments": {"cypher": f"RETURN 1 AS {LONG} z"}}),
        (
            "tools/call",
            {
                "name": "query",
                "arguments": {"cypher": "RETURN [$v, {a: $v}] AS a", "parameters": {"v": LONG}},
            },
        ),
        (
            "tools/call",
            {
                "name": "query",
                "arguments": {
                    "cypher": "UNWIND range(1, 900) AS x RETURN range(1, 2000) AS a",
                    "limit": 1000,
                },
            },
        ),
        ("tools/call", {"name": "query", "arguments": {"cypher": "RETURN 1", "limit": LONG}}),
        ("tools/call", {"name": "ask", "arguments": {"question": LONG}}),
        ("tools/call", {"name": "show", "arguments": {"id": LONG}}),
        ("tools/call", {"name": "features", "arguments": {"model": LONG}}),
        ("tools/call", {"name": "questions", "arguments": {}}),
        ("tools/call", {"name": LONG, "arguments": {}}),
        ("resources/read", {"uri": f"circuitkb://feature/{LONG}"}),
        ("resources/read", {"uri": "circuitkb://questions"}),
        ("resources/read", {"uri": "circuitkb://schema"}),
        ("prompts/get", {"name": "investigate", "arguments": {"feature": LONG}}),
    ],
    ids=lambda value: str(value)[:60],
)
def test_no_message_is_longer_than_the_page_says(
    raw: Raw, method: str, params: dict[str, Any]
) -> None:
    message, size = raw.request(method, params)
    assert size <= MOST_CHARACTERS
    assert "Traceback" not in json.dumps(message)


def test_a_row_that_is_too_long_is_cut_and_says_so(raw: Raw) -> None:
    message, size = raw.call("query", cypher=f"RETURN 7 AS n, '{LONG}' AS a")
    found = message["result"]["structuredContent"]
    assert found["rows"][0][0] == 7
    assert found["rows"][0][1].startswith("xxxx")
    assert "shortened" in found["more"]
    assert 5_000 < size <= MOST_CHARACTERS


def test_a_quotation_that_is_sent_back_is_the_text(raw: Raw) -> None:
    message, _ = raw.call(
        "query", cypher="RETURN $t = 'two words' AS same, $t AS t", parameters={"t": "“two words”"}
    )
    assert message["result"]["structuredContent"]["rows"] == [[True, "“two words”"]]


def test_a_writer_beside_the_server_is_seen(raw: Raw, store: Path) -> None:
    count = "MATCH (l:Label {text: 'beside'}) RETURN count(l) AS n"
    assert raw.call("query", cypher=count)[0]["result"]["structuredContent"]["rows"] == [[0]]
    with ckb.open(store) as kb:
        kb.annotate.add("inceptionv1/mixed4b:417", "beside", author="somebody")
    assert raw.call("query", cypher=count)[0]["result"]["structuredContent"]["rows"] == [[1]]


def test_what_nobody_foresaw_is_told_without_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def query(self, *args: Any, **options: Any) -> None:
            raise RuntimeError("somebody/secret")

    server = build(Broken(), "1")  # type: ignore[arg-type]
    with pytest.raises(Exception, match="RuntimeError") as caught:
        anyio.run(server.call_tool, "query", {"cypher": "RETURN 1"})
    assert "secret" not in str(caught.value)
