"""Tenders: to whom, for how long, and what a changed load means."""

import grpc

import world
from world import freight, fs, pb


class Tenders(world.Area):
    def decline(self, firm: world.Client, shipment_id: str, round_: int = 1) -> None:
        firm.DeclineTender(
            pb.DeclineTenderRequest(
                shipment_id=shipment_id, round=round_, reason=freight.DECLINE_REASON_TIME_WINDOW
            )
        )

    def test_a_load_is_tendered_to_a_firm_with_capacity(self) -> None:
        self.registered("idle")
        firm = self.equipped()
        drafted = self.draft()
        self.assertEqual(drafted.carrier_id, "acme")
        shipment = self.shipment(firm, drafted.shipment_id)
        self.assertEqual(shipment.state, freight.SHIPMENT_STATE_TENDERED)
        self.assertEqual(shipment.round, 1)
        self.assertEqual(shipment.weight_grams, 500_000)

    def test_nobody_is_asked_for_more_than_is_on_offer(self) -> None:
        firm = self.registered()
        self.offer(firm, grams=600_000)
        self.assertEqual(self.draft(self.load(500)).carrier_id, "acme")
        # What is left does not carry a second one.
        second = self.draft(self.load(500))
        self.assertEqual(second.carrier_id, "")
        with self.refused("NOBODY_HAS_CAPACITY", grpc.StatusCode.FAILED_PRECONDITION):
            self.dispatcher.TenderShipment(
                fs.TenderShipmentRequest(shipment_id=second.shipment_id)
            )
        # It is tendered when there is capacity again.
        self.offer(firm)
        shipment = self.shipment(firm, second.shipment_id)
        self.assertEqual(shipment.state, freight.SHIPMENT_STATE_TENDERED)

    def test_what_one_declines_goes_to_the_next(self) -> None:
        firms = {name: self.equipped(name) for name in ("acme", "other")}
        drafted = self.draft()
        first = drafted.carrier_id
        self.decline(firms[first], drafted.shipment_id)
        second = "other" if first == "acme" else "acme"
        shipment = self.shipment(firms[second], drafted.shipment_id)
        self.assertEqual((shipment.state, shipment.round), (freight.SHIPMENT_STATE_TENDERED, 2))
        with self.assertRaises(world.Refused):
            self.shipment(firms[first], drafted.shipment_id)

    def test_what_is_not_answered_in_15_minutes_goes_to_the_next(self) -> None:
        firms = {name: self.equipped(name) for name in ("acme", "other")}
        drafted = self.draft()
        first = drafted.carrier_id
        until = self.shipment(firms[first], drafted.shipment_id).answer_by_time
        self.assertEqual(until.ToDatetime(tzinfo=self.now.tzinfo) - self.now, 15 * world.MINUTE)
        self.advance(16 * world.MINUTE)
        second = "other" if first == "acme" else "acme"
        self.assertEqual(self.shipment(firms[second], drafted.shipment_id).round, 2)
        with self.assertRaises(world.Refused):
            self.accept(firms[first], drafted.shipment_id)

    def test_a_round_that_is_over_cannot_be_answered(self) -> None:
        firm = self.equipped()
        shipment_id = self.draft().shipment_id
        withdraw = fs.WithdrawTenderRequest(shipment_id=shipment_id)
        self.dispatcher.WithdrawTender(withdraw)
        self.dispatcher.TenderShipment(
            fs.TenderShipmentRequest(shipment_id=shipment_id, carrier_id="acme")
        )
        with self.refused("TENDER_OVER", grpc.StatusCode.FAILED_PRECONDITION):
            self.accept(firm, shipment_id, 1)
        self.accept(firm, shipment_id, 2)

    def test_a_changed_load_is_a_new_round_even_after_the_acceptance(self) -> None:
        firm = self.equipped()
        shipment_id = self.ready(firm)
        self.dispatcher.ChangeLoad(
            fs.ChangeLoadRequest(shipment_id=shipment_id, load=self.load(700))
        )
        shipment = self.shipment(firm, shipment_id)
        self.assertEqual(shipment.state, freight.SHIPMENT_STATE_TENDERED)
        self.assertEqual((shipment.round, shipment.load_version), (2, 2))
        answers = self.report(firm, self.milestone(shipment_id, freight.MILESTONE_DEPARTED))
        self.assertOutcomes(answers, pb.REPORT_OUTCOME_REFUSED)
        self.accept(firm, shipment_id, 2)
        self.assign(firm, shipment_id)

    def test_a_load_on_the_way_does_not_change(self) -> None:
        firm = self.equipped()
        shipment_id = self.arrived(firm)
        with self.refused("SHIPMENT_STATE", grpc.StatusCode.FAILED_PRECONDITION):
            self.dispatcher.ChangeLoad(
                fs.ChangeLoadRequest(shipment_id=shipment_id, load=self.load(700))
            )

    def test_a_vehicle_must_carry_the_load(self) -> None:
        firm = self.equipped()
        firm.RegisterVehicle(pb.RegisterVehicleRequest(vehicle_id="van", capacity_grams=900_000))
        pass_id = self.issued(firm, vehicle_id="van")
        shipment_id = self.draft(self.load(1_000)).shipment_id
        self.accept(firm, shipment_id)
        with self.refused("VEHICLE_TOO_SMALL", grpc.StatusCode.FAILED_PRECONDITION):
            self.assign(firm, shipment_id, vehicle_id="van", pass_id=pass_id)

    def test_a_load_that_cannot_be_is_refused(self) -> None:
        self.equipped()
        load = self.load(stops=("farm", "farm"))
        with self.refused("LOAD_INVALID", grpc.StatusCode.INVALID_ARGUMENT):
            self.draft(load)
