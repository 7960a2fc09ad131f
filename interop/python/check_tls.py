"""That the checks over wss prove something: a client without this run's authority must be turned away by its own TLS."""

import ssl
from collections.abc import Iterator
from functools import partial

from report import Check, Failed
from stage import Stage


def checks(stage: Stage) -> Iterator[Check]:
    yield Check("python wss: a client that does not know the authority refuses the certificate", partial(unknown, stage))


async def unknown(stage: Stage) -> None:
    try:
        async with stage.connect("wss", "/tcp", ssl=ssl.create_default_context()):
            raise Failed("connected without knowing the authority")
    except ssl.SSLCertVerificationError:
        pass
