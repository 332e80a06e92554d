"""Every reason that the guide lists was met by one of the tests."""

import pathlib
import re

import unittest

import world

GUIDE = pathlib.Path(__file__).parents[3] / "docs/PARTNER_GUIDE.md"
# Reasons that a client cannot bring about, each with why.
OUT_OF_REACH = {
    "CAPACITY_INVALID": "a weight of nothing is refused as INVALID_FIELDS before",
    "ORDER_UNKNOWN": "needs a load of parcels, which a household's order makes",
    "PARCEL_ON_LOAD": "the same",
    "ROUTE_INVALID": "needs a checkpoint that the area has registered",
    "ROUTE_CONFLICT": "the same",
    "ROUTE_CLOSED": "the same",
    "PHOTO_QUOTA_USED_UP": "512 MiB in a day",
    "PHOTO_DISK": "needs a disk that fails",
    "PHOTO_MISSING": "needs a disk that was lost",
    "PHOTO_ERASED": "90 days on a test clock would run every other timer too",
    "SHIPMENT_FULL": "50 proofs of one shipment; tested beside the domain",
    "UPLOAD_STALLED": "30 real seconds without a chunk; tested over gRPC in Rust",
    "UPLOAD_TAKEN_OVER": "a race of two uploads; tested over gRPC in Rust",
    "UPLOAD_MIXED": "the guard refuses another firm's message before",
    "UPLOADS_TOO_MANY": "eight at once; tested over gRPC in Rust",
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
