"""The comparison must be able to fail: every way of doctoring its two files has to be noticed."""

import json
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import compare
import targets
from targets import SAMPLE, TARGETS, Target

ECHO, WEBSOCKET, *_ = TARGETS
FAULTS = ("FAILED", "UNCLEAN", "WRONG CODE", "NON-STRICT", "UNIMPLEMENTED", "FAILED BY CLIENT", "")


def kind(case: str) -> str:
    """The kind of data of group 12, the set of parameters of group 13."""
    return case.rsplit(".", 1)[0]


class CommittedFilesTest(unittest.TestCase):
    def test_every_target_has_acceptable_verdicts_and_if_it_is_called_a_route(self) -> None:
        routes = (targets.HERE / "tidegate.toml").read_text()
        for target in TARGETS:
            with self.subTest(target=target.name):
                self.assertTrue(compare.read_expected(target))
                self.assertEqual(f'path = "/{target.name}"\n' in routes, not target.is_client)

    def test_they_cover_the_suite(self) -> None:
        for target in TARGETS:
            with self.subTest(target=target.name):
                known = set(compare.read_expected(target))
                self.assertEqual(len(known), 517 if target.echoes else 141)
                groups = set(compare.GROUPS) if target.echoes else {"2", "3", "4", "5", "6", "7"}
                self.assertEqual({targets.group(case) for case in known}, groups)

    def test_the_sample_is_a_fifth_and_has_every_kind(self) -> None:
        known = compare.read_expected(WEBSOCKET)
        compression = {case for case in known if targets.group(case) in targets.COMPRESSION}
        self.assertLessEqual(SAMPLE, compression)
        self.assertEqual({kind(case) for case in SAMPLE}, {kind(case) for case in compression})
        self.assertEqual(len(SAMPLE), len(compression) // 5)


class ChoiceTest(unittest.TestCase):
    def test_a_run_takes_the_sample_and_a_full_one_everything(self) -> None:
        known = set(compare.read_expected(WEBSOCKET))
        self.assertEqual(len(targets.cases(known, everything=False)), 301 + len(SAMPLE))
        self.assertEqual(set(targets.cases(known, everything=True)), known)

    def test_parts_are_all_of_it_once(self) -> None:
        chosen = targets.cases(set(compare.read_expected(WEBSOCKET)), everything=False)
        divided = targets.parts(chosen)
        self.assertEqual(list(divided), ["base", "12", "13"])
        self.assertEqual([case for part in divided.values() for case in part], chosen)


class ComparisonTest(unittest.TestCase):
    target = ECHO

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.expected = json.loads(self.target.expected.read_text())
        self.report = {
            case: {**row, "behavior": row["behavior"].split(" or ")[0]} for case, row in self.expected.items()
        }

    def compare(self, agents: dict | None = None) -> compare.Comparison:
        expected, report = self.folder / "expected.json", self.folder / "index.json"
        expected.write_text(json.dumps(self.expected))
        report.write_text(json.dumps({"tidegate": self.report} if agents is None else agents))
        with mock.patch.object(Target, "expected", expected):
            verdicts = compare.read_expected(self.target)
        return compare.compare(self.target.name, verdicts, compare.read_reports([report]))

    def assert_one_differs(self, line: str) -> None:
        comparison = self.compare()
        self.assertEqual((comparison.passed, comparison.failed), (len(self.expected) - 1, 1))
        self.assertTrue(any(text.startswith(f"    {line}") for text in comparison.lines), comparison.lines)
        self.assertEqual(sum(text.startswith("not ok ") for text in comparison.lines), 1)

    def assert_refused(self) -> None:
        with self.assertRaises(compare.Unacceptable):
            self.compare()

    def test_an_equal_report_passes(self) -> None:
        comparison = self.compare()
        self.assertIn(f"ok {self.target.name} group 6 UTF-8: 145 cases", comparison.lines)
        self.assertEqual((comparison.passed, comparison.failed), (len(self.expected), 0))

    def test_a_doctored_expectation_is_refused_even_if_the_report_agrees(self) -> None:
        for word in FAULTS:
            for key in ("behavior", "behaviorClose"):
                with self.subTest(word=word, key=key):
                    self.setUp()
                    self.expected["5.15"][key] = self.report["5.15"][key] = word
                    self.assert_refused()

    def test_an_empty_expectation_is_refused(self) -> None:
        self.expected, self.report = {}, {}
        self.assert_refused()

    def test_every_changed_verdict_fails(self) -> None:
        for key in ("behavior", "behaviorClose"):
            for word in (*FAULTS, "INFORMATIONAL"):
                with self.subTest(word=word, key=key):
                    self.setUp()
                    self.report["1.1.1"][key] = word
                    self.assert_one_differs("1.1.1: expected OK / OK, got ")

    def test_a_missing_case_fails(self) -> None:
        del self.report["9.8.6"]
        self.assert_one_differs("9.8.6: no result")

    def test_a_case_that_nobody_expects_fails(self) -> None:
        del self.expected["10.1.1"]
        self.assertEqual(self.compare().failed, 1)

    def test_a_report_without_results_fails_every_case(self) -> None:
        for agents in ({}, {"tidegate": {}}):
            comparison = self.compare(agents)
            self.assertEqual((comparison.passed, comparison.failed), (0, len(self.expected)))

    def test_a_report_that_is_not_there_has_no_results(self) -> None:
        self.assertEqual(compare.read_reports([self.folder / "index.json"]), {})

    def test_reports_in_parts_are_one_report(self) -> None:
        paths = []
        for part in ("1", "2"):
            path = self.folder / part
            path.write_text(json.dumps({"tidegate": {f"{part}.1.1": {"behavior": "OK", "behaviorClose": "OK"}}}))
            paths.append(path)
        self.assertEqual(compare.read_reports(paths), {"1.1.1": ("OK", "OK"), "2.1.1": ("OK", "OK")})


if __name__ == "__main__":
    unittest.main()
