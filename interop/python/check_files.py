"""A `file:` route, asked for with curl: ranges, validators, compressed copies, and nothing outside of the folder."""

import gzip
from collections.abc import Iterator
from email.utils import formatdate
from functools import partial
from pathlib import Path

import payload
from curl import Answer, curl
from report import Check, Failed, equal, same_bytes
from stage import Stage

SIZE = 1_000_000
DATA = payload.binary("file", SIZE)
TEXT = payload.text("page", 20_000).encode()
# The gateway never looks into a compressed copy, so any bytes will do for the one that Python cannot make.
COPIES = {"": TEXT, "gzip": gzip.compress(TEXT), "br": b"brotli " * 1000}

RANGES = (
    # range asked for, first and last byte answered
    ("0-0", 0, 0),
    ("0-65535", 0, 65_535),
    ("500000-", 500_000, SIZE - 1),
    ("-10", SIZE - 10, SIZE - 1),
    ("999999-2000000", SIZE - 1, SIZE - 1),
)

ACCEPTED = (
    # Accept-Encoding, what is chosen
    ("gzip", "gzip"),
    ("br", "br"),
    ("gzip, deflate, br", "br"),
    ("br;q=0, gzip", "gzip"),
    ("gzip;q=0.5, br;q=0.1", "gzip"),
    ("identity", ""),
)

OUTSIDE = (
    "/../secret",
    "/sub/../../secret",
    "/%2e%2e/secret",
    "/..%2fsecret",
    "/%2e%2e%2fsecret",
    "/..%5csecret",
    "/%252e%252e/secret",
    "//../secret",
    "/.../secret",
    "/link",
    "/.hidden",
    "/page.txt~",
    "/data%00.txt",
)


def checks(stage: Stage) -> Iterator[Check]:
    lay_out(stage.files)
    url = f"http://127.0.0.1:{stage.port('ws')}/files"
    secret_url = f"https://127.0.0.1:{stage.port('wss')}/files"
    yield Check("curl file: whole, and HEAD", partial(whole, stage, url))
    yield Check("curl file: whole, over TLS", partial(whole, stage, secret_url))
    yield Check("curl file: ranges", partial(ranges, stage, url))
    yield Check("curl file: If-None-Match and If-Modified-Since", partial(validators, stage, url))
    for accepted, chosen in ACCEPTED:
        title = f"curl file: Accept-Encoding: {accepted} is answered with {chosen or 'the file itself'}"
        yield Check(title, partial(compressed, stage, url, accepted, chosen))
    yield Check("curl file: index.html, and a folder without its slash", partial(folder, stage, url))
    yield Check("curl file: nothing outside of the folder, nothing hidden", partial(outside, stage, url))
    yield Check("curl file: POST is 405", partial(post, stage, url))


def lay_out(files: Path) -> None:
    (files / "sub").mkdir(exist_ok=True)
    (files / "data.bin").write_bytes(DATA)
    (files / "sub" / "index.html").write_bytes(TEXT)
    for coding, suffix in (("", ""), ("gzip", ".gz"), ("br", ".br")):
        (files / f"page.txt{suffix}").write_bytes(COPIES[coding])
    for secret in (files.parent / "secret", files / ".hidden", files / "page.txt~"):
        secret.write_text("secret")
    if not (files / "link").is_symlink():
        (files / "link").symlink_to(files.parent / "secret")


async def whole(stage: Stage, url: str) -> None:
    answer = await curl(stage, f"{url}/data.bin")
    equal("status", answer.status, 200)
    same_bytes("file", answer.body, DATA)
    head = await curl(stage, f"{url}/data.bin", "--head")
    equal("HEAD", (head.status, head.fields["content-length"], head.body), (200, str(SIZE), b""))
    equal("validator of both", head.fields["etag"], answer.fields["etag"])


async def ranges(stage: Stage, url: str) -> None:
    for asked, first, last in RANGES:
        answer = await curl(stage, f"{url}/data.bin", "--range", asked)
        equal(f"status of {asked}", answer.status, 206)
        equal(f"Content-Range of {asked}", answer.fields["content-range"], f"bytes {first}-{last}/{SIZE}")
        same_bytes(asked, answer.body, DATA[first : last + 1])
    answer = await curl(stage, f"{url}/data.bin", "--range", f"{SIZE}-")
    equal("behind the end", (answer.status, answer.fields["content-range"]), (416, f"bytes */{SIZE}"))


async def validators(stage: Stage, url: str) -> None:
    async def asked(field: str) -> Answer:
        return await curl(stage, f"{url}/data.bin", "--header", field)

    first = await curl(stage, f"{url}/data.bin")
    etag, modified = first.fields["etag"], first.fields["last-modified"]
    equal("Last-Modified", modified, formatdate((stage.files / "data.bin").stat().st_mtime, usegmt=True))
    for field, status in (
        (f"If-None-Match: {etag}", 304),
        (f'If-None-Match: "other", {etag}', 304),
        ('If-None-Match: "other"', 200),
        (f"If-Modified-Since: {modified}", 304),
        ("If-Modified-Since: Mon, 01 Jan 2001 00:00:00 GMT", 200),
    ):
        answer = await asked(field)
        equal(f"status with {field}", answer.status, status)
        same_bytes(f"body with {field}", answer.body, DATA if status == 200 else b"")


async def compressed(stage: Stage, url: str, accepted: str, chosen: str) -> None:
    option = ("--header", f"Accept-Encoding: {accepted}")
    answer = await curl(stage, f"{url}/page.txt", *option)
    equal("status and coding", (answer.status, answer.fields.get("content-encoding", "")), (200, chosen))
    same_bytes("body", answer.body, COPIES[chosen])
    equal("type", answer.fields["content-type"].partition(";")[0], "text/plain")
    equal("caches are told", "accept-encoding" in answer.fields.get("vary", "").lower(), True)
    head = await curl(stage, f"{url}/page.txt", "--head", *option)
    equal("length in HEAD", head.fields["content-length"], str(len(COPIES[chosen])))


async def folder(stage: Stage, url: str) -> None:
    answer = await curl(stage, f"{url}/sub/")
    equal("status", answer.status, 200)
    same_bytes("index.html", answer.body, TEXT)
    moved = await curl(stage, f"{url}/sub")
    equal("without its slash", (moved.status // 100, moved.fields.get("location")), (3, "/files/sub/"))


async def outside(stage: Stage, url: str) -> None:
    for path in OUTSIDE:
        answer = await curl(stage, url + path)
        equal(f"{path} is refused", answer.status in (400, 404), True)
        if b"secret" in answer.body:
            raise Failed(f"{path} gave away what it must not")


async def post(stage: Stage, url: str) -> None:
    answer = await curl(stage, f"{url}/data.bin", "--data", "x")
    equal("status and Allow", (answer.status, answer.fields.get("allow")), (405, "GET, HEAD"))
