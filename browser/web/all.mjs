// All web checks, in the order in which they run.
import { addressChecks } from "./addresses.mjs";
import { bufferedChecks } from "./buffered.mjs";
import { webTests } from "./check.mjs";
import { closingChecks } from "./closing.mjs";
import { cookieChecks } from "./cookies.mjs";
import { endingChecks } from "./endings.mjs";
import { extensionChecks } from "./extensions.mjs";
import { largeChecks } from "./large.mjs";
import { messageChecks } from "./messages.mjs";
import { openingChecks } from "./opening.mjs";
import { pageChecks } from "./pages.mjs";
import { refusalChecks } from "./refusals.mjs";
import { selfTests } from "./selftest.mjs";
import { streamChecks } from "./streams.mjs";
import { subprotocolChecks } from "./subprotocols.mjs";

const checks = [
  ...openingChecks,
  ...closingChecks,
  ...endingChecks,
  ...subprotocolChecks,
  ...extensionChecks,
  ...cookieChecks,
  ...messageChecks,
  ...largeChecks,
  ...bufferedChecks,
  ...addressChecks,
  ...refusalChecks,
  ...pageChecks,
  ...streamChecks,
];

export const allWebTests = [...selfTests, ...webTests(checks)];
