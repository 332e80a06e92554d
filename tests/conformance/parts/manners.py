"""How much and how fast, deadlines, versions."""

import concurrent.futures

import grpc

import world
from world import fs, pb


class Manners(world.Area):
    def test_a_flood_is_refused_with_the_time_to_wait_and_others_are_served(self) -> None:
        acme = self.registered("acme")
        other = self.registered("other")

        def ask() -> world.Refused | None:
            try:
                acme.ListPasses(pb.ListPassesRequest(page_size=1))
            except world.Refused as refused:
                return refused
            return None

        # More at once than the burst of 2,000, and faster than 1,000 a second.
        with concurrent.futures.ThreadPoolExecutor(max_workers=64) as pool:
            calls = pool.map(lambda _: ask(), range(8_000))
            refusals = [refused for refused in calls if refused]
        other.ListPasses(pb.ListPassesRequest(page_size=1))
        for refused in refusals:
            self.assertEqual(refused.code, grpc.StatusCode.RESOURCE_EXHAUSTED)
            self.assertEqual(refused.reason, "RATE_LIMITED")
            self.assertIsNotNone(refused.retry_s)
        if refusals:
            # As long as it says, and it is served again.
            import time

            time.sleep(max(refused.retry_s for refused in refusals) + 0.1)
        acme.ListPasses(pb.ListPassesRequest(page_size=1))

    def test_a_message_that_is_too_large_is_refused(self) -> None:
        acme = self.registered()
        request = pb.RegisterDriverRequest(driver_id="d" * 2_000_000)
        with self.refused("TOO_LARGE", grpc.StatusCode.OUT_OF_RANGE):
            acme.RegisterDriver(request)

    def test_what_cannot_be_read_is_said_to_be_so(self) -> None:
        acme = self.registered()
        call = world.channel().unary_unary(
            "/baogong.logistics.v1.PartnerService/RegisterDriver",
            request_serializer=lambda raw: raw,
            response_deserializer=lambda raw: raw,
        )
        with self.assertRaises(grpc.RpcError) as caught:
            call(b"\xff\xff\xff\xff", metadata=acme.metadata, timeout=world.DEADLINE_S)
        refused = world.Refused(caught.exception)
        self.assertEqual(refused.code, grpc.StatusCode.INVALID_ARGUMENT, refused.words)

    def test_every_answer_says_the_version(self) -> None:
        acme = self.registered()
        _, call = acme.stub.ListPasses.with_call(
            acme.fill(pb.ListPassesRequest()), metadata=acme.metadata, timeout=world.DEADLINE_S
        )
        self.assertIn("baogong-version", dict(call.initial_metadata()))


class Routes(world.Area):
    """What the guide says of trunk routes, which dispatchers open."""

    def plan(self, **other):  # noqa: ANN003, ANN201
        from world import freight

        place = freight.Place
        fields = {
            "origin": place(kind=freight.PLACE_KIND_DEPOT, place_id="depot-1", zone="valley"),
            "holder_id": "group-1",
            "destination": place(
                kind=freight.PLACE_KIND_CHECKPOINT, place_id="gate-1", zone="town"
            ),
            "from_time": self.at(0),
            "to_time": self.at(24 * 60),
            "every_minutes": 60,
            "weight_grams_max": 5_000_000,
            "orders_max": 100,
            "lead_minutes": 60,
            "transit_minutes": 60,
        }
        return freight.RoutePlan(**{**fields, **other})

    def test_a_route_that_there_is_not_is_unknown(self) -> None:
        with self.refused("ROUTE_UNKNOWN", grpc.StatusCode.NOT_FOUND):
            self.dispatcher.CloseRoute(fs.CloseRouteRequest(route_id="01UNKNOWN", reason="x"))
