"""curl as an HTTP client, one process for each request."""

import asyncio
from dataclasses import dataclass

from report import Failed
from stage import Stage

REQUEST_SECONDS_MAX = 30


@dataclass(frozen=True)
class Answer:
    status: int
    fields: dict[str, str]
    """By their names in lower case."""
    body: bytes


async def curl(stage: Stage, url: str, *options: str, data: bytes | None = None) -> Answer:
    """What the gateway answers; `data` is what curl finds on its standard input."""
    process = await spawn(stage, "--include", *options, url)
    output, errors = await process.communicate(data)
    if process.returncode != 0:
        raise Failed(f"curl ended with status {process.returncode}: {errors.decode(errors='replace').strip()}")
    head, _, body = output.partition(b"\r\n\r\n")
    while head.startswith(b"HTTP/1.1 100"):
        head, _, body = body.partition(b"\r\n\r\n")
    line, *lines = head.decode("latin-1").split("\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Answer(int(line.split()[1]), fields, body)


async def spawn(stage: Stage, *arguments: str) -> asyncio.subprocess.Process:
    command = ["curl", "--disable", "--silent", "--show-error", "--noproxy", "*", "--path-as-is", "--no-buffer"]
    command += ["--max-time", str(REQUEST_SECONDS_MAX), "--cacert", str(stage.authority)]
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(*command, *arguments, stdin=pipe, stdout=pipe, stderr=pipe)
