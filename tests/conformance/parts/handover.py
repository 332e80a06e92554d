"""Hand-over with both sides' figures, incidents, what cannot be undone."""

import grpc

import world
from world import freight, fs, pb


class Handover(world.Area):
    def setUp(self) -> None:
        super().setUp()
        self.acme = self.equipped()

    def declare(self, shipment_id: str, units: int | None = None) -> None:
        lines = [] if units is None else [freight.LineCount(line_id="radish-farm", units=units)]
        self.acme.DeclareHandover(
            pb.DeclareHandoverRequest(shipment_id=shipment_id, lines=lines)
        )

    def take_over(self, shipment_id: str, accepted: int, damaged: int, short: int) -> None:
        self.dispatcher.TransferCustody(
            fs.TransferCustodyRequest(
                shipment_id=shipment_id,
                receiver_id="keeper-1",
                lines=[
                    freight.LineReceipt(
                        line_id="radish-farm",
                        accepted_units=accepted,
                        damaged_units=damaged,
                        short_units=short,
                        note="crushed" if damaged else "",
                    )
                ],
            )
        )

    def test_both_sides_figures_stay(self) -> None:
        shipment_id = self.arrived(self.acme)
        self.declare(shipment_id)
        self.take_over(shipment_id, 97, 2, 1)
        shipment = self.shipment(self.acme, shipment_id)
        self.assertEqual(shipment.state, freight.SHIPMENT_STATE_CUSTODY_TRANSFERRED)
        self.assertEqual([line.units for line in shipment.declared], [100])
        receipt = shipment.receipts[0]
        found = (receipt.accepted_units, receipt.damaged_units, receipt.short_units)
        self.assertEqual(found, (97, 2, 1))
        self.assertEqual(shipment.receiver_id, "keeper-1")

    def test_the_parts_sum_up_to_what_was_declared(self) -> None:
        shipment_id = self.arrived(self.acme)
        self.declare(shipment_id)
        with self.refused("COUNT_INVALID", grpc.StatusCode.INVALID_ARGUMENT):
            self.take_over(shipment_id, 97, 1, 1)

    def test_nothing_is_handed_over_before_the_arrival(self) -> None:
        shipment_id = self.ready(self.acme)
        with self.refused("SHIPMENT_STATE", grpc.StatusCode.FAILED_PRECONDITION):
            self.declare(shipment_id)

    def test_an_incident_is_no_failure(self) -> None:
        shipment_id = self.ready(self.acme)
        opened = self.acme.OpenIncident(
            pb.OpenIncidentRequest(
                shipment_id=shipment_id,
                kind=freight.INCIDENT_KIND_CHECKPOINT_CLOSED,
                note="closed until noon",
            )
        )
        # The way goes on, and the load arrives.
        self.report(self.acme, *self.way(shipment_id))
        state = self.shipment(self.acme, shipment_id).state
        self.assertEqual(state, freight.SHIPMENT_STATE_ARRIVED_DESTINATION)
        close = pb.CloseIncidentRequest(
            shipment_id=shipment_id, incident_id=opened.incident_id, resolution="open again"
        )
        self.acme.CloseIncident(close)
        incident = self.shipment(self.acme, shipment_id).incidents[0]
        self.assertEqual(incident.resolution, "open again")
        with self.refused("INCIDENT_UNKNOWN", grpc.StatusCode.NOT_FOUND):
            self.acme.CloseIncident(
                pb.CloseIncidentRequest(
                    shipment_id=shipment_id, incident_id="01UNKNOWN", resolution="x"
                )
            )

    def test_what_is_loaded_is_not_cancelled_but_comes_back(self) -> None:
        shipment_id = self.arrived(self.acme)
        with self.refused("SHIPMENT_STATE", grpc.StatusCode.FAILED_PRECONDITION):
            self.dispatcher.CancelShipment(
                fs.CancelShipmentRequest(shipment_id=shipment_id, reason="not needed")
            )
        self.declare(shipment_id)
        self.take_over(shipment_id, 0, 100, 0)
        back = self.load()
        back.pickups[0].place.CopyFrom(
            freight.Place(kind=freight.PLACE_KIND_CHECKPOINT, place_id="gate-3", zone="town")
        )
        back.destination.CopyFrom(
            freight.Place(kind=freight.PLACE_KIND_FIELD, place_id="place-farm", zone="valley")
        )
        drafted = self.dispatcher.DraftShipment(
            fs.DraftShipmentRequest(load=back, returns_shipment_id=shipment_id)
        )
        shipment = self.shipment(self.acme, drafted.shipment_id)
        self.assertEqual(shipment.returns_shipment_id, shipment_id)
