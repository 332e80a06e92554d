//! One trace from the gRPC call over the bus to the last reaction, as a
//! collector of another make would see it: spans over OTLP/gRPC, from four
//! processes.

use std::{
    collections::{BTreeSet, HashSet},
    time::Duration,
};

use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
    common::v1::any_value::Value,
    resource::v1::Resource,
    trace::v1::span::SpanKind,
};
use proto::{
    inventory::v1::{
        Category, DefineProductRequest, ReceiveLotRequest,
        inventory_service_client::InventoryServiceClient,
    },
    log::v1::{ReadRequest, log_service_client::LogServiceClient},
    order::v1::{
        Channel as OrderChannel, Contact, PlaceOrderRequest, RegisterHouseholdRequest,
        order_service_client::OrderServiceClient,
    },
    types::v1::{Door, Line},
};
use system_tests::Suite;
use tokio::sync::watch;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, transport::Channel};

const AREA: &str = "632725100";
const PATIENCE: Duration = Duration::from_secs(60);
/// What the caller sends: the example of the W3C recommendation.
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";

/// A span of our trace; ids in hexadecimal.
#[derive(Debug, Clone)]
struct Span {
    service: String,
    name: String,
    kind: SpanKind,
    id: String,
    parent: String,
}

/// An OTLP collector that keeps what belongs to our trace.
struct Collector {
    spans: watch::Sender<Vec<Span>>,
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let mut arrived = Vec::new();
        for of_process in request.into_inner().resource_spans {
            let service = service_name(of_process.resource.as_ref());
            let scopes = of_process.scope_spans.into_iter();
            let ours = scopes
                .flat_map(|scope| scope.spans)
                .filter(|span| hex(&span.trace_id) == TRACE);
            arrived.extend(ours.map(|span| Span {
                service: service.clone(),
                kind: span.kind(),
                id: hex(&span.span_id),
                parent: hex(&span.parent_span_id),
                name: span.name,
            }));
        }
        self.spans.send_modify(|spans| spans.extend(arrived));
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn service_name(resource: Option<&Resource>) -> String {
    let attributes = resource.map(|resource| &resource.attributes[..]);
    let name = attributes
        .unwrap_or_default()
        .iter()
        .find(|attribute| attribute.key == "service.name")
        .and_then(|attribute| attribute.value.as_ref()?.value.clone());
    match name {
        Some(Value::StringValue(name)) => name,
        other => panic!("a process without a name: {other:?}"),
    }
}

/// Listens; gives its address, and the spans as they come.
async fn collect() -> (String, watch::Receiver<Vec<Span>>) {
    let (spans, seen) = watch::channel(Vec::new());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let server = tonic::transport::Server::builder()
        .add_service(TraceServiceServer::new(Collector { spans }))
        .serve_with_incoming(TcpListenerStream::new(listener));
    // Ends with the runtime.
    tokio::spawn(server);
    (format!("http://{address}"), seen)
}

/// A household, a product and enough of it: the order can be confirmed at once.
async fn prepare(
    orders: &mut OrderServiceClient<Channel>,
    inventory: &mut InventoryServiceClient<Channel>,
) {
    let household = RegisterHouseholdRequest {
        request_id: "register".into(),
        area: AREA.into(),
        household_id: "H1".into(),
        door: Some(Door {
            community: "zhichaka".into(),
            grid: "G01".into(),
            building: "B1".into(),
            entrance: "E1".into(),
            door: "101".into(),
        }),
        contact: Some(Contact {
            name: "Household 1".into(),
            phone: "13900000001".into(),
            ..Contact::default()
        }),
        cadre_id: "cadre-1".into(),
        ..RegisterHouseholdRequest::default()
    };
    let registered = orders.register_household(household).await;
    registered.expect("registered");
    let product = DefineProductRequest {
        request_id: "define".into(),
        area: AREA.into(),
        product_id: "flour".into(),
        name: "flour".into(),
        unit_grams: 5_000,
        category: Category::Staple.into(),
    };
    inventory.define_product(product).await.expect("defined");
    let lot = ReceiveLotRequest {
        request_id: "receive".into(),
        area: AREA.into(),
        lot_id: "L1".into(),
        product_id: "flour".into(),
        quantity_units: 10,
        supplier_id: "grower-1".into(),
        location: "depot".into(),
        ..ReceiveLotRequest::default()
    };
    inventory.receive_lot(lot).await.expect("received");
}

fn traced(message: PlaceOrderRequest) -> Request<PlaceOrderRequest> {
    let mut request = Request::new(message);
    let traceparent = format!("00-{TRACE}-{CALLER}-01");
    let traceparent = traceparent.parse().expect("ASCII");
    request.metadata_mut().insert("traceparent", traceparent);
    request
}

fn phone_order() -> PlaceOrderRequest {
    PlaceOrderRequest {
        request_id: "place".into(),
        area: AREA.into(),
        household_id: "H1".into(),
        lines: vec![Line {
            product_id: "flour".into(),
            quantity_units: 2,
        }],
        channel: OrderChannel::Phone.into(),
        placed_by: "cadre-1".into(),
        ..PlaceOrderRequest::default()
    }
}

/// The span that recorded the first event of a type, as the service's log
/// says: waits until there is one.
async fn recorded_by(channel: &Channel, event: &str) -> String {
    let follow = ReadRequest {
        follow: true,
        ..ReadRequest::default()
    };
    let log = LogServiceClient::new(channel.clone()).read(follow).await;
    let mut log = log.expect("a log").into_inner();
    let reading = async {
        loop {
            let part = log.message().await.expect("a part");
            for bytes in part.expect("an open stream").records {
                let record = proto::record::decode(&bytes).expect("a record");
                if record.event.short_name() == event {
                    return record.traceparent;
                }
            }
        }
    };
    let traceparent = tokio::time::timeout(PATIENCE, reading).await;
    let traceparent = traceparent.unwrap_or_else(|_| panic!("{event} is not recorded"));
    let [version, trace, span, flags] = traceparent.split('-').collect::<Vec<_>>()[..] else {
        panic!("{event} carries the trace context `{traceparent}`");
    };
    assert_eq!((version, trace, flags), ("00", TRACE, "01"), "{event}");
    span.to_owned()
}

fn find<'a>(spans: &'a [Span], service: &str, name: &str) -> Option<&'a Span> {
    spans
        .iter()
        .find(|span| span.service == service && span.name == name)
}

/// The spans that must be there: process and name.
const WANTED: [(&str, &str); 5] = [
    ("order", "baogong.order.v1.OrderService/PlaceOrder"),
    ("inventory", "inventory react OrderReleased"),
    ("order", "order react StockReserved"),
    // Both hear of it as the last.
    ("inventory", "inventory react OrderConfirmed"),
    ("notification", "notification react OrderConfirmed"),
];

fn is_complete(spans: &[Span]) -> bool {
    let known: HashSet<&str> = spans.iter().map(|span| span.id.as_str()).collect();
    let rooted = |span: &Span| span.parent == CALLER || known.contains(span.parent.as_str());
    spans.iter().all(rooted)
        && WANTED
            .iter()
            .all(|(service, name)| find(spans, service, name).is_some())
}

#[test]
fn one_trace_leads_from_the_call_over_the_bus_to_the_last_reaction() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (endpoint, mut seen) = runtime.block_on(collect());
    let suite = Suite::start_with(&[
        ("BAOGONG_TELEMETRY__OTLP_ENDPOINT", endpoint),
        ("OTEL_BSP_SCHEDULE_DELAY", "50".to_owned()),
    ])
    .expect("a suite");
    runtime.block_on(async {
        let [order, inventory] = [0, 1].map(|n| {
            let url = format!("http://{}", suite.services[n].grpc);
            let endpoint = Channel::from_shared(url).expect("an address");
            endpoint.connect_lazy()
        });
        let mut orders = OrderServiceClient::new(order.clone());
        let mut stock = InventoryServiceClient::new(inventory.clone());
        prepare(&mut orders, &mut stock).await;
        let placed = orders.place_order(traced(phone_order())).await;
        placed.expect("placed");

        let confirming = recorded_by(&order, "OrderConfirmed").await;
        let placing = recorded_by(&order, "OrderPlaced").await;
        let reserving = recorded_by(&inventory, "StockReserved").await;
        let complete = tokio::time::timeout(PATIENCE, seen.wait_for(|s| is_complete(s))).await;
        let complete = complete.map(|spans| spans.expect("a collector").clone());
        let Ok(spans) = complete else {
            panic!("the trace stays incomplete: {:#?}", *seen.borrow());
        };

        let span = |n: usize| {
            let (service, name) = WANTED[n];
            find(&spans, service, name).expect("it is complete")
        };
        let [call, queue, confirm, end, told] = [0, 1, 2, 3, 4].map(span);
        assert_eq!((call.kind, &*call.parent), (SpanKind::Server, CALLER));
        for (child, parent) in [
            (queue, call),
            (confirm, queue),
            (end, confirm),
            (told, confirm),
        ] {
            assert_eq!(child.kind, SpanKind::Consumer, "{child:?}");
            assert_eq!(child.parent, parent.id, "{child:?} follows {parent:?}");
        }
        // Each record names the span that recorded it.
        assert_eq!(placing, call.id);
        assert_eq!(reserving, queue.id);
        assert_eq!(confirming, confirm.id);
        let ids: BTreeSet<_> = spans.iter().map(|span| &span.id).collect();
        assert_eq!(ids.len(), spans.len(), "every span is exported once");
    });
}
