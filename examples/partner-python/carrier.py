#!/usr/bin/env python3
"""A partner firm: carries loads from the tender to the proof of delivery.

    ./setup.sh
    .venv/bin/python carrier.py --carrier acme --token-file acme.token

It registers a lorry and a driver, applies for a pass, offers capacity, and
deals with whatever it is told: it accepts, assigns, drives (in seconds),
reports, hands over, proves. With --loads N it ends after N loads.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import pathlib
import sys
import threading
import time

import suite
from suite import Firm, details, pb

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from baogong.logistics.v1 import freight_pb2 as freight

# Stands for what the driver's camera gives: a JPEG begins like this.
PHOTO = b"\xff\xd8\xff\xe0" + b"goods at the gate " * 8_000
CHUNK_BYTES = 60_000
CERTIFICATE = b"The text of the certificate that the pass rests on."


def stamp(moment: datetime.datetime) -> Timestamp:
    timestamp = Timestamp()
    timestamp.FromDatetime(moment)
    return timestamp


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc)


def say(text: str) -> None:
    print(f"{now():%H:%M:%S}  {text}", flush=True)


class Carrier:
    """What the firm knows: nothing that it could not ask for again."""

    def __init__(self, firm: Firm, arguments: argparse.Namespace) -> None:
        self.firm = firm
        self.vehicle = arguments.vehicle
        self.driver = arguments.driver
        self.zones = arguments.zones
        self.capacity = arguments.tonnes * 1_000_000
        self.pause = arguments.pause
        self.wanted = arguments.loads
        self.passes: dict[str, pb.Pass] = {}
        self.done: set[str] = set()

    # Before the first load.

    def enter(self) -> None:
        firm = self.firm
        firm.ask(
            "RegisterVehicle",
            pb.RegisterVehicleRequest(vehicle_id=self.vehicle, capacity_grams=self.capacity),
        )
        firm.ask("RegisterDriver", pb.RegisterDriverRequest(driver_id=self.driver))
        say(f"{self.vehicle} and {self.driver} are registered")
        for listed in firm.ask("ListPasses", pb.ListPassesRequest()).passes:
            self.passes[listed.pass_id] = listed
        self.need_pass()
        begin, end = now(), now() + datetime.timedelta(hours=12)
        firm.ask(
            "OfferCapacity",
            pb.OfferCapacityRequest(
                zones=self.zones,
                capacity_grams=self.capacity * 100,
                from_time=stamp(begin),
                to_time=stamp(end),
            ),
        )
        say(f"capacity is on offer in {', '.join(self.zones)}")

    def apply_for_pass(self) -> None:
        begin, end = now(), now() + datetime.timedelta(hours=24)
        applied = self.firm.ask(
            "ApplyForPass",
            pb.ApplyForPassRequest(
                vehicle_id=self.vehicle,
                driver_id=self.driver,
                zones=self.zones,
                from_time=stamp(begin),
                to_time=stamp(end),
                certificate_sha256=hashlib.sha256(CERTIFICATE).digest(),
            ),
        )
        self.passes[applied.pass_id] = pb.Pass(
            pass_id=applied.pass_id, state=freight.PASS_STATE_APPLIED
        )
        say(f"pass {applied.pass_id} is applied for")

    def need_pass(self) -> None:
        """Applies for a pass, unless one is there or applied for."""
        waits = any(held.state == freight.PASS_STATE_APPLIED for held in self.passes.values())
        if self.good_pass() is None and not waits:
            self.apply_for_pass()

    def good_pass(self) -> pb.Pass | None:
        for held in self.passes.values():
            if held.state == freight.PASS_STATE_ISSUED and held.vehicle_id == self.vehicle:
                return held
        return None

    # What the firm is told.

    def deal_with(self, message: pb.WatchTendersResponse) -> bool:
        kind = message.WhichOneof("update")
        if kind == "tendered":
            self.tendered(message.tendered)
        elif kind == "ended":
            ended = message.ended
            reason = freight.WithdrawReason.Name(ended.reason)
            say(f"{ended.shipment_id}: round {ended.round} is over ({reason})")
        elif kind == "pass":
            self.passed(getattr(message, "pass"))
        elif kind == "shipment":
            self.changed(message.shipment)
        return self.wanted > 0 and len(self.done) >= self.wanted

    def tendered(self, shipment: pb.Shipment) -> None:
        if not shipment.HasField("load"):
            return  # Over by now.
        weight = shipment.weight_grams / 1000
        say(f"{shipment.shipment_id}: tendered, round {shipment.round}, {weight:g} kg")
        try:
            if shipment.weight_grams > self.capacity:
                self.firm.ask(
                    "DeclineTender",
                    pb.DeclineTenderRequest(
                        shipment_id=shipment.shipment_id,
                        round=shipment.round,
                        reason=freight.DECLINE_REASON_NO_CAPACITY,
                        note="our lorry is too small",
                    ),
                )
                return
            self.firm.ask(
                "AcceptTender",
                pb.AcceptTenderRequest(shipment_id=shipment.shipment_id, round=shipment.round),
            )
        except grpc.RpcError as error:
            # Another round is open, or none: the next message says which.
            if details(error)[0] not in ("TENDER_OVER", "SHIPMENT_STATE"):
                raise
            return
        say(f"{shipment.shipment_id}: accepted")
        self.carry(shipment.shipment_id)

    def passed(self, told: pb.Pass) -> None:
        self.passes[told.pass_id] = told
        say(f"pass {told.pass_id}: {freight.PassState.Name(told.state)} {told.reason}")
        gone = (freight.PASS_STATE_REVOKED, freight.PASS_STATE_EXPIRED)
        if told.state in gone:
            self.need_pass()
        elif told.state == freight.PASS_STATE_ISSUED:
            # Whatever waited for it.
            accepted = pb.ListShipmentsRequest(state=freight.SHIPMENT_STATE_ACCEPTED)
            for shipment in self.firm.ask("ListShipments", accepted).shipments:
                self.carry(shipment.shipment_id)

    def changed(self, shipment: pb.Shipment) -> None:
        state = shipment.state
        open_incidents = [i for i in shipment.incidents if not i.HasField("closed_time")]
        for incident in open_incidents:
            say(f"{shipment.shipment_id}: incident, {incident.note}")
        if state == freight.SHIPMENT_STATE_ARRIVED_DESTINATION:
            # It waits at the destination until the way is free.
            self.hand_over(shipment.shipment_id)
        elif state in (
            freight.SHIPMENT_STATE_CUSTODY_TRANSFERRED,
            freight.SHIPMENT_STATE_CLOSED,
        ):
            self.prove(shipment)

    # One load.

    def carry(self, shipment_id: str) -> None:
        held = self.good_pass()
        if held is None:
            say(f"{shipment_id}: waits for a pass")
            return
        try:
            self.firm.ask(
                "AssignResources",
                pb.AssignResourcesRequest(
                    shipment_id=shipment_id,
                    vehicle_id=self.vehicle,
                    driver_id=self.driver,
                    pass_id=held.pass_id,
                ),
            )
        except grpc.RpcError as error:
            reason, _ = details(error)
            if reason in ("TENDER_OVER", "SHIPMENT_STATE", "SHIPMENT_UNKNOWN"):
                return  # It changed or was taken away: we are told.
            if reason != "PASS_INVALID":
                raise
            say(f"{shipment_id}: {error.details()}")
            del self.passes[held.pass_id]
            self.need_pass()
            return
        shipment = self.shipment(shipment_id)
        if shipment.state != freight.SHIPMENT_STATE_RESOURCE_ASSIGNED:
            return
        say(f"{shipment_id}: {self.vehicle} sets out")
        self.drive(shipment)
        self.hand_over(shipment_id)

    def shipment(self, shipment_id: str) -> pb.Shipment:
        request = pb.GetShipmentRequest(shipment_id=shipment_id)
        return self.firm.ask("GetShipment", request).shipment

    def drive(self, shipment: pb.Shipment) -> None:
        """Reports the whole way over one long call; what was not answered when
        it breaks is sent again over the next.
        """
        lists = []

        def report(number: str, **what: object) -> pb.CarrierReport:
            return pb.CarrierReport(
                report_id=number, shipment_id=shipment.shipment_id, **what
            )

        def milestone(number: str, name: int, stop: str = "") -> pb.CarrierReport:
            return report(number, milestone=pb.MilestoneReport(milestone=name, stop_id=stop))

        round_ = shipment.round
        lists.append([milestone(f"{round_}-departed", freight.MILESTONE_DEPARTED)])
        for n, pickup in enumerate(shipment.load.pickups):
            stop = pickup.stop_id
            lists.append(
                [
                    report(
                        f"{round_}-position-{n}",
                        position=pb.PositionReport(
                            latitude_e7=324_000_000 + 10_000 * n,
                            longitude_e7=961_000_000 + 10_000 * n,
                            eta_time=stamp(now() + datetime.timedelta(minutes=30)),
                        ),
                    ),
                    milestone(f"{round_}-at-{stop}", freight.MILESTONE_ARRIVED_PICKUP, stop),
                    milestone(f"{round_}-loaded-{stop}", freight.MILESTONE_LOADED, stop),
                ]
            )
        lists.append([milestone(f"{round_}-way", freight.MILESTONE_IN_TRANSIT)])
        lists.append([milestone(f"{round_}-there", freight.MILESTONE_ARRIVED_DESTINATION)])
        self.report_all(lists)

    def report_all(self, lists: list[list[pb.CarrierReport]]) -> None:
        firm = self.firm
        waiting = [
            pb.StreamReportsRequest(
                request_id=f"{reports[0].shipment_id}:{reports[0].report_id}",
                area=firm.area,
                carrier_id=firm.carrier_id,
                reports=reports,
            )
            for reports in lists
        ]
        pause = 0.1
        while waiting:
            stop = threading.Event()

            def send():  # noqa: ANN202
                for message in list(waiting):
                    if stop.is_set():
                        return
                    # It happens now, and is told now.
                    for report in message.reports:
                        if not report.HasField("occurred_time"):
                            report.occurred_time.CopyFrom(stamp(now()))
                    yield message
                    time.sleep(self.pause)

            try:
                for answer in firm.ask_with("StreamReports", send()):
                    assert answer.request_id == waiting[0].request_id
                    waiting.pop(0)
                    for told in answer.answers:
                        if told.outcome == pb.REPORT_OUTCOME_REFUSED:
                            say(f"{told.report_id}: {told.reason}, {told.message}")
                pause = 0.1
            except grpc.RpcError as error:
                if error.code() not in suite.BROKEN:
                    raise
                say(f"the connection broke: {len(waiting)} lists are sent again")
                time.sleep(details(error)[1] or pause)
                pause = min(pause * 2, 5.0)
            finally:
                stop.set()

    def hand_over(self, shipment_id: str) -> None:
        shipment = self.shipment(shipment_id)
        if shipment.state != freight.SHIPMENT_STATE_ARRIVED_DESTINATION or shipment.declared:
            return
        if any(not incident.HasField("closed_time") for incident in shipment.incidents):
            say(f"{shipment_id}: waits until the incident is closed")
            return
        self.firm.ask("DeclareHandover", pb.DeclareHandoverRequest(shipment_id=shipment_id))
        say(f"{shipment_id}: handed over")

    def prove(self, shipment: pb.Shipment) -> None:
        """Tells the proof at once, and sends the photo when the line is good."""
        shipment_id = shipment.shipment_id
        if shipment_id in self.done:
            return
        say(f"{shipment_id}: the receiver has counted")
        digest = hashlib.sha256(PHOTO).digest()
        self.firm.ask(
            "RecordProof",
            pb.RecordProofRequest(
                shipment_id=shipment_id,
                kind=freight.PROOF_KIND_PHOTO,
                outcome=freight.PROOF_OUTCOME_DELIVERED,
                photo_sha256=digest,
                relation=freight.RECIPIENT_RELATION_GUARD,
                occurred_time=stamp(now()),
            ),
        )
        self.upload(shipment_id, PHOTO)
        say(f"{shipment_id}: proved with a photo")
        self.done.add(shipment_id)

    def upload(self, shipment_id: str, photo: bytes) -> None:
        """Goes on where it was cut off."""
        firm = self.firm
        digest = hashlib.sha256(photo).digest()
        request_id = f"{shipment_id}:photo:{digest.hex()[:16]}"
        while True:
            there = firm.ask(
                "GetUpload", pb.GetUploadRequest(shipment_id=shipment_id, sha256=digest)
            )
            if there.state == freight.PHOTO_STATE_STORED:
                return
            offset = there.received_bytes

            def messages():  # noqa: ANN202
                header = pb.PhotoHeader(
                    shipment_id=shipment_id,
                    format=freight.PHOTO_FORMAT_JPEG,
                    size_bytes=len(photo),
                    sha256=digest,
                    offset_bytes=offset,
                )
                about = {"area": firm.area, "carrier_id": firm.carrier_id}
                yield pb.UploadPhotoRequest(request_id=request_id, header=header, **about)
                for at in range(offset, len(photo), CHUNK_BYTES):
                    yield pb.UploadPhotoRequest(chunk=photo[at : at + CHUNK_BYTES], **about)

            try:
                firm.ask_with("UploadPhoto", messages())
                return
            except grpc.RpcError as error:
                if error.code() not in suite.BROKEN:
                    raise
                time.sleep(details(error)[1] or 0.2)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--address", default="127.0.0.1:7403", help="of the logistics service")
    parser.add_argument("--area", default="632725100")
    parser.add_argument("--carrier", default="acme", help="the firm's id")
    parser.add_argument("--token-file", type=pathlib.Path, help="without it none is sent")
    parser.add_argument("--ca", type=pathlib.Path, help="certificate (PEM) to check the server by")
    parser.add_argument("--vehicle", default="lorry-1")
    parser.add_argument("--tonnes", type=int, default=5, help="what the vehicle carries")
    parser.add_argument("--driver", default="d-1", help="a code, never a name")
    parser.add_argument("--zones", nargs="+", default=["town", "valley"])
    parser.add_argument("--loads", type=int, default=1, help="to carry; 0: without end")
    parser.add_argument("--pause", type=float, default=0.2, help="seconds between reports")
    return parser.parse_args()


def main() -> int:
    given = arguments()
    token = given.token_file.read_text().strip() if given.token_file else ""
    ca = given.ca.read_bytes() if given.ca else None
    firm = Firm(given.address, token, given.area, given.carrier, ca)
    carrier = Carrier(firm, given)
    try:
        carrier.enter()
        firm.watch(0, carrier.deal_with)
    except grpc.RpcError as error:
        reason, _ = details(error)
        print(f"refused: {error.code().name} {reason}: {error.details()}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass
    finally:
        firm.close()
    say(f"{len(carrier.done)} loads carried")
    return 0


if __name__ == "__main__":
    sys.exit(main())
