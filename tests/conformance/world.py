"""The suite as the tests see it: an area of its own for each test, with a
dispatcher, firms, and the suite's test clock.
"""

from __future__ import annotations

import contextlib
import datetime
import functools
import itertools
import json
import pathlib
import random
import subprocess
import time
import unittest
import uuid
from typing import Any

import grpc
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2, status_pb2

from baogong.admin.v1 import admin_pb2
from baogong.admin.v1.admin_pb2_grpc import AdminServiceStub
from baogong.logistics.v1 import freight_pb2 as freight
from baogong.logistics.v1 import freight_service_pb2 as fs
from baogong.logistics.v1 import partner_service_pb2 as pb
from baogong.logistics.v1 import values_pb2 as values
from baogong.logistics.v1.freight_service_pb2_grpc import FreightServiceStub
from baogong.logistics.v1.partner_service_pb2_grpc import PartnerServiceStub

DEADLINE_S = 20.0
MINUTE = datetime.timedelta(minutes=1)
HOUR = datetime.timedelta(hours=1)

# Every reason that a call was refused with, or a report answered.
SEEN_REASONS: set[str] = set()

_suite: dict[str, Any] = {}
_areas = itertools.count(random.randrange(100_000_000, 900_000_000))


def open_suite(file: pathlib.Path, baogong: pathlib.Path) -> None:
    _suite.update(json.loads(file.read_text()), file=file, baogong=baogong)
    _suite["channel"] = grpc.insecure_channel(_suite["services"]["logistics"]["grpc"])


def new_channel() -> grpc.Channel:
    """A connection of its own."""
    options = [("grpc.use_local_subchannel_pool", 1)]
    return grpc.insecure_channel(_suite["services"]["logistics"]["grpc"], options)


def channel() -> grpc.Channel:
    return _suite["channel"]


@functools.cache
def token(role: str, *extra: str) -> str:
    command = [_suite["baogong"], "token", "issue", "--suite", _suite["file"], "--role", role]
    made = subprocess.run([*command, *extra], check=True, capture_output=True, text=True)
    return made.stdout.strip()


def bearer(text: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {text}"),)


def stamp(moment: datetime.datetime) -> Timestamp:
    timestamp = Timestamp()
    timestamp.FromDatetime(moment)
    return timestamp


class Refused(Exception):
    """What a call was refused with, taken apart."""

    def __init__(self, error: grpc.RpcError) -> None:
        super().__init__(f"{error.code().name}: {error.details()}")
        self.code: grpc.StatusCode = error.code()
        self.words: str = error.details() or ""
        self.reason = ""
        self.domain = ""
        self.retry_s: float | None = None
        self.fields: list[str] = []
        for key, value in error.trailing_metadata() or ():
            if key != "grpc-status-details-bin":
                continue
            for packed in status_pb2.Status.FromString(value).details:
                info = error_details_pb2.ErrorInfo()
                retry = error_details_pb2.RetryInfo()
                wrong = error_details_pb2.BadRequest()
                if packed.Unpack(info):
                    self.reason, self.domain = info.reason, info.domain
                elif packed.Unpack(retry):
                    self.retry_s = retry.retry_delay.ToTimedelta().total_seconds()
                elif packed.Unpack(wrong):
                    self.fields = [violation.field for violation in wrong.field_violations]
        SEEN_REASONS.add(self.reason)


class Client:
    """Calls methods with the area, and a request id where something changes."""

    def __init__(self, stub: Any, area: str, metadata: Any, **always: str) -> None:
        self.stub, self.area, self.metadata, self.always = stub, area, metadata, always

    def fill(self, request: Any) -> Any:
        fields = request.DESCRIPTOR.fields_by_name
        for name, value in {"area": self.area, **self.always}.items():
            if name in fields and not getattr(request, name):
                setattr(request, name, value)
        if "request_id" in fields and not request.request_id:
            request.request_id = str(uuid.uuid4())
        return request

    def __getattr__(self, method: str) -> Any:
        def ask(request: Any) -> Any:
            call = getattr(self.stub, method)
            try:
                return call(self.fill(request), timeout=DEADLINE_S, metadata=self.metadata)
            except grpc.RpcError as error:
                raise Refused(error) from error

        return ask


class Area(unittest.TestCase):
    """An area of its own for each test, so that no firm of another test is in
    the way.
    """

    def setUp(self) -> None:
        self.area = str(next(_areas))
        metadata = bearer(token("dispatcher", "--subject", "dispatcher-1", "--all-areas"))
        self.dispatcher = Client(FreightServiceStub(channel()), self.area, metadata)

    # Time.

    @property
    def now(self) -> datetime.datetime:
        metadata = bearer(token("operator", "--subject", "operator-1", "--all-areas"))
        status = AdminServiceStub(channel()).GetStatus(
            admin_pb2.GetStatusRequest(), metadata=metadata, timeout=DEADLINE_S
        )
        assert status.clock == "test", "the suite must run on test clocks: `up --clock test`"
        return status.partitions[0].now.ToDatetime(tzinfo=datetime.timezone.utc)

    def at(self, minutes: float) -> Timestamp:
        return stamp(self.now + minutes * MINUTE)

    def advance(self, by: datetime.timedelta) -> None:
        metadata = bearer(token("operator", "--subject", "operator-1", "--all-areas"))
        AdminServiceStub(channel()).AdvanceClock(
            admin_pb2.AdvanceClockRequest(to=stamp(self.now + by)),
            metadata=metadata,
            timeout=DEADLINE_S,
        )

    # Firms.

    def firm(self, carrier_id: str, on: grpc.Channel | None = None) -> Client:
        extra = ("--carrier", carrier_id, "--area", self.area)
        metadata = bearer(token("carrier", *extra))
        stub = PartnerServiceStub(on or channel())
        return Client(stub, self.area, metadata, carrier_id=carrier_id)

    def registered(self, carrier_id: str = "acme") -> Client:
        self.dispatcher.RegisterCarrier(
            fs.RegisterCarrierRequest(carrier_id=carrier_id, name="A firm")
        )
        return self.firm(carrier_id)

    def equipped(self, carrier_id: str = "acme", zones: tuple[str, ...] = ("town", "valley")) -> Client:
        """With vehicle, driver, a pass that was issued, and capacity on offer."""
        firm = self.registered(carrier_id)
        firm.RegisterVehicle(
            pb.RegisterVehicleRequest(vehicle_id="lorry", capacity_grams=5_000_000)
        )
        firm.RegisterDriver(pb.RegisterDriverRequest(driver_id="d-1"))
        firm.pass_id = self.issued(firm, zones)
        self.offer(firm, zones)
        return firm

    def offer(self, firm: Client, zones: tuple[str, ...] = ("town", "valley"), grams: int = 50_000_000) -> str:
        offered = firm.OfferCapacity(
            pb.OfferCapacityRequest(
                zones=zones, capacity_grams=grams, from_time=self.at(0), to_time=self.at(24 * 60)
            )
        )
        return offered.offer_id

    def apply(self, firm: Client, zones: tuple[str, ...] = ("town", "valley"), **other: Any) -> str:
        fields = {
            "vehicle_id": "lorry",
            "driver_id": "d-1",
            "from_time": self.at(0),
            "to_time": self.at(24 * 60),
            "certificate_sha256": b"c" * 32,
        }
        request = pb.ApplyForPassRequest(zones=zones, **{**fields, **other})
        return firm.ApplyForPass(request).pass_id

    def issued(self, firm: Client, zones: tuple[str, ...] = ("town", "valley"), **other: Any) -> str:
        pass_id = self.apply(firm, zones, **other)
        self.dispatcher.IssuePass(fs.IssuePassRequest(pass_id=pass_id))
        return pass_id

    # Loads.

    def load(self, kilograms: int = 500, stops: tuple[str, ...] = ("farm",)) -> freight.Load:
        pickups = [
            freight.Pickup(
                stop_id=stop,
                place=freight.Place(
                    kind=freight.PLACE_KIND_FIELD, place_id=f"place-{stop}", zone="valley"
                ),
                from_time=self.at(0),
                to_time=self.at(120),
                lines=[
                    freight.LoadLine(
                        line_id=f"radish-{stop}",
                        product_id="radish",
                        quantity_units=100,
                        weight_grams=kilograms * 1_000,
                    )
                ],
            )
            for stop in stops
        ]
        return freight.Load(
            pickups=pickups,
            destination=freight.Place(
                kind=freight.PLACE_KIND_CHECKPOINT, place_id="gate-3", zone="town"
            ),
            due_from_time=self.at(60),
            due_to_time=self.at(240),
        )

    def draft(self, load: freight.Load | None = None) -> Any:
        request = fs.DraftShipmentRequest(load=load or self.load())
        return self.dispatcher.DraftShipment(request)

    def shipment(self, firm: Client, shipment_id: str) -> pb.Shipment:
        return firm.GetShipment(pb.GetShipmentRequest(shipment_id=shipment_id)).shipment

    def accept(self, firm: Client, shipment_id: str, round_: int = 1) -> None:
        firm.AcceptTender(pb.AcceptTenderRequest(shipment_id=shipment_id, round=round_))

    def assign(self, firm: Client, shipment_id: str, **other: str) -> None:
        fields = {"vehicle_id": "lorry", "driver_id": "d-1", "pass_id": firm.pass_id, **other}
        firm.AssignResources(pb.AssignResourcesRequest(shipment_id=shipment_id, **fields))

    def ready(self, firm: Client, load: freight.Load | None = None) -> str:
        """A load that the firm has accepted and named everything for."""
        shipment_id = self.draft(load).shipment_id
        self.accept(firm, shipment_id)
        self.assign(firm, shipment_id)
        return shipment_id

    def milestone(self, shipment_id: str, milestone: int, stop: str = "", **other: Any) -> pb.CarrierReport:
        name = freight.Milestone.Name(milestone).lower()
        report_id = other.pop("report_id", f"{name}-{stop}" if stop else name)
        occurred = other.pop("occurred_time", None) or self.at(0)
        return pb.CarrierReport(
            report_id=report_id,
            shipment_id=shipment_id,
            occurred_time=occurred,
            milestone=pb.MilestoneReport(milestone=milestone, stop_id=stop, **other),
        )

    def way(self, shipment_id: str, stops: tuple[str, ...] = ("farm",)) -> list[pb.CarrierReport]:
        """Every report of a load that went well, in order."""
        reports = [self.milestone(shipment_id, freight.MILESTONE_DEPARTED)]
        for stop in stops:
            reports.append(self.milestone(shipment_id, freight.MILESTONE_ARRIVED_PICKUP, stop))
            reports.append(self.milestone(shipment_id, freight.MILESTONE_LOADED, stop))
        reports.append(self.milestone(shipment_id, freight.MILESTONE_IN_TRANSIT))
        reports.append(self.milestone(shipment_id, freight.MILESTONE_ARRIVED_DESTINATION))
        return reports

    def report(self, firm: Client, *reports: pb.CarrierReport) -> list[pb.ReportAnswer]:
        answers = firm.ReportEvents(pb.ReportEventsRequest(reports=reports)).answers
        SEEN_REASONS.update(answer.reason for answer in answers)
        return list(answers)

    def arrived(self, firm: Client, load: freight.Load | None = None) -> str:
        shipment_id = self.ready(firm, load)
        stops = tuple(pickup.stop_id for pickup in load.pickups) if load else ("farm",)
        self.report(firm, *self.way(shipment_id, stops))
        return shipment_id

    # Checks.

    @contextlib.contextmanager
    def refused(self, reason: str, code: grpc.StatusCode | None = None):  # noqa: ANN201
        with self.assertRaises(Refused) as caught:
            yield caught
        self.assertEqual(caught.exception.reason, reason, caught.exception.words)
        if code is not None:
            self.assertEqual(caught.exception.code, code)
        self.assertTrue(caught.exception.words, "a refusal says why in words")

    def assertOutcomes(self, answers: list[pb.ReportAnswer], *outcomes: int) -> None:  # noqa: N802
        told = [pb.ReportOutcome.Name(answer.outcome) for answer in answers]
        self.assertEqual(told, [pb.ReportOutcome.Name(outcome) for outcome in outcomes])


def revoke(subject: str) -> None:
    """Takes all tokens of a subject back."""
    command = [_suite["baogong"], "token", "revoke", "--suite", _suite["file"]]
    subprocess.run([*command, "--subject", subject], check=True, capture_output=True)


def eventually_refused(ask: Any, within_s: float = 10.0) -> None:
    """Asks until it is refused: a revocation counts within a second or two."""
    give_up = time.monotonic() + within_s
    while time.monotonic() < give_up:
        ask()
        time.sleep(0.1)
