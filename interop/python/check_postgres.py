"""PostgreSQL at a Unix socket behind the gateway, with psql at a local port that leads through a WebSocket."""

import asyncio
import hashlib
from asyncio.subprocess import PIPE
from collections.abc import Iterator
from contextlib import AsyncExitStack
from functools import partial

import pump
from report import Check, Failed, digest, equal
from services import Postgres, program
from stage import SCHEMES, Stage

ROWS = 100_000
CLIENTS = 5


def checks(stage: Stage) -> Iterator[Check]:
    for scheme in SCHEMES:
        name = f"psql over {scheme}"
        yield Check(f"{name}: {ROWS} rows down", partial(rows_down, stage, scheme))
        yield Check(f"{name}: {ROWS} rows up", partial(rows_up, stage, scheme))
        yield Check(f"{name}: {CLIENTS} clients at once", partial(several, stage, scheme))


def rows() -> bytes:
    return b"".join(b"%d\t%s\n" % (n, hashlib.md5(b"%d" % n).hexdigest().encode()) for n in range(1, ROWS + 1))


async def psql(port: int, sql: str, data: bytes = b"") -> bytes:
    address = f"host=127.0.0.1 port={port} user={Postgres.USER} dbname=postgres sslmode=disable"
    command = [program("psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", address, "-c", sql]
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, stderr=PIPE)
    output, errors = await process.communicate(data)
    if process.returncode != 0:
        raise Failed(f"psql ended with status {process.returncode}: {errors.decode(errors='replace')}")
    return output


async def rows_down(stage: Stage, scheme: str) -> None:
    async with AsyncExitStack() as stack:
        port = await pump.start(stack, stage, scheme, "/postgres")
        query = f"copy (select n, md5(n::text) from generate_series(1, {ROWS}) n) to stdout"
        equal("rows", digest(await psql(port, query)), digest(rows()))


async def rows_up(stage: Stage, scheme: str) -> None:
    table = f"up_{scheme}"
    async with AsyncExitStack() as stack:
        port = await pump.start(stack, stage, scheme, "/postgres")
        await psql(port, f"drop table if exists {table}; create table {table} (n int, sum text)")
        await psql(port, f"copy {table} from stdin", rows())
        count = await psql(port, f"select count(*), count(*) filter (where sum = md5(n::text)), sum(n) from {table}")
        equal("rows, right ones, sum", count.decode().strip(), f"{ROWS}|{ROWS}|{ROWS * (ROWS + 1) // 2}")


async def several(stage: Stage, scheme: str) -> None:
    async with AsyncExitStack() as stack:
        port = await pump.start(stack, stage, scheme, "/postgres")
        answers = await asyncio.gather(*(psql(port, f"select {n} * 1000, pg_sleep(0.1)") for n in range(CLIENTS)))
        equal("answers", answers, [b"%d|\n" % (n * 1000) for n in range(CLIENTS)])
