"""Firms, vehicles, drivers, capacity."""

import grpc

import world
from world import fs, pb


class Onboarding(world.Area):
    def test_a_firm_that_is_not_registered_is_unknown(self) -> None:
        with self.refused("CARRIER_UNKNOWN", grpc.StatusCode.NOT_FOUND):
            self.firm("nobody").RegisterDriver(pb.RegisterDriverRequest(driver_id="d-1"))

    def test_the_same_again_changes_nothing_and_other_data_are_refused(self) -> None:
        firm = self.registered()
        vehicle = {"vehicle_id": "lorry", "capacity_grams": 5_000_000}
        firm.RegisterVehicle(pb.RegisterVehicleRequest(**vehicle))
        firm.RegisterVehicle(pb.RegisterVehicleRequest(**vehicle))
        with self.refused("ALREADY_REGISTERED", grpc.StatusCode.ALREADY_EXISTS):
            firm.RegisterVehicle(
                pb.RegisterVehicleRequest(vehicle_id="lorry", capacity_grams=6_000_000)
            )

    def test_what_is_on_the_way_cannot_be_withdrawn(self) -> None:
        firm = self.equipped()
        self.ready(firm)
        with self.refused("IN_USE", grpc.StatusCode.FAILED_PRECONDITION):
            firm.WithdrawVehicle(pb.WithdrawVehicleRequest(vehicle_id="lorry"))
        with self.refused("IN_USE", grpc.StatusCode.FAILED_PRECONDITION):
            firm.WithdrawDriver(pb.WithdrawDriverRequest(driver_id="d-1"))

    def test_what_is_not_there_cannot_be_withdrawn(self) -> None:
        firm = self.registered()
        with self.refused("VEHICLE_UNKNOWN", grpc.StatusCode.NOT_FOUND):
            firm.WithdrawVehicle(pb.WithdrawVehicleRequest(vehicle_id="bus"))
        with self.refused("CAPACITY_OFFER_UNKNOWN", grpc.StatusCode.NOT_FOUND):
            firm.WithdrawCapacity(pb.WithdrawCapacityRequest(offer_id="01UNKNOWN"))

    def test_capacity_ends_after_it_begins(self) -> None:
        firm = self.registered()
        with self.refused("TIMES_INVALID", grpc.StatusCode.INVALID_ARGUMENT):
            firm.OfferCapacity(
                pb.OfferCapacityRequest(
                    zones=["town"],
                    capacity_grams=1_000_000,
                    from_time=self.at(60),
                    to_time=self.at(0),
                )
            )

    def test_a_firm_that_is_suspended_is_told_why(self) -> None:
        firm = self.equipped()
        self.dispatcher.SuspendCarrier(
            fs.SuspendCarrierRequest(carrier_id="acme", reason="papers out of date")
        )
        with self.refused("CARRIER_SUSPENDED", grpc.StatusCode.PERMISSION_DENIED) as caught:
            self.offer(firm)
        self.assertIn("papers out of date", caught.exception.words)
        self.dispatcher.ResumeCarrier(fs.ResumeCarrierRequest(carrier_id="acme"))
        self.offer(firm)

    def test_the_record_tells_acceptance_and_punctuality(self) -> None:
        firm = self.equipped()
        self.arrived(firm)
        declined = self.draft().shipment_id
        firm.DeclineTender(
            pb.DeclineTenderRequest(
                shipment_id=declined, round=1, reason=world.freight.DECLINE_REASON_GOODS
            )
        )
        request = fs.GetCarrierRequest(carrier_id="acme")
        carrier = self.dispatcher.GetCarrier(request).carrier
        told = (carrier.tenders_accepted, carrier.tenders_declined, carrier.arrivals_on_time)
        self.assertEqual(told, (1, 1, 1))
