"""The server that the public conformance suite expects, as far as the gateway offers its features."""

import base64
from typing import Any

from mcp.server.mcpserver import Context, Image, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import (
    AudioContent,
    Completion,
    ElicitRequest,
    ElicitRequestFormParams,
    EmbeddedResource,
    InputRequiredResult,
    TextContent,
    TextResourceContents,
)

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def everything() -> MCPServer:
    server = MCPServer("everything")
    _tools(server)
    _resources(server)
    _prompts(server)
    _more_tools(server)
    _questions(server)
    _longer_questions(server)
    return server


def _embedded(uri: str, text: str) -> EmbeddedResource:
    return EmbeddedResource(
        type="resource", resource=TextResourceContents(uri=uri, mime_type="text/plain", text=text)
    )


def _tools(server: MCPServer) -> None:
    @server.tool(structured_output=False)
    def test_simple_text() -> str:
        """A text."""
        return "This is a simple text response for testing."

    @server.tool(structured_output=False)
    def test_image_content() -> Image:
        """An image."""
        return Image(data=PNG, format="png")

    @server.tool(structured_output=False)
    def test_audio_content() -> list[AudioContent]:
        """A sound."""
        return [AudioContent(type="audio", data="UklGRiYAAABXQVZF", mime_type="audio/wav")]

    @server.tool(structured_output=False)
    def test_embedded_resource() -> list[EmbeddedResource]:
        """A resource within the result."""
        return [_embedded("test://embedded-resource", "This is an embedded resource content.")]

    @server.tool(structured_output=False)
    def test_multiple_content_types() -> list[Any]:
        """Text, image and resource."""
        return [
            TextContent(type="text", text="Multiple content types test:"),
            Image(data=PNG, format="png"),
            _embedded("test://mixed-content-resource", '{"test":"data","value":123}'),
        ]

    @server.tool(structured_output=False)
    def test_error_handling() -> str:
        """Always fails."""
        raise ToolError("This tool intentionally returns an error for testing")

    @server.tool(structured_output=False)
    async def test_tool_with_progress(context: Context[Any, Any]) -> str:
        """Reports progress three times."""
        for done in (0, 50, 100):
            await context.report_progress(done, 100)
        return "done"


def _resources(server: MCPServer) -> None:
    @server.resource("test://static-text", mime_type="text/plain")
    def text() -> str:
        return "This is the content of the static text resource."

    @server.resource("test://static-binary", mime_type="image/png")
    def binary() -> bytes:
        return PNG

    @server.resource("test://template/{id}/data", mime_type="application/json")
    def template(id: str) -> str:  # noqa: A002 — the suite's own name
        return f'{{"id":"{id}","templateTest":true,"data":"Data for ID: {id}"}}'


def _prompts(server: MCPServer) -> None:
    @server.prompt()
    def test_simple_prompt() -> str:
        """A prompt."""
        return "This is a simple prompt for testing."

    @server.prompt()
    def test_prompt_with_arguments(arg1: str, arg2: str) -> str:
        """A prompt with arguments."""
        return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"

    @server.completion()  # type: ignore[no-untyped-call,untyped-decorator]  # untyped in the SDK
    async def complete(ref: Any, argument: Any, context: Any) -> Completion:
        return Completion(values=["paris"], total=1, has_more=False)


def _question(key: str, message: str, *, state: str | None = None, **fields: str) -> InputRequiredResult:
    properties = {name: {"type": kind} for name, kind in fields.items()}
    schema = {"type": "object", "properties": properties, "required": list(fields)}
    form = ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))
    return InputRequiredResult(input_requests={key: form}, request_state=state)


def _given(ctx: Context, key: str, field: str) -> str | None:
    """What the person answered to a question; None if there is no such answer."""
    answer = (ctx.input_responses or {}).get(key)
    return str((getattr(answer, "content", None) or {}).get(field)) if answer is not None else None


def _more_tools(server: MCPServer) -> None:
    @server.tool(structured_output=False)
    def greet(name: str) -> str:
        """A call that is no task."""
        return f"Hello, {name}!"

    @server.tool(structured_output=False)
    async def slow_compute(seconds: float = 0) -> str:
        """A call that could be a task, and is none here."""
        return f"computed for {seconds:g} s"

    @server.tool(structured_output=False)
    def confirm_delete(filename: str) -> str:
        """Another that could be a task."""
        return f"deleted {filename}"

    @server.tool(structured_output=False)
    async def test_logging_tool(ctx: Context) -> str:
        """Says something to whoever asked for logs."""
        await ctx.info("said")  # deprecated by 2026-07-28, and still asked for by its suite
        return "done"


def _questions(server: MCPServer) -> None:
    @server.tool(structured_output=False)
    async def test_streaming_elicitation(ctx: Context) -> str | InputRequiredResult:
        """Ask in the middle."""
        name = _given(ctx, "user_name", "name")
        return name or _question("user_name", "What is your name?", name="string")

    @server.tool(structured_output=False)
    async def test_input_required_result_elicitation(ctx: Context) -> str | InputRequiredResult:
        """Ask for a name."""
        name = _given(ctx, "user_name", "name")
        return f"Hello, {name}!" if name else _question("user_name", "What is your name?", name="string")

    @server.tool(structured_output=False)
    async def test_input_required_result_request_state(ctx: Context) -> str | InputRequiredResult:
        """Ask once, and see the state again."""
        if _given(ctx, "confirm", "ok") and ctx.request_state == "opened":
            return "state-ok"
        return _question("confirm", "Please confirm", state="opened", ok="boolean")

    @server.tool(structured_output=False)
    async def test_input_required_result_tampered_state(ctx: Context) -> str | InputRequiredResult:
        """Ask once, under a state that nobody may change."""
        if _given(ctx, "confirm", "ok"):
            return "done"
        return _question("confirm", "Please confirm", state="whole", ok="boolean")


def _longer_questions(server: MCPServer) -> None:
    @server.tool(structured_output=False)
    async def test_input_required_result_multi_round(ctx: Context) -> str | InputRequiredResult:
        """Ask twice."""
        if (colour := _given(ctx, "step2", "color")) is not None:
            return f"done, {colour}"
        if _given(ctx, "step1", "name"):
            return _question("step2", "Step 2: What is your favorite color?", state="two", color="string")
        return _question("step1", "Step 1: What is your name?", state="one", name="string")

    @server.prompt()
    async def test_input_required_result_prompt(ctx: Context) -> Any:
        """A prompt that asks first."""
        context = _given(ctx, "user_context", "context")
        if context is None:
            return _question("user_context", "What context should the prompt use?", context="string")
        return f"Use this context: {context}"
