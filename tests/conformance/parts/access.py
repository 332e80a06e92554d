"""Who you are, and whose things are yours."""

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest
from grpc_health.v1.health_pb2_grpc import HealthStub
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

import world
from world import Client, PartnerServiceStub, bearer, freight, pb, token


class Access(world.Area):
    def with_token(self, text: str, carrier_id: str = "acme") -> Client:
        metadata = bearer(text) if text else ()
        stub = PartnerServiceStub(world.channel())
        return Client(stub, self.area, metadata, carrier_id=carrier_id)

    def test_without_a_token_nothing_is_answered(self) -> None:
        with self.refused("TOKEN_MISSING", grpc.StatusCode.UNAUTHENTICATED):
            self.with_token("").ListShipments(pb.ListShipmentsRequest())

    def test_a_token_that_was_changed_is_refused(self) -> None:
        good = token("carrier", "--carrier", "acme", "--area", self.area)
        head, claims, signature = good.split(".")
        forged = ".".join([head, claims, signature[::-1]])
        with self.assertRaises(world.Refused) as caught:
            self.with_token(forged).ListShipments(pb.ListShipmentsRequest())
        self.assertEqual(caught.exception.code, grpc.StatusCode.UNAUTHENTICATED)

    def test_a_token_that_was_taken_back_is_refused(self) -> None:
        own = ("--carrier", "acme", "--area", self.area, "--subject", f"gateway-{self.area}")
        firm = self.with_token(token("carrier", *own))
        firm.ListShipments(pb.ListShipmentsRequest())
        world.revoke(f"gateway-{self.area}")
        with self.refused("TOKEN_REVOKED", grpc.StatusCode.UNAUTHENTICATED):
            world.eventually_refused(lambda: firm.ListShipments(pb.ListShipmentsRequest()))

    def test_another_firms_id_is_refused(self) -> None:
        self.registered("acme")
        other = self.with_token(
            token("carrier", "--carrier", "other", "--area", self.area), carrier_id="acme"
        )
        with self.refused("CARRIER_NOT_YOURS", grpc.StatusCode.PERMISSION_DENIED):
            other.ListShipments(pb.ListShipmentsRequest())
        with self.refused("CARRIER_NOT_YOURS", grpc.StatusCode.PERMISSION_DENIED):
            other.RegisterDriver(pb.RegisterDriverRequest(driver_id="d-1"))

    def test_another_area_is_refused(self) -> None:
        elsewhere = Client(
            PartnerServiceStub(world.channel()),
            "110000000",
            bearer(token("carrier", "--carrier", "acme", "--area", self.area)),
            carrier_id="acme",
        )
        with self.assertRaises(world.Refused) as caught:
            elsewhere.ListShipments(pb.ListShipmentsRequest())
        self.assertEqual(caught.exception.code, grpc.StatusCode.PERMISSION_DENIED)

    def test_a_firm_may_not_do_what_a_dispatcher_does(self) -> None:
        firm = bearer(token("carrier", "--carrier", "acme", "--area", self.area))
        dispatcher = Client(world.FreightServiceStub(world.channel()), self.area, firm)
        with self.assertRaises(world.Refused) as caught:
            dispatcher.DraftShipment(world.fs.DraftShipmentRequest(load=self.load()))
        self.assertEqual(caught.exception.code, grpc.StatusCode.PERMISSION_DENIED)

    def test_what_is_anothers_does_not_exist_for_you(self) -> None:
        acme = self.equipped("acme")
        shipment_id = self.ready(acme)
        other = self.registered("other")
        with self.assertRaises(world.Refused) as caught:
            self.shipment(other, shipment_id)
        theirs = caught.exception
        with self.assertRaises(world.Refused) as caught:
            self.shipment(other, "01UNKNOWN")
        nobodys = caught.exception
        # The two cannot be told apart.
        self.assertEqual(theirs.code, grpc.StatusCode.NOT_FOUND)
        self.assertEqual((theirs.code, theirs.reason), (nobodys.code, nobodys.reason))
        listed = other.ListShipments(pb.ListShipmentsRequest())
        self.assertEqual(len(listed.shipments), 0)
        passes = other.ListPasses(pb.ListPassesRequest())
        self.assertEqual(len(passes.passes), 0)
        with self.assertRaises(world.Refused):
            other.GetPass(pb.GetPassRequest(pass_id=acme.pass_id))
        answers = self.report(
            other, self.milestone(shipment_id, freight.MILESTONE_DEPARTED)
        )
        self.assertOutcomes(answers, pb.REPORT_OUTCOME_REFUSED)
        self.assertEqual(answers[0].reason, "SHIPMENT_UNKNOWN")


class Standard(world.Area):
    """Health and reflection, as every gRPC tool expects them."""

    def test_health_is_answered_without_a_token(self) -> None:
        name = "baogong.logistics.v1.LogisticsService"
        answer = HealthStub(world.channel()).Check(
            HealthCheckRequest(service=name), timeout=world.DEADLINE_S
        )
        self.assertEqual(answer.status, 1, "SERVING")

    def test_reflection_names_the_service(self) -> None:
        services = ProtoReflectionDescriptorDatabase(world.channel()).get_services()
        self.assertIn("baogong.logistics.v1.PartnerService", services)
