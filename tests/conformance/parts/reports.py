"""Reports may be late, twice and in any order; each is answered by itself."""

import itertools
import uuid

import grpc

import world
from world import freight, pb

RECORDED = pb.REPORT_OUTCOME_RECORDED
DUPLICATE = pb.REPORT_OUTCOME_DUPLICATE
REFUSED = pb.REPORT_OUTCOME_REFUSED


class Reports(world.Area):
    def setUp(self) -> None:
        super().setUp()
        self.acme = self.equipped()

    def test_the_way_of_a_load(self) -> None:
        shipment_id = self.ready(self.acme)
        states = [answer.state for answer in self.report(self.acme, *self.way(shipment_id))]
        self.assertEqual(states[-1], freight.SHIPMENT_STATE_ARRIVED_DESTINATION)

    def test_the_order_in_which_they_come_does_not_matter(self) -> None:
        ends = set()
        for order in itertools.islice(itertools.permutations(range(5)), 0, 120, 7):
            shipment_id = self.ready(self.acme, self.load(10))
            way = self.way(shipment_id)
            for n in order:
                self.assertOutcomes(self.report(self.acme, way[n]), RECORDED)
            shipment = self.shipment(self.acme, shipment_id)
            ends.add((shipment.state, bool(shipment.departed_time), len(shipment.pickups)))
            self.acme.DeclareHandover(pb.DeclareHandoverRequest(shipment_id=shipment_id))
            self.dispatcher.TransferCustody(
                world.fs.TransferCustodyRequest(shipment_id=shipment_id, receiver_id="keeper-1")
            )
        self.assertEqual(len(ends), 1)

    def test_a_report_again_is_a_duplicate(self) -> None:
        shipment_id = self.ready(self.acme)
        report = self.milestone(shipment_id, freight.MILESTONE_DEPARTED)
        self.assertOutcomes(self.report(self.acme, report), RECORDED)
        self.assertOutcomes(self.report(self.acme, report, report), DUPLICATE, DUPLICATE)

    def test_another_content_under_the_same_report_id_is_refused(self) -> None:
        shipment_id = self.ready(self.acme)
        self.report(self.acme, self.milestone(shipment_id, freight.MILESTONE_DEPARTED))
        other = self.milestone(
            shipment_id, freight.MILESTONE_IN_TRANSIT, report_id="milestone_departed"
        )
        answers = self.report(self.acme, other)
        self.assertOutcomes(answers, REFUSED)
        self.assertEqual(answers[0].reason, "REPORT_ALREADY_EXISTS")

    def test_one_that_is_refused_does_not_stop_the_others(self) -> None:
        shipment_id = self.ready(self.acme)
        answers = self.report(
            self.acme,
            self.milestone(shipment_id, freight.MILESTONE_DEPARTED),
            self.milestone("01UNKNOWN", freight.MILESTONE_DEPARTED),
            self.milestone(shipment_id, freight.MILESTONE_LOADED, "nowhere"),
            self.milestone(shipment_id, freight.MILESTONE_PICKUP_FAILED, "farm"),
            self.milestone(
                shipment_id,
                freight.MILESTONE_LOADED,
                "farm",
                report_id="wrong-line",
                lines=[freight.LineCount(line_id="tea", units=1)],
            ),
            self.milestone(
                shipment_id,
                freight.MILESTONE_LOADED,
                "farm",
                report_id="too-many",
                lines=[freight.LineCount(line_id="radish-farm", units=101)],
            ),
            self.milestone(shipment_id, freight.MILESTONE_ARRIVED_PICKUP, "farm"),
        )
        reasons = [answer.reason for answer in answers]
        wanted = [
            "",
            "SHIPMENT_UNKNOWN",
            "SHIPMENT_STOP_UNKNOWN",
            "REPORT_INCOMPLETE",
            "LINE_UNKNOWN",
            "COUNT_INVALID",
            "",
        ]
        self.assertEqual(reasons, wanted)
        self.assertTrue(all(answer.message for answer in answers if answer.reason))

    def test_times_may_be_off_by_five_minutes(self) -> None:
        shipment_id = self.ready(self.acme)
        times = [self.at(-4), self.at(4), self.at(-6), self.at(6)]
        reports = [
            pb.CarrierReport(
                report_id=f"p-{n}",
                shipment_id=shipment_id,
                occurred_time=moment,
                position=pb.PositionReport(latitude_e7=324_000_000, longitude_e7=961_000_000),
            )
            for n, moment in enumerate(times)
        ]
        answers = self.report(self.acme, *reports)
        self.assertOutcomes(answers, RECORDED, RECORDED, REFUSED, REFUSED)
        self.assertEqual({answer.reason for answer in answers[2:]}, {"REPORT_TIME_INVALID"})

    def test_a_stop_cannot_be_loaded_and_failed(self) -> None:
        shipment_id = self.ready(self.acme, self.load(stops=("farm", "mill")))
        answers = self.report(
            self.acme,
            self.milestone(shipment_id, freight.MILESTONE_LOADED, "farm"),
            self.milestone(
                shipment_id,
                freight.MILESTONE_PICKUP_FAILED,
                "farm",
                reason=world.values.EXCEPTION_CODE_PICKUP_NOT_READY,
            ),
        )
        self.assertOutcomes(answers, RECORDED, REFUSED)
        self.assertEqual(answers[1].reason, "REPORT_CONTRADICTS")

    def test_of_several_pickups_the_others_go_on_when_one_fails(self) -> None:
        shipment_id = self.ready(self.acme, self.load(stops=("farm", "mill")))
        self.report(
            self.acme,
            self.milestone(shipment_id, freight.MILESTONE_DEPARTED),
            self.milestone(shipment_id, freight.MILESTONE_LOADED, "farm"),
            self.milestone(
                shipment_id,
                freight.MILESTONE_PICKUP_FAILED,
                "mill",
                reason=world.values.EXCEPTION_CODE_PICKUP_NOT_READY,
            ),
        )
        shipment = self.shipment(self.acme, shipment_id)
        self.assertEqual(shipment.state, freight.SHIPMENT_STATE_LOADED)
        # What was left is tendered by itself.
        state = pb.ListShipmentsRequest(state=freight.SHIPMENT_STATE_TENDERED)
        again = self.acme.ListShipments(state).shipments
        self.assertEqual([s.continues_shipment_id for s in again], [shipment_id])

    def test_a_list_has_1_to_100_reports(self) -> None:
        shipment_id = self.ready(self.acme)

        def positions(count: int) -> pb.ReportEventsRequest:
            reports = [
                pb.CarrierReport(
                    report_id=f"p-{n}",
                    shipment_id=shipment_id,
                    occurred_time=self.start,
                    position=pb.PositionReport(latitude_e7=324_000_000 + n, longitude_e7=961_000_000),
                )
                for n in range(count)
            ]
            return pb.ReportEventsRequest(reports=reports)

        self.start = self.at(0)
        self.assertEqual(len(self.acme.ReportEvents(positions(100)).answers), 100)
        for count in (0, 101):
            with self.refused("INVALID_FIELDS", grpc.StatusCode.INVALID_ARGUMENT):
                self.acme.ReportEvents(positions(count))

    def test_positions_carry_the_time_of_arrival(self) -> None:
        shipment_id = self.ready(self.acme)
        eta = self.at(45)
        answers = self.report(
            self.acme,
            pb.CarrierReport(
                report_id="p-1",
                shipment_id=shipment_id,
                occurred_time=self.at(0),
                position=pb.PositionReport(
                    latitude_e7=324_000_000, longitude_e7=961_000_000, eta_time=eta
                ),
            ),
        )
        self.assertOutcomes(answers, RECORDED)
        self.assertEqual(self.shipment(self.acme, shipment_id).eta_time, eta)


class Streamed(world.Area):
    """The same over one long call."""

    def setUp(self) -> None:
        super().setUp()
        self.acme = self.equipped()

    def lists(self, *lists: list[pb.CarrierReport]) -> list[pb.StreamReportsRequest]:
        return [
            self.acme.fill(
                pb.StreamReportsRequest(request_id=str(uuid.uuid4()), reports=reports)
            )
            for reports in lists
        ]

    def call(self, messages: list[pb.StreamReportsRequest]) -> list[pb.StreamReportsResponse]:
        return list(
            self.acme.stub.StreamReports(
                iter(messages), metadata=self.acme.metadata, timeout=world.DEADLINE_S
            )
        )

    def test_each_list_is_answered_by_one_in_their_order(self) -> None:
        shipment_id = self.ready(self.acme)
        sent = self.lists(*([report] for report in self.way(shipment_id)))
        answers = self.call(sent)
        ids = [answer.request_id for answer in answers]
        self.assertEqual(ids, [message.request_id for message in sent])
        state = self.shipment(self.acme, shipment_id).state
        self.assertEqual(state, freight.SHIPMENT_STATE_ARRIVED_DESTINATION)

    def test_what_is_sent_again_is_known_by_either_method(self) -> None:
        shipment_id = self.ready(self.acme)
        sent = self.lists([self.milestone(shipment_id, freight.MILESTONE_DEPARTED)])
        first = self.call(sent)
        self.assertEqual(self.call(sent), first)
        single = pb.ReportEventsRequest(
            request_id=sent[0].request_id, reports=sent[0].reports
        )
        self.assertEqual(self.acme.ReportEvents(single).answers, first[0].answers)

    def test_a_list_that_is_wrong_as_a_whole_ends_the_call(self) -> None:
        shipment_id = self.ready(self.acme)
        sent = self.lists([self.milestone(shipment_id, freight.MILESTONE_DEPARTED)], [])
        answers = self.acme.stub.StreamReports(
            iter(sent), metadata=self.acme.metadata, timeout=world.DEADLINE_S
        )
        self.assertOutcomes(list(next(answers).answers), RECORDED)
        with self.assertRaises(grpc.RpcError) as caught:
            next(answers)
        self.assertEqual(world.Refused(caught.exception).reason, "INVALID_FIELDS")
