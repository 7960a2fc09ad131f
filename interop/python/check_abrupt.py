"""Hundreds of connections at once, cut into random pieces and ended in every way; each byte and each ending is verified.

A quarter of the clients ends by a Close, a quarter by a FIN without one, a quarter by a reset in the middle; in some of
these connections the backend ends as well, and in the last quarter it alone does.

A failure names its seed: `interop/run GATEWAY 'abrupt' SEED` repeats that connection alone, and with only the part
before the slash all of them together.
"""

import asyncio
from collections.abc import Iterator
from functools import partial

import abrupt_plan
import abrupt_run
from abrupt_plan import GROUPS, Ending
from abrupt_run import Results
from report import Check, Failed, equal
from stage import Stage

CONNECTIONS = 512
COMPLAINTS_TOLD_MAX = 5


def checks(stage: Stage) -> Iterator[Check]:
    run_seed, _, number = stage.seed.partition("/")
    numbers = [int(number)] if number else range(CONNECTIONS)
    plans = {number: abrupt_plan.make(run_seed, number) for number in numbers}
    verdicts = Verdicts(stage, plans)
    yield Check(f"abrupt: {len(plans)} connections at once are opened", verdicts.opened)
    for scheme, kind, ending in GROUPS:
        who = "the backend ends" if ending == "wait" else f"the client ends by {ending}"
        yield Check(f"abrupt: {scheme} to {kind}, {who}", partial(verdicts.group, scheme, kind, ending))
    if not number:  # a connection alone need not wake every thread of the gateway before they are counted
        yield Check("abrupt: every descriptor is given back", verdicts.descriptors)
    yield Check("abrupt: SIGTERM ends the gateway with status 0", verdicts.status)


class Verdicts:
    """All of one run, which the first who asks starts."""

    def __init__(self, stage: Stage, plans: dict[int, abrupt_plan.Plan]) -> None:
        self.stage = stage
        self.plans = plans
        self.run: asyncio.Task[Results] | None = None

    async def results(self) -> Results:
        self.run = self.run or asyncio.create_task(abrupt_run.run(self.stage, self.plans))
        return await self.run

    async def opened(self) -> None:
        equal("connections", len((await self.results()).complaints), len(self.plans))

    async def group(self, scheme: str, kind: str, ending: Ending) -> None:
        complaints = (await self.results()).complaints
        told = []
        for number, plan in self.plans.items():
            if (plan.scheme, plan.kind, plan.client.ending) == (scheme, kind, ending) and complaints[number]:
                told.append(f"seed {plan.seed}: {', '.join(complaints[number])}")
        if told:
            raise Failed(f"{len(told)} connections; {'; '.join(told[:COMPLAINTS_TOLD_MAX])}")

    async def descriptors(self) -> None:
        before, after = (await self.results()).descriptors
        equal("descriptors after the run", after, before)

    async def status(self) -> None:
        equal("exit status", (await self.results()).status, 0)
