"""Asking again is safe; what is wrong is said; lists come in pages."""

import uuid

import grpc

import world
from world import pb


class Requests(world.Area):
    def test_the_same_request_again_gets_the_same_answer(self) -> None:
        firm = self.registered()
        firm.RegisterVehicle(pb.RegisterVehicleRequest(vehicle_id="lorry", capacity_grams=5_000_000))
        firm.RegisterDriver(pb.RegisterDriverRequest(driver_id="d-1"))
        request = pb.ApplyForPassRequest(
            request_id=str(uuid.uuid4()),
            vehicle_id="lorry",
            driver_id="d-1",
            zones=["town"],
            from_time=self.at(0),
            to_time=self.at(60),
            certificate_sha256=b"c" * 32,
        )
        first = firm.ApplyForPass(request)
        self.assertEqual(firm.ApplyForPass(request), first)
        self.assertEqual(len(firm.ListPasses(pb.ListPassesRequest()).passes), 1)

    def test_a_request_id_with_other_content_is_refused(self) -> None:
        firm = self.registered()
        request_id = str(uuid.uuid4())
        firm.RegisterDriver(pb.RegisterDriverRequest(request_id=request_id, driver_id="d-1"))
        with self.refused("REQUEST_ID_REUSED", grpc.StatusCode.ALREADY_EXISTS):
            firm.RegisterDriver(pb.RegisterDriverRequest(request_id=request_id, driver_id="d-2"))

    def test_a_refusal_is_repeated_too_and_may_be_asked_anew(self) -> None:
        firm = self.registered()
        request = pb.WithdrawDriverRequest(request_id=str(uuid.uuid4()), driver_id="d-9")
        with self.refused("DRIVER_UNKNOWN", grpc.StatusCode.NOT_FOUND):
            firm.WithdrawDriver(request)
        firm.RegisterDriver(pb.RegisterDriverRequest(driver_id="d-9"))
        firm.WithdrawDriver(pb.WithdrawDriverRequest(driver_id="d-9"))

    def test_every_wrong_field_is_named(self) -> None:
        firm = self.registered()
        request = pb.RegisterVehicleRequest(vehicle_id="no vehicle!", capacity_grams=-1)
        with self.refused("INVALID_FIELDS", grpc.StatusCode.INVALID_ARGUMENT) as caught:
            firm.RegisterVehicle(request)
        self.assertEqual(sorted(caught.exception.fields), ["capacity_grams", "vehicle_id"])

    def test_a_request_id_is_needed(self) -> None:
        firm = self.registered()
        request = pb.RegisterDriverRequest(request_id="not an id", driver_id="d-1")
        with self.refused("INVALID_FIELDS", grpc.StatusCode.INVALID_ARGUMENT) as caught:
            firm.RegisterDriver(request)
        self.assertEqual(caught.exception.fields, ["request_id"])

    def test_a_reading_may_wait_for_what_was_written(self) -> None:
        firm = self.registered()
        firm.RegisterVehicle(pb.RegisterVehicleRequest(vehicle_id="lorry", capacity_grams=5_000_000))
        written = firm.RegisterDriver(pb.RegisterDriverRequest(driver_id="d-1"))
        read = firm.ListPasses(pb.ListPassesRequest(min_position=written.position))
        self.assertGreaterEqual(read.as_of_position, written.position)

    def test_lists_come_in_pages(self) -> None:
        firm = self.equipped()
        drafted = [self.draft().shipment_id for _ in range(5)]
        found, page_token = [], ""
        while True:
            page = firm.ListShipments(pb.ListShipmentsRequest(page_size=2, page_token=page_token))
            self.assertLessEqual(len(page.shipments), 2)
            found += [shipment.shipment_id for shipment in page.shipments]
            page_token = page.next_page_token
            if not page_token:
                break
        self.assertEqual(sorted(found), sorted(drafted))
        self.assertEqual(len(set(found)), 5)

    def test_a_page_token_is_good_for_its_list_only(self) -> None:
        firm = self.equipped()
        for _ in range(2):
            self.draft()
        page = firm.ListShipments(pb.ListShipmentsRequest(page_size=1))
        with self.refused("PAGE_TOKEN_INVALID", grpc.StatusCode.INVALID_ARGUMENT):
            firm.ListPasses(pb.ListPassesRequest(page_token=page.next_page_token))
        with self.refused("PAGE_TOKEN_INVALID", grpc.StatusCode.INVALID_ARGUMENT):
            firm.ListShipments(pb.ListShipmentsRequest(page_token="nonsense"))
