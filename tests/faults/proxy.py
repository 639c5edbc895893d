"""A TCP proxy that is between two parties and can cut, stall, delay or break off what passes."""

import asyncio
import socket
import threading
from collections.abc import Coroutine
from contextlib import suppress
from types import TracebackType
from typing import Any, Self


class Proxy:
    """`with Proxy(port) as proxy:` listens at `proxy.port` and passes everything on to `port`.

    Faults are attributes and hold for what passes from then on: `delay_s` each way; `stalled`: nothing passes, connections
    stay open; `refused`: new connections are reset; `cut_request_after` and `cut_answer_after`: so many bytes of a
    connection pass in that direction, then it is reset.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self.connections = 0
        self.clear()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._writers: set[asyncio.StreamWriter] = set()

    def clear(self) -> None:
        self.delay_s = 0.0
        self.stalled = False
        self.refused = False
        self.cut_request_after: int | None = None
        self.cut_answer_after: int | None = None

    def cut(self) -> None:
        """Reset every connection there is."""
        self._do(self._cut())

    def shut(self) -> None:
        """Listen no more, as a host that is not there."""
        self._do(self._shut())

    def open(self) -> None:
        self._server = self._do(asyncio.start_server(self._serve, "127.0.0.1", self.port))

    def __enter__(self) -> Self:
        self._thread.start()
        self.open()
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _close(self) -> None:
        await self._shut()
        await self._cut()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _shut(self) -> None:
        self._server.close()

    async def _cut(self) -> None:
        for writer in list(self._writers):
            _reset(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if self.refused:
            _reset(writer)
            return
        try:
            there, onward = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            _reset(writer)
            return
        both = {writer, onward}
        self._writers |= both
        try:
            await asyncio.gather(
                self._pass(reader, onward, "cut_request_after", both),
                self._pass(there, writer, "cut_answer_after", both),
            )
        finally:
            self._writers -= both
            for one in both:
                one.close()

    async def _pass(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, limit: str, both: set[asyncio.StreamWriter]
    ) -> None:
        passed = 0
        with suppress(OSError):
            while data := await source.read(65536):
                while self.stalled:
                    await asyncio.sleep(0.01)
                if self.delay_s:
                    await asyncio.sleep(self.delay_s)
                most = getattr(self, limit)
                sink.write(data if most is None else data[: max(0, most - passed)])
                await sink.drain()
                passed += len(data)
                if most is not None and passed >= most:
                    for writer in both:
                        _reset(writer)
                    return
            if sink.can_write_eof():
                sink.write_eof()


def _reset(writer: asyncio.StreamWriter) -> None:
    """End a connection the hard way: RST."""
    raw = writer.get_extra_info("socket")
    if raw is not None:
        with suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    writer.transport.abort()
