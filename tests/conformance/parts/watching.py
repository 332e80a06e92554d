"""WatchTenders: in order, at least once, without a gap."""

import collections
import threading

import grpc

import world
from world import freight, fs, pb


class Watch:
    """An open watch of a firm."""

    def __init__(self, firm: world.Client, after: int = 0, on: grpc.Channel | None = None) -> None:
        stub = world.PartnerServiceStub(on) if on else firm.stub
        request = firm.fill(pb.WatchTendersRequest(after_cursor=after))
        self.call = stub.WatchTenders(request, metadata=firm.metadata, timeout=60)

    def next(self) -> pb.WatchTendersResponse:
        return next(self.call)

    def update(self) -> pb.WatchTendersResponse:
        """The next that is no heartbeat."""
        while True:
            message = self.next()
            if message.WhichOneof("update") != "heartbeat":
                return message

    def close(self) -> None:
        self.call.cancel()


class Watching(world.Area):
    def test_a_heartbeat_comes_at_once(self) -> None:
        watch = Watch(self.registered())
        self.assertEqual(watch.next().WhichOneof("update"), "heartbeat")
        watch.close()

    def test_tenders_their_ends_passes_and_loads_are_told_in_order(self) -> None:
        firm = self.equipped()
        watch = Watch(firm)
        shipment_id = self.draft().shipment_id
        self.dispatcher.WithdrawTender(fs.WithdrawTenderRequest(shipment_id=shipment_id))
        self.dispatcher.TenderShipment(
            fs.TenderShipmentRequest(shipment_id=shipment_id, carrier_id="acme")
        )
        self.accept(firm, shipment_id, 2)
        opened = firm.OpenIncident(
            pb.OpenIncidentRequest(
                shipment_id=shipment_id, kind=freight.INCIDENT_KIND_DELAY, note="snow"
            )
        )
        firm.CloseIncident(
            pb.CloseIncidentRequest(
                shipment_id=shipment_id, incident_id=opened.incident_id, resolution="it is gone"
            )
        )
        kinds, cursors = [], []
        while len(kinds) < 6:
            message = watch.update()
            kinds.append(message.WhichOneof("update"))
            cursors.append(message.cursor)
        self.assertEqual(kinds, ["pass", "tendered", "ended", "tendered", "shipment", "shipment"])
        self.assertEqual(cursors, sorted(set(cursors)), "cursors rise")
        watch.close()

    def test_a_broken_watch_goes_on_after_its_cursor(self) -> None:
        firm = self.equipped()
        wanted = [self.draft().shipment_id for _ in range(10)]
        told: collections.Counter[str] = collections.Counter()
        cursor = 0
        # The pass and ten tenders; a connection of its own for each three or
        # fewer of them.
        for count in (2, 3, 1, 3, 2):
            with world.new_channel() as connection:
                watch = Watch(firm, cursor, connection)
                for _ in range(count):
                    message = watch.update()
                    if message.WhichOneof("update") == "tendered":
                        told[message.tendered.shipment_id] += 1
                    cursor = message.cursor
        self.assertEqual(told, collections.Counter(wanted))

    def test_what_is_anothers_is_not_told(self) -> None:
        acme = self.equipped("acme")
        other = self.registered("other")
        watch = Watch(other)
        self.ready(acme)
        self.offer(other)
        other.RegisterVehicle(pb.RegisterVehicleRequest(vehicle_id="bus", capacity_grams=2_000_000))
        other.RegisterDriver(pb.RegisterDriverRequest(driver_id="d-1"))
        pass_id = self.issued(other, vehicle_id="bus")
        message = watch.update()
        self.assertEqual(getattr(message, "pass").pass_id, pass_id)
        watch.close()

    def test_a_cursor_that_there_was_not_is_refused(self) -> None:
        firm = self.registered()
        watch = Watch(firm, 10**12)
        with self.assertRaises(grpc.RpcError) as caught:
            watch.next()
        refusal = world.Refused(caught.exception)
        self.assertEqual(refusal.code, grpc.StatusCode.OUT_OF_RANGE, refusal.words)

    def test_many_watches_are_told_the_same(self) -> None:
        firm = self.equipped()
        told: list[list[tuple[int, str]]] = [[] for _ in range(8)]

        def follow(n: int) -> None:
            with world.new_channel() as connection:
                watch = Watch(firm, 0, connection)
                for _ in range(6):
                    message = watch.update()
                    told[n].append((message.cursor, message.WhichOneof("update")))

        threads = [threading.Thread(target=follow, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for _ in range(5):
            self.draft()
        for thread in threads:
            thread.join(timeout=60)
        self.assertEqual(len(told[0]), 6)
        self.assertTrue(all(one == told[0] for one in told))
