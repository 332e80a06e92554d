"""A connection to the suite: token, deadlines, and the patience to ask again.

What a firm's own client wants to do in the same way: one request id for each
thing that it wants, sent again with the same id until there is an answer.
"""

from __future__ import annotations

import pathlib
import random
import sys
import time
import uuid
from collections.abc import Callable
from typing import Any

# Where setup.sh puts the stubs, if PYTHONPATH does not say otherwise.
sys.path.append(str(pathlib.Path(__file__).parent / "generated"))

import grpc
from google.rpc import error_details_pb2, status_pb2

from baogong.logistics.v1 import partner_service_pb2 as pb
from baogong.logistics.v1.partner_service_pb2_grpc import PartnerServiceStub

# Asking again can help with these, and with nothing else.
PASSING = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
}
# A stream that was cut may end with these as well.
BROKEN = PASSING | {grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL}
DEADLINE_S = 10.0


def details(error: grpc.RpcError) -> tuple[str, float]:
    """The reason of a refusal, and how long to wait before asking again."""
    reason, delay = "", 0.0
    for key, value in error.trailing_metadata() or ():
        if key != "grpc-status-details-bin":
            continue
        for packed in status_pb2.Status.FromString(value).details:
            info = error_details_pb2.ErrorInfo()
            retry = error_details_pb2.RetryInfo()
            if packed.Unpack(info):
                reason = info.reason
            elif packed.Unpack(retry):
                delay = retry.retry_delay.ToTimedelta().total_seconds()
    return reason, delay


class Firm:
    """The calls of one firm in one area."""

    def __init__(
        self,
        address: str,
        token: str,
        area: str,
        carrier_id: str,
        ca: bytes | None = None,
        patience_s: float = 60.0,
    ) -> None:
        self.area = area
        self.carrier_id = carrier_id
        self.patience_s = patience_s
        self._metadata = (("authorization", f"Bearer {token}"),) if token else ()
        options = [
            # A dead connection is found within half a minute.
            ("grpc.keepalive_time_ms", 20_000),
            ("grpc.keepalive_timeout_ms", 10_000),
            ("grpc.initial_reconnect_backoff_ms", 200),
            ("grpc.max_reconnect_backoff_ms", 5_000),
        ]
        if ca is None:
            self.channel = grpc.insecure_channel(address, options)
        else:
            credentials = grpc.ssl_channel_credentials(root_certificates=ca)
            self.channel = grpc.secure_channel(address, credentials, options)
        self.stub = PartnerServiceStub(self.channel)

    def close(self) -> None:
        self.channel.close()

    def ask(self, method: str, request: Any) -> Any:
        """Makes a call until it is answered, each time with the same request.

        A request that changes something gets an id of its own the first time,
        so that the suite knows it again: nothing happens twice.
        """
        request.area, request.carrier_id = self.area, self.carrier_id
        if "request_id" in request.DESCRIPTOR.fields_by_name and not request.request_id:
            request.request_id = str(uuid.uuid4())
        give_up = time.monotonic() + self.patience_s
        pause = 0.1
        while True:
            try:
                return getattr(self.stub, method)(
                    request, timeout=DEADLINE_S, metadata=self._metadata
                )
            except grpc.RpcError as error:
                _, delay = details(error)
                if error.code() not in PASSING or time.monotonic() > give_up:
                    raise
                # What the suite asks for, and otherwise longer each time; not
                # all clients at once.
                time.sleep(delay or pause * random.uniform(0.5, 1.5))
                pause = min(pause * 2, 5.0)

    def ask_with(self, method: str, messages: Any) -> Any:
        """One call of a method that takes a stream of messages."""
        return getattr(self.stub, method)(messages, metadata=self._metadata)

    def watch(self, cursor: int, deal_with: Callable[[pb.WatchTendersResponse], bool]) -> int:
        """Follows what the firm is told, over broken connections too, until
        `deal_with` says that it is enough. Gives the cursor of the last
        message that was dealt with: keep it, and go on from it next time.
        """
        pause = 0.1
        while True:
            request = pb.WatchTendersRequest(
                area=self.area, carrier_id=self.carrier_id, after_cursor=cursor
            )
            call = self.stub.WatchTenders(request, metadata=self._metadata)
            while True:
                try:
                    message = next(call)
                except StopIteration:
                    break
                except grpc.RpcError as error:
                    if error.code() not in BROKEN:
                        raise
                    time.sleep(details(error)[1] or pause)
                    pause = min(pause * 2, 5.0)
                    break
                pause = 0.1
                # At least once: what is not beyond the cursor was dealt with.
                if message.cursor <= cursor and not message.HasField("heartbeat"):
                    continue
                enough = deal_with(message)
                cursor = max(cursor, message.cursor)
                if enough:
                    call.cancel()
                    return cursor
