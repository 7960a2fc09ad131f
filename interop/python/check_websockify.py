"""`tidegate websockify`, with websockify's own options for tokens: a real Redis, tokens that openssl has
signed, and tokens that jwcrypto, which websockify uses, has encrypted."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

from jwcrypto import jwk, jwt
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

import gateway
import payload
from check_redis import encoded
from check_relay import read_stream
from gateway import Gateway
from report import Check, Failed, equal, same_bytes
from services import Redis
from stage import Stage

PASSWORD = "s3cret"
KEY_MAKERS = {
    "RS256": ("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"),
    "EdDSA": ("genpkey", "-algorithm", "ED25519"),
}


def checks(stage: Stage) -> Iterator[Check]:
    yield Check("websockify: TokenRedis, host:port and JSON", partial(token_redis, stage))
    yield Check("websockify: TokenRedis, a database and a namespace", partial(token_redis, stage, database=3, namespace="desktops"))
    yield Check("websockify: TokenRedis, a password", partial(token_redis, stage, password=PASSWORD, namespace="a:b"))
    yield Check("websockify: TokenRedis, a Redis that wants a password and gets none", partial(not_let_in, stage))
    yield Check("websockify: JWTTokenApi, a shared secret", partial(jwt_secret, stage))
    for algorithm in KEY_MAKERS:
        yield Check(f"websockify: JWTTokenApi, {algorithm} by openssl", partial(jwt_public, stage, algorithm))
    yield Check("websockify: JWTTokenApi, encrypted with an RSA key by jwcrypto", partial(jwe_private, stage))
    yield Check("websockify: JWTTokenApi, encrypted with a shared key by jwcrypto", partial(jwe_shared, stage))


@asynccontextmanager
async def websockify(stage: Stage, *options: str | Path) -> AsyncIterator[int]:
    """Its port."""
    port = gateway.free_port()
    log = stage.folder / "websockify.log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            stage.binary, "websockify", *options, f"127.0.0.1:{port}", stdout=output, stderr=output
        )
    running = Gateway(process, log, {})
    try:
        async with asyncio.timeout(gateway.START_SECONDS_MAX):
            await gateway.until_listening(running, port)
        yield port
        equal("exit status after SIGTERM", await running.drain(), 0)
    finally:
        await running.kill()


def dial(port: int, token: str) -> connect:
    return connect(f"ws://127.0.0.1:{port}/websockify?token={token}", proxy=None, compression=None, max_size=None)


async def leads_to_echo(port: int, token: str) -> None:
    data = payload.binary(token, payload.MIB)
    async with dial(port, token) as client:
        await client.send(data)
        same_bytes(f"echo of {token[:20]}", await read_stream(client, len(data)), data)


async def refused(port: int, token: str) -> int:
    try:
        async with dial(port, token):
            raise Failed(f"{token[:20]} was let in")
    except InvalidStatus as answer:
        return answer.response.status_code


async def token_redis(
    stage: Stage, database: int = 0, password: str = "", namespace: str = ""
) -> None:
    target = f"127.0.0.1:{stage.tcp.ports['echo']}"
    prefix = f"{namespace}:" if namespace else ""
    async with AsyncExitStack() as stack:
        redis = Redis(password)
        await redis.start(stack)
        values = {"plain": target, "json": json.dumps({"host": target}), "nowhere": "no address at all"}
        login = [("AUTH", password)] if password else []
        keys = [("SET", prefix + token, value) for token, value in values.items()]
        commands = [*login, ("SELECT", str(database)), *keys, ("SET", "unprefixed", target)]
        await tell(redis, commands)
        # A field with a colon in it is quoted, as websockify has it.
        last = f'"{namespace}"' if ":" in namespace else namespace
        source = f"127.0.0.1:{redis.port}:{database or ''}:{password}:{last}"
        options = ("--token-plugin", "TokenRedis", "--token-source", source)
        port = await stack.enter_async_context(websockify(stage, *options))
        for token in "plain", "json":
            await leads_to_echo(port, token)
        equal("unknown", await refused(port, "unknown"), 403)
        equal("nowhere", await refused(port, "nowhere"), 502)
        if namespace:
            equal("a key outside of the namespace", await refused(port, "unprefixed"), 403)


async def not_let_in(stage: Stage) -> None:
    """Closed, not open: nobody is connected where Redis says nothing."""
    async with AsyncExitStack() as stack:
        redis = Redis(PASSWORD)
        await redis.start(stack)
        options = ("--token-plugin", "TokenRedis", "--token-source", f"127.0.0.1:{redis.port}")
        port = await stack.enter_async_context(websockify(stage, *options))
        equal("any token", await refused(port, "any"), 502)


async def tell(redis: Redis, commands: list[tuple[str, ...]]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", redis.port)
    for command in commands:
        writer.write(encoded(tuple(word.encode() for word in command)))
        equal(f"what Redis answers to {command[0]}", await reader.readuntil(b"\r\n"), b"+OK\r\n")
    writer.close()


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unsigned(algorithm: str, claims: dict[str, object]) -> str:
    return ".".join(base64url(json.dumps(part).encode()) for part in ({"alg": algorithm, "typ": "JWT"}, claims))


def claims(stage: Stage) -> dict[str, object]:
    return {"host": "127.0.0.1", "port": str(stage.tcp.ports["echo"]), "exp": int(time.time()) + 600}


async def jwt_secret(stage: Stage) -> None:
    secret = payload.binary("secret", 32)

    def signed(claims: dict[str, object], key: bytes = secret) -> str:
        said = unsigned("HS256", claims)
        return f"{said}.{base64url(hmac.digest(key, said.encode(), hashlib.sha256))}"

    source = stage.folder / "websockify.jwk"
    source.write_text(base64url(secret))
    source.chmod(0o600)
    async with websockify(stage, "--token-plugin", "JWTTokenApi", "--token-source", source) as port:
        await leads_to_echo(port, signed(claims(stage)))
        equal("of another secret", await refused(port, signed(claims(stage), b"another" * 5)), 403)
        equal("of the past", await refused(port, signed(claims(stage) | {"exp": int(time.time()) - 600})), 403)


async def jwt_public(stage: Stage, algorithm: str) -> None:
    key, public = stage.folder / f"{algorithm}.key", stage.folder / f"{algorithm}.pub"
    await openssl(*KEY_MAKERS[algorithm], "-out", key)
    await openssl("pkey", "-in", key, "-pubout", "-out", public)
    async with websockify(stage, "--token-plugin", "JWTTokenApi", "--token-source", public) as port:
        said = unsigned(algorithm, claims(stage))
        signature = base64url(await sign(stage, algorithm, key, said))
        await leads_to_echo(port, f"{said}.{signature}")
        forged = unsigned(algorithm, claims(stage) | {"port": 1})
        equal("other claims with that signature", await refused(port, f"{forged}.{signature}"), 403)
        # The public key is no secret that anybody could sign with.
        said = unsigned("HS256", claims(stage))
        mac = base64url(hmac.digest(public.read_bytes(), said.encode(), hashlib.sha256))
        equal("signed with the public key", await refused(port, f"{said}.{mac}"), 403)


def sealed(key: jwk.JWK, algorithm: str, encryption: str, inside: object) -> str:
    token = jwt.JWT(header={"alg": algorithm, "enc": encryption}, claims=inside)
    token.make_encrypted_token(key)
    return str(token.serialize())


def signed_with(key: jwk.JWK, algorithm: str, claims: dict[str, object]) -> str:
    token = jwt.JWT(header={"alg": algorithm}, claims=claims)
    token.make_signed_token(key)
    return str(token.serialize())


async def jwe_private(stage: Stage) -> None:
    file = stage.folder / "encrypted.key"
    await openssl(*KEY_MAKERS["RS256"], "-out", file)
    key, another = jwk.JWK.from_pem(file.read_bytes()), jwk.JWK.generate(kty="RSA", size=2048)
    async with websockify(stage, "--token-plugin", "JWTTokenApi", "--token-source", file) as port:
        inside = signed_with(key, "RS256", claims(stage))
        await leads_to_echo(port, inside)
        for algorithm, encryption in (("RSA-OAEP", "A256CBC-HS512"), ("RSA-OAEP-256", "A128GCM"), ("RSA-OAEP", "A192CBC-HS384")):
            await leads_to_echo(port, sealed(key, algorithm, encryption, inside))
        # Anybody has the public key, and can encrypt what he likes.
        equal("not signed", await refused(port, sealed(key, "RSA-OAEP", "A256GCM", claims(stage))), 403)
        forged = signed_with(another, "RS256", claims(stage))
        equal("signed with another key", await refused(port, sealed(key, "RSA-OAEP", "A256GCM", forged)), 403)
        equal("for another key", await refused(port, sealed(another, "RSA-OAEP", "A256GCM", inside)), 403)
        past = signed_with(key, "RS256", claims(stage) | {"exp": int(time.time()) - 600})
        equal("of the past", await refused(port, sealed(key, "RSA-OAEP", "A256GCM", past)), 403)


async def jwe_shared(stage: Stage) -> None:
    secret = payload.binary("shared", 32)
    source = stage.folder / "encrypted.jwk"
    source.write_text(base64url(secret))
    source.chmod(0o600)
    key = jwk.JWK(kty="oct", k=base64url(secret))
    async with websockify(stage, "--token-plugin", "JWTTokenApi", "--token-source", source) as port:
        inside = signed_with(key, "HS256", claims(stage))
        for algorithm, encryption in (("A256KW", "A128CBC-HS256"), ("A256KW", "A192GCM"), ("dir", "A256GCM"), ("dir", "A128CBC-HS256")):
            await leads_to_echo(port, sealed(key, algorithm, encryption, inside))
        token = sealed(key, "A256KW", "A256GCM", inside)
        header, rest = token.split(".", 1)
        changed = json.loads(base64.urlsafe_b64decode(header + "==")) | {"kid": "1"}
        token = f"{base64url(json.dumps(changed).encode())}.{rest}"
        equal("with another header", await refused(port, token), 403)
        other = jwk.JWK(kty="oct", k=base64url(payload.binary("other", 32)))
        equal("of another secret", await refused(port, sealed(other, "A256KW", "A256GCM", inside)), 403)


async def sign(stage: Stage, algorithm: str, key: Path, text: str) -> bytes:
    message, signature = stage.folder / f"{algorithm}.message", stage.folder / f"{algorithm}.signature"
    message.write_text(text)
    digest = ("-digest", "sha256") if algorithm == "RS256" else ()
    await openssl("pkeyutl", "-sign", "-inkey", key, "-rawin", *digest, "-in", message, "-out", signature)
    return signature.read_bytes()


async def openssl(*arguments: str | Path) -> None:
    process = await asyncio.create_subprocess_exec("openssl", *arguments, stderr=asyncio.subprocess.PIPE)
    _, errors = await process.communicate()
    if process.returncode != 0:
        raise Failed(f"openssl {arguments[0]} ended with status {process.returncode}: {errors.decode()}")
