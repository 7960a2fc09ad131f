"""The comparison must be able to fail: every way of doctoring its two files has to be noticed."""

import contextlib
import io
import json
import tempfile
import unittest
from pathlib import Path

import compare

COMMITTED = Path(__file__).parent / "expected" / "server.json"


class ComparisonTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.expected = json.loads(COMMITTED.read_text())
        self.report = json.loads(COMMITTED.read_text())

    def compare(self, agents: dict | None = None) -> tuple[int, str]:
        expected, report = self.folder / "expected.json", self.folder / "index.json"
        expected.write_text(json.dumps(self.expected))
        report.write_text(json.dumps({"tidegate": self.report} if agents is None else agents))
        with contextlib.redirect_stdout(io.StringIO()) as output:
            status = compare.main(str(expected), str(report))
        return status, output.getvalue()

    def test_the_committed_file_covers_the_suite(self) -> None:
        self.assertEqual(len(self.expected), 301)
        self.assertEqual({case.split(".")[0] for case in self.expected}, set(compare.GROUPS))

    def test_an_equal_report_passes(self) -> None:
        status, output = self.compare()
        self.assertEqual(status, 0)
        self.assertIn("ok group 6 UTF-8: 145 cases", output)
        self.assertTrue(output.endswith("301 passed, 0 failed, 0 skipped\n"))

    def test_a_doctored_expectation_is_refused_even_if_the_report_agrees(self) -> None:
        for word in ("FAILED", "UNCLEAN", "WRONG CODE", "NON-STRICT", "UNIMPLEMENTED", "FAILED BY CLIENT", ""):
            for key in ("behavior", "behaviorClose"):
                with self.subTest(word=word, key=key):
                    self.setUp()
                    self.expected["5.15"][key] = self.report["5.15"][key] = word
                    self.assertEqual(self.compare()[0], 2)

    def test_an_empty_expectation_is_refused(self) -> None:
        self.expected, self.report = {}, {}
        self.assertEqual(self.compare()[0], 2)

    def test_every_changed_verdict_fails(self) -> None:
        for key in ("behavior", "behaviorClose"):
            for word in ("FAILED", "NON-STRICT", "UNCLEAN", "INFORMATIONAL"):
                with self.subTest(word=word, key=key):
                    self.setUp()
                    self.report["3.2"][key] = word
                    status, output = self.compare()
                    self.assertEqual(status, 1)
                    self.assertIn("    3.2: expected OK / OK, got ", output)
                    self.assertTrue(output.endswith("300 passed, 1 failed, 0 skipped\n"))

    def test_a_missing_case_fails(self) -> None:
        del self.report["9.8.6"]
        status, output = self.compare()
        self.assertEqual(status, 1)
        self.assertIn("    9.8.6: no result", output)

    def test_a_case_that_nobody_expects_fails(self) -> None:
        del self.expected["10.1.1"]
        self.assertEqual(self.compare()[0], 1)

    def test_a_report_without_results_fails_every_case(self) -> None:
        for agents in ({}, {"tidegate": {}}):
            status, output = self.compare(agents)
            self.assertEqual(status, 1)
            self.assertTrue(output.endswith("0 passed, 301 failed, 0 skipped\n"))
        (self.folder / "index.json").unlink()
        self.assertEqual(compare.read_report(self.folder / "index.json"), {})


if __name__ == "__main__":
    unittest.main()
