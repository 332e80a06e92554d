"""Proofs, photos, PIN, bags."""

import hashlib
import uuid

import grpc

import world
from world import freight, fs, pb

JPEG = b"\xff\xd8\xff" + b"a photo of a door" * 4_000
CHUNK = 60_000


class Proofs(world.Area):
    def setUp(self) -> None:
        super().setUp()
        self.acme = self.equipped()

    def prove(self, shipment_id: str, **other) -> str:  # noqa: ANN003
        fields = {
            "kind": freight.PROOF_KIND_BARCODE,
            "outcome": freight.PROOF_OUTCOME_DELIVERED,
            "barcodes": ["4006381333931"],
            "relation": freight.RECIPIENT_RELATION_GUARD,
            "occurred_time": self.at(0),
        }
        request = pb.RecordProofRequest(shipment_id=shipment_id, **{**fields, **other})
        return self.acme.RecordProof(request).proof_id

    def test_proofs_are_listed_with_who_was_there(self) -> None:
        shipment_id = self.arrived(self.acme)
        proof_id = self.prove(shipment_id, recipient_name="Wang Fang")
        listed = self.acme.ListProofs(pb.ListProofsRequest(shipment_id=shipment_id)).proofs
        self.assertEqual([proof.proof_id for proof in listed], [proof_id])
        self.assertEqual(listed[0].relation, freight.RECIPIENT_RELATION_GUARD)

    def test_stops_that_failed_and_goods_that_came_back_have_proofs_too(self) -> None:
        shipment_id = self.arrived(self.acme)
        for outcome in (freight.PROOF_OUTCOME_FAILED, freight.PROOF_OUTCOME_RETURNED):
            self.prove(shipment_id, outcome=outcome)
        listed = self.acme.ListProofs(pb.ListProofsRequest(shipment_id=shipment_id)).proofs
        self.assertEqual(len(listed), 2)

    def test_a_proof_needs_what_it_is_by(self) -> None:
        shipment_id = self.arrived(self.acme)
        with self.refused("PROOF_INCOMPLETE", grpc.StatusCode.INVALID_ARGUMENT):
            self.prove(shipment_id, barcodes=[])

    def test_the_pin_is_asked_for_and_locked_after_five_wrong_ones(self) -> None:
        shipment_id = self.arrived(self.acme)
        pin = {"kind": freight.PROOF_KIND_PIN, "barcodes": []}
        with self.refused("PIN_NOT_ISSUED", grpc.StatusCode.FAILED_PRECONDITION):
            self.prove(shipment_id, pin="123456", **pin)
        issued = self.dispatcher.IssuePin(fs.IssuePinRequest(shipment_id=shipment_id)).pin
        self.assertRegex(issued, r"^\d{6}$")
        wrong = "000000" if issued != "000000" else "111111"
        for _ in range(4):
            with self.refused("PIN_WRONG", grpc.StatusCode.INVALID_ARGUMENT):
                self.prove(shipment_id, pin=wrong, **pin)
        for fifth in (wrong, issued):
            with self.refused("PIN_LOCKED", grpc.StatusCode.FAILED_PRECONDITION):
                self.prove(shipment_id, pin=fifth, **pin)
        again = self.dispatcher.IssuePin(fs.IssuePinRequest(shipment_id=shipment_id)).pin
        self.prove(shipment_id, pin=again, **pin)

    def test_the_manifest_has_each_bag(self) -> None:
        load = self.load()
        load.pickups[0].lines[0].labels.extend(["bag-1", "bag-2"])
        shipment_id = self.ready(self.acme, load)
        scanned = self.milestone(
            shipment_id, freight.MILESTONE_LOADED, "farm", labels=["bag-1", "bag-9"]
        )
        self.assertEqual(self.report(self.acme, scanned)[0].reason, "LABEL_UNKNOWN")
        twice = self.milestone(
            shipment_id, freight.MILESTONE_LOADED, "farm", labels=["bag-1", "bag-1"]
        )
        self.assertEqual(self.report(self.acme, twice)[0].reason, "LABEL_TWICE")
        good = self.milestone(
            shipment_id, freight.MILESTONE_LOADED, "farm", labels=["bag-1", "bag-2"]
        )
        self.assertOutcomes(self.report(self.acme, good), pb.REPORT_OUTCOME_RECORDED)
        manifest = self.acme.GetManifest(pb.GetManifestRequest(shipment_id=shipment_id)).manifest
        bags = manifest.stops[0].lines[0].bags
        self.assertEqual([(bag.label, bag.loaded) for bag in bags], [("bag-1", True), ("bag-2", True)])


class Photos(world.Area):
    def setUp(self) -> None:
        super().setUp()
        self.acme = self.equipped()
        self.shipment_id = self.arrived(self.acme)

    def upload(self, photo: bytes, **header):  # noqa: ANN003, ANN201
        """The header and the chunks, changed where the test wants it."""
        fields = {
            "shipment_id": self.shipment_id,
            "format": freight.PHOTO_FORMAT_JPEG,
            "size_bytes": len(photo),
            "sha256": hashlib.sha256(photo).digest(),
        }
        head = pb.PhotoHeader(**{**fields, **header})
        first = pb.UploadPhotoRequest(request_id=str(uuid.uuid4()), header=head)
        chunks = [
            pb.UploadPhotoRequest(chunk=photo[at : at + CHUNK])
            for at in range(head.offset_bytes, len(photo), CHUNK)
        ]
        return [self.fill(message) for message in [first, *chunks]]

    def fill(self, message: pb.UploadPhotoRequest) -> pb.UploadPhotoRequest:
        message.area, message.carrier_id = self.area, "acme"
        return message

    def send(self, messages: list[pb.UploadPhotoRequest]) -> pb.UploadPhotoResponse:
        try:
            return self.acme.stub.UploadPhoto(
                iter(messages), metadata=self.acme.metadata, timeout=world.DEADLINE_S
            )
        except grpc.RpcError as error:
            raise world.Refused(error) from error

    def state(self, photo: bytes) -> pb.GetUploadResponse:
        return self.acme.GetUpload(
            pb.GetUploadRequest(
                shipment_id=self.shipment_id, sha256=hashlib.sha256(photo).digest()
            )
        )

    def test_a_photo_may_come_after_the_proof_that_names_it(self) -> None:
        digest = hashlib.sha256(JPEG).digest()
        self.acme.RecordProof(
            pb.RecordProofRequest(
                shipment_id=self.shipment_id,
                kind=freight.PROOF_KIND_PHOTO,
                outcome=freight.PROOF_OUTCOME_DELIVERED,
                photo_sha256=digest,
                occurred_time=self.at(0),
            )
        )
        listed = pb.ListProofsRequest(shipment_id=self.shipment_id)
        proof = self.acme.ListProofs(listed).proofs[0]
        self.assertEqual(proof.photo_state, freight.PHOTO_STATE_PENDING)
        self.assertEqual(self.send(self.upload(JPEG)).sha256, digest)
        proof = self.acme.ListProofs(listed).proofs[0]
        self.assertEqual(proof.photo_state, freight.PHOTO_STATE_STORED)

    def test_it_is_given_back_as_it_was(self) -> None:
        self.send(self.upload(JPEG))
        request = self.acme.fill(
            pb.DownloadPhotoRequest(
                shipment_id=self.shipment_id, sha256=hashlib.sha256(JPEG).digest()
            )
        )
        parts = self.acme.stub.DownloadPhoto(
            request, metadata=self.acme.metadata, timeout=world.DEADLINE_S
        )
        self.assertEqual(b"".join(part.chunk for part in parts), JPEG)

    def test_what_is_not_as_the_header_says_is_not_kept(self) -> None:
        png = b"\x89PNG\r\n\x1a\n" + b"x" * 100
        long = [*self.upload(JPEG), self.fill(pb.UploadPhotoRequest(chunk=b"more"))]
        chunk = self.fill(pb.UploadPhotoRequest(chunk=b"x" * 65_537))
        early = self.fill(pb.UploadPhotoRequest(request_id=str(uuid.uuid4()), chunk=JPEG[:100]))
        for reason, messages in {
            "UPLOAD_HASH_DIFFERS": self.upload(JPEG, sha256=b"h" * 32),
            "UPLOAD_FORMAT_DIFFERS": self.upload(png),
            "UPLOAD_TOO_LONG": long,
            "UPLOAD_INCOMPLETE": self.upload(JPEG)[:2],
            "UPLOAD_ORDER": [early],
            "UPLOAD_CHUNK_SIZE": [self.upload(JPEG)[0], chunk],
            "UPLOAD_OFFSET": self.upload(JPEG, offset_bytes=len(JPEG) - 1),
        }.items():
            with self.subTest(reason), self.refused(reason):
                self.send(messages)
        self.assertNotEqual(self.state(JPEG).state, freight.PHOTO_STATE_STORED)

    def test_one_that_was_cut_off_goes_on_where_it_was(self) -> None:
        with self.refused("UPLOAD_INCOMPLETE"):
            self.send(self.upload(JPEG)[:2])
        received = self.state(JPEG).received_bytes
        self.assertEqual(received, CHUNK)
        self.send(self.upload(JPEG, offset_bytes=received))
        self.assertEqual(self.state(JPEG).state, freight.PHOTO_STATE_STORED)

    def test_another_firms_photo_does_not_exist(self) -> None:
        self.send(self.upload(JPEG))
        other = self.registered("other")
        with self.assertRaises(world.Refused) as caught:
            other.GetUpload(
                pb.GetUploadRequest(
                    shipment_id=self.shipment_id, sha256=hashlib.sha256(JPEG).digest()
                )
            )
        self.assertEqual(caught.exception.code, grpc.StatusCode.NOT_FOUND)
