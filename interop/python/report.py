"""What a check is, how it is run, and how its result is told."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

CHECK_SECONDS_MAX = 60.0


class Failed(Exception):
    """Something came out differently from what the check demands."""


@dataclass(frozen=True)
class Check:
    name: str
    run: Callable[[], Awaitable[None]]


@dataclass
class Tally:
    passed: int = 0
    failed: int = 0

    def ok(self, name: str) -> None:
        self.passed += 1
        print(f"ok {name}", flush=True)

    def not_ok(self, name: str, reason: str) -> None:
        self.failed += 1
        print(f"not ok {name} — {reason}", flush=True)

    async def run(self, checks: Iterable[Check]) -> None:
        for check in checks:
            try:
                async with asyncio.timeout(CHECK_SECONDS_MAX):
                    await check.run()
            except TimeoutError:
                self.not_ok(check.name, f"not done after {CHECK_SECONDS_MAX:.0f} s")
            except Exception as error:  # noqa: BLE001 — whatever a check stumbles over is its result
                self.not_ok(check.name, reason(error))
            else:
                self.ok(check.name)


def reason(error: BaseException) -> str:
    """One line; of a group of tasks, what the first one stumbled over."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    words = " ".join(str(error).split()) or "no message"
    return words if isinstance(error, Failed) else f"{type(error).__name__}: {words}"


def equal(what: str, found: object, wanted: object) -> None:
    if found != wanted:
        raise Failed(f"{what}: found {found!r}, wanted {wanted!r}")


def same_bytes(what: str, found: bytes, wanted: bytes) -> None:
    """Like `equal`, for payloads too long to print."""
    if found == wanted:
        return
    first = next((i for i, (a, b) in enumerate(zip(found, wanted)) if a != b), min(len(found), len(wanted)))
    raise Failed(f"{what}: {len(found)} bytes instead of {len(wanted)}, different from byte {first} on")


def digest(data: bytes) -> tuple[int, str]:
    return len(data), hashlib.sha256(data).hexdigest()
