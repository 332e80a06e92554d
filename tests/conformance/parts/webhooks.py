"""Webhooks for firms without streams, checked by the Standard Webhooks rules."""

import base64
import hashlib
import hmac
import http.server
import json
import queue
import threading
import time

import grpc

import world
from baogong.logistics.v1 import webhook_service_pb2 as wh
from baogong.logistics.v1.webhook_service_pb2_grpc import WebhookServiceStub


class Receiver(http.server.ThreadingHTTPServer):
    """Takes messages; answers the first `failures` of them with 503."""

    def __init__(self, failures: int = 0) -> None:
        self.messages: queue.Queue = queue.Queue()
        self.failures = failures
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:  # noqa: N802
        body = self.rfile.read(int(self.headers["content-length"]))
        refused = self.server.failures > 0
        self.server.failures -= refused
        self.server.messages.put((dict(self.headers), body, refused))
        self.send_response(503 if refused else 204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def is_signed(secret: str, headers: dict[str, str], body: bytes) -> bool:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    mac = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return f"v1,{mac}" in headers["webhook-signature"].split(" ")


class Webhooks(world.Area):
    def setUp(self) -> None:
        super().setUp()
        self.acme = self.equipped()
        stub = WebhookServiceStub(world.channel())
        self.hooks = world.Client(stub, self.area, self.acme.metadata, carrier_id="acme")
        self.receiver = Receiver()
        self.addCleanup(self.receiver.shutdown)

    def register(self) -> wh.RegisterWebhookResponse:
        return self.hooks.RegisterWebhook(wh.RegisterWebhookRequest(url=self.receiver.url))

    def next(self) -> tuple[dict[str, str], bytes, bool]:
        return self.receiver.messages.get(timeout=30)

    def test_what_a_watch_tells_is_posted_and_signed(self) -> None:
        registered = self.register()
        shipment_id = self.draft().shipment_id
        headers, body, _ = self.next()
        self.assertTrue(is_signed(registered.secret, headers, body))
        self.assertLess(abs(int(headers["webhook-timestamp"]) - time.time()), 300)
        message = json.loads(body)
        self.assertEqual(message["type"], "tender.offered")
        self.assertEqual(message["data"]["tendered"]["shipmentId"], shipment_id)

    def test_both_secrets_sign_during_a_rotation(self) -> None:
        registered = self.register()
        rotated = self.hooks.RotateWebhookSecret(
            wh.RotateWebhookSecretRequest(webhook_id=registered.webhook_id)
        )
        self.hooks.TestWebhook(wh.TestWebhookRequest(webhook_id=registered.webhook_id))
        headers, body, _ = self.next()
        self.assertEqual(json.loads(body)["type"], "test")
        self.assertTrue(is_signed(registered.secret, headers, body))
        self.assertTrue(is_signed(rotated.secret, headers, body))

    def test_one_that_is_paused_is_told_afterwards(self) -> None:
        webhook_id = self.register().webhook_id
        self.hooks.PauseWebhook(wh.PauseWebhookRequest(webhook_id=webhook_id))
        with self.refused("WEBHOOK_STATE", grpc.StatusCode.FAILED_PRECONDITION):
            self.hooks.TestWebhook(wh.TestWebhookRequest(webhook_id=webhook_id))
        self.draft()
        self.hooks.ResumeWebhook(wh.ResumeWebhookRequest(webhook_id=webhook_id))
        self.assertEqual(json.loads(self.next()[1])["type"], "tender.offered")

    def test_a_firm_has_at_most_four(self) -> None:
        for _ in range(4):
            self.register()
        with self.refused("TOO_MANY_WEBHOOKS", grpc.StatusCode.RESOURCE_EXHAUSTED):
            self.register()

    def test_one_that_there_is_not_is_unknown(self) -> None:
        with self.refused("WEBHOOK_UNKNOWN", grpc.StatusCode.NOT_FOUND):
            self.hooks.PauseWebhook(wh.PauseWebhookRequest(webhook_id="01UNKNOWN"))

    def test_addresses_lead_to_no_private_network(self) -> None:
        for url in ("http://example.com/hook", "https://10.0.0.1/hook", "ftp://example.com"):
            with self.subTest(url), self.refused("INVALID_FIELDS"):
                self.hooks.RegisterWebhook(wh.RegisterWebhookRequest(url=url))
