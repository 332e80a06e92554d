"""No vehicle sets out without a pass valid for time, zones, vehicle, driver."""

import grpc

import world
from world import freight, fs, pb


class Passes(world.Area):
    def setUp(self) -> None:
        super().setUp()
        self.acme = self.equipped()
        self.acme.RegisterVehicle(
            pb.RegisterVehicleRequest(vehicle_id="van", capacity_grams=900_000)
        )
        self.acme.RegisterDriver(pb.RegisterDriverRequest(driver_id="d-2"))

    def accepted(self) -> str:
        shipment_id = self.draft().shipment_id
        self.accept(self.acme, shipment_id)
        return shipment_id

    def assertNotAssigned(self, shipment_id: str, **other: str) -> None:  # noqa: N802
        with self.refused("PASS_INVALID", grpc.StatusCode.FAILED_PRECONDITION):
            self.assign(self.acme, shipment_id, **other)

    def test_it_is_applied_for_issued_and_then_valid(self) -> None:
        pass_id = self.apply(self.acme)
        get = pb.GetPassRequest(pass_id=pass_id)
        self.assertEqual(getattr(self.acme.GetPass(get), "pass").state, freight.PASS_STATE_APPLIED)
        shipment_id = self.accepted()
        self.assertNotAssigned(shipment_id, pass_id=pass_id)
        self.dispatcher.IssuePass(fs.IssuePassRequest(pass_id=pass_id))
        self.assign(self.acme, shipment_id, pass_id=pass_id)

    def test_it_must_be_for_the_vehicle(self) -> None:
        self.assertNotAssigned(self.accepted(), vehicle_id="van")

    def test_it_must_be_for_the_driver(self) -> None:
        self.assertNotAssigned(self.accepted(), driver_id="d-2")

    def test_it_must_be_for_every_zone(self) -> None:
        pass_id = self.issued(self.acme, ("town",))
        self.assertNotAssigned(self.accepted(), pass_id=pass_id)

    def test_it_must_be_for_the_time_of_the_departure(self) -> None:
        pass_id = self.issued(self.acme, from_time=self.at(60), to_time=self.at(90))
        self.assertNotAssigned(self.accepted(), pass_id=pass_id)

    def test_one_that_was_revoked_is_none(self) -> None:
        shipment_id = self.accepted()
        self.dispatcher.RevokePass(
            fs.RevokePassRequest(pass_id=self.acme.pass_id, reason="the zone is sealed")
        )
        self.assertNotAssigned(shipment_id)

    def test_one_that_is_revoked_before_the_departure_takes_the_vehicle_off(self) -> None:
        shipment_id = self.ready(self.acme)
        self.dispatcher.RevokePass(
            fs.RevokePassRequest(pass_id=self.acme.pass_id, reason="the zone is sealed")
        )
        shipment = self.shipment(self.acme, shipment_id)
        self.assertEqual(shipment.state, freight.SHIPMENT_STATE_ACCEPTED)
        answers = self.report(
            self.acme, self.milestone(shipment_id, freight.MILESTONE_DEPARTED)
        )
        self.assertOutcomes(answers, pb.REPORT_OUTCOME_REFUSED)

    def test_the_area_may_issue_it_for_less_and_not_for_more(self) -> None:
        pass_id = self.apply(self.acme)
        with self.refused("ZONE_NOT_APPLIED", grpc.StatusCode.INVALID_ARGUMENT):
            self.dispatcher.IssuePass(fs.IssuePassRequest(pass_id=pass_id, zones=["harbour"]))
        self.dispatcher.IssuePass(fs.IssuePassRequest(pass_id=pass_id, zones=["town"]))
        issued = getattr(self.acme.GetPass(pb.GetPassRequest(pass_id=pass_id)), "pass")
        self.assertEqual(list(issued.zones), ["town"])

    def test_it_is_issued_or_refused_once(self) -> None:
        pass_id = self.apply(self.acme)
        self.dispatcher.RefusePass(fs.RefusePassRequest(pass_id=pass_id, reason="not legible"))
        with self.refused("PASS_STATE", grpc.StatusCode.FAILED_PRECONDITION):
            self.dispatcher.IssuePass(fs.IssuePassRequest(pass_id=pass_id))
        refused = getattr(self.acme.GetPass(pb.GetPassRequest(pass_id=pass_id)), "pass")
        self.assertEqual(refused.reason, "not legible")

    def test_it_expires(self) -> None:
        pass_id = self.issued(self.acme, from_time=self.at(0), to_time=self.at(30))
        self.advance(31 * world.MINUTE)
        state = pb.ListPassesRequest(state=freight.PASS_STATE_EXPIRED)
        expired = [held.pass_id for held in self.acme.ListPasses(state).passes]
        self.assertEqual(expired, [pass_id])

    def test_one_that_there_is_not_is_unknown(self) -> None:
        with self.refused("PASS_UNKNOWN", grpc.StatusCode.NOT_FOUND):
            self.assign(self.acme, self.accepted(), pass_id="01UNKNOWN")
