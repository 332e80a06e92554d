"""Runs all parts of the suite, one after another, and says what became of each.

With -k NAME only the tests whose name contains it.
"""

from __future__ import annotations

import argparse
import pathlib
import sys
import unittest

import world

PARTS = [
    "access",
    "requests",
    "onboarding",
    "passes",
    "tenders",
    "watching",
    "reports",
    "handover",
    "proofs",
    "webhooks",
    "manners",
    # What the others have seen is looked at last.
    "reasons",
]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--suite", type=pathlib.Path, default="data/suite.json")
    parser.add_argument("--baogong", type=pathlib.Path, default="target/release/baogong")
    parser.add_argument("-k", dest="pattern", help="only tests with this in their names")
    given = parser.parse_args()
    world.open_suite(given.suite, given.baogong)
    loader = unittest.TestLoader()
    if given.pattern:
        loader.testNamePatterns = [f"*{given.pattern}*"]
    suite = unittest.TestSuite(loader.loadTestsFromName(f"parts.{part}") for part in PARTS)
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
    return 0 if result.wasSuccessful() and result.testsRun else 1


if __name__ == "__main__":
    sys.exit(main())
