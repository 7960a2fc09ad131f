"""The backends of the abrupt ends, one of plain TCP and one of WebSocket: each connection plays its client's plan."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import raw_websocket
from abrupt_peer import Peer
from abrupt_plan import NUMBER_BYTES, Plan
from report import reason
from transcript import Transcript
from wire import Wire, small_segments


class Backends:
    def __init__(self, plans: dict[int, Plan]) -> None:
        self.plans = plans
        self.ports: dict[str, int] = {}
        self.begin()

    def begin(self) -> None:
        """Forgets who was here."""
        self.peers: dict[int, Peer] = {}
        """By the number of the connection. Of one that was reset early nobody may learn the number."""
        self.failures: dict[int, str] = {}
        self.go = asyncio.Event()
        """Nothing is sent before."""
        self.tasks: set[asyncio.Task[None]] = set()

    async def start(self, stack: AsyncExitStack) -> None:
        for kind, serve in (("tcp", self.serve_tcp), ("websocket", self.serve_websocket)):
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=1024))
            listener.setblocking(False)
            small_segments(listener)
            self.ports[kind] = listener.getsockname()[1]
            accepting = asyncio.create_task(self.accept(listener, serve))
            stack.push_async_callback(asyncio.wait, [accepting])
            stack.callback(accepting.cancel)
        stack.callback(lambda: [task.cancel() for task in self.tasks])

    async def accept(self, listener: socket.socket, serve: Callable[[Wire], Awaitable[None]]) -> None:
        while True:
            accepted, _ = await asyncio.get_running_loop().sock_accept(listener)
            self.tasks.add(asyncio.create_task(serve(Wire(accepted))))

    async def all_done(self) -> None:
        while running := [task for task in self.tasks if not task.done()]:
            await asyncio.wait(running)

    async def serve_tcp(self, wire: Wire) -> None:
        greeting = bytearray()
        while len(greeting) < NUMBER_BYTES:
            try:
                data = await wire.receive(NUMBER_BYTES)
            except OSError:
                data = b""
            if not data:
                return wire.close()
            greeting += data
        await self.play(int.from_bytes(greeting[:NUMBER_BYTES]), wire, greeting)

    async def serve_websocket(self, wire: Wire) -> None:
        path, received = await raw_websocket.accept(wire)
        await self.go.wait()
        await self.play(int(path.rsplit("/", 1)[-1]), wire, received)

    async def play(self, number: int, wire: Wire, received: Transcript | bytearray) -> None:
        plan = self.plans[number]
        self.peers[number] = Peer(plan, plan.backend, plan.client, wire, received)
        try:
            await self.peers[number].run()
        except Exception as error:  # noqa: BLE001 — whatever it stumbles over is this connection's result
            self.failures[number] = f"at the backend: {reason(error)}"
