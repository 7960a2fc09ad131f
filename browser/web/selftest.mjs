// The comparison itself must be able to fail: checks that are wrong on purpose, and what must be said about them.
import assert from "node:assert/strict";
import { closed, echo } from "./backend.mjs";
import { ended, opened, problemsOf } from "./check.mjs";

const closing = {
  backend: echo,
  page: async ({ server }) => {
    const { socket, opened, closed } = dial(server);
    await opened;
    socket.close();
    return closed;
  },
  standard: { page: [opened, ended(1005)], backend: [{ code: 1005, reason: "" }] },
};

/** Only what stands behind the gateway is told who the client was. */
const isBehindGateway = (upgrade) => upgrade.header("x-forwarded-for") !== undefined;

const WRONG = [
  ["nothing about a check that is right", closing, []],
  [
    "two equal wrongs",
    { ...closing, standard: { ...closing.standard, page: [opened, ended(1000)] } },
    [
      "direct, against the standard: page.1.code is 1005, not 1000",
      "gateway, against the standard: page.1.code is 1005, not 1000",
    ],
  ],
  [
    "a gateway that changes what the backend says",
    {
      backend: (upgrade) => {
        const socket = upgrade.accept();
        socket.close(isBehindGateway(upgrade) ? 4001 : 4000);
        return closed(socket).then(() => "closed");
      },
      page: ({ server }) => untilClosed(server),
      standard: { page: [opened, ended(4000)], backend: ["closed"] },
    },
    [
      "gateway, against the standard: page.1.code is 4001, not 4000",
      "gateway, against direct: page.1.code is 4001, not 4000",
    ],
  ],
  [
    "a gateway whose backend sees something else",
    {
      ...closing,
      backend: async (upgrade) => ({
        ...(await echo(upgrade)),
        more: isBehindGateway(upgrade) ? 1 : undefined,
      }),
    },
    [
      "gateway, against the standard: backend.0.more is 1, not nothing",
      "gateway, against direct: backend.0.more is 1, not nothing",
    ],
  ],
  [
    "a stated difference that is none",
    { ...closing, byDesign: { why: "tides turn" } },
    ["no longer a difference, although tides turn"],
  ],
];

export const selfTests = WRONG.map(([name, check, problems]) => [
  `web: the comparison reports ${name}`,
  async (shared) => {
    const wanted = ["ws", "wss"].flatMap((scheme) => problems.map((problem) => `over ${scheme}, ${problem}`));
    assert.deepEqual(await problemsOf(check, shared), wanted);
  },
]);
