"""Every reason that the guide lists was met by one of the tests."""

import pathlib
import re

import unittest

import world

GUIDE = pathlib.Path(__file__).parents[3] / "docs/PARTNER_GUIDE.md"
# Reasons that a client cannot bring about, each with why.
OUT_OF_REACH = {
    "CAPACITY_INVALID": "a weight of nothing is refused as INVALID_FIELDS before",
    "PROOF_INCOMPLETE": "no method takes proofs yet",
}


class Reasons(unittest.TestCase):
    def test_every_reason_of_the_guide_was_seen(self) -> None:
        table = GUIDE.read_text().split("## When you are refused")[1]
        rows = [line for line in table.splitlines() if line.startswith("|")]
        listed = {
            reason for row in rows for reason in re.findall(r"`([A-Z_]{5,})`", row.split("|")[2])
        }
        self.assertGreater(len(listed), 20, "the table of reasons was found")
        missing = listed - world.SEEN_REASONS - OUT_OF_REACH.keys()
        self.assertEqual(missing, set())
        self.assertEqual(OUT_OF_REACH.keys() & world.SEEN_REASONS, set())
