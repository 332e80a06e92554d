//! Reports over one long call.

use proto::logistics::v1::{watch_tenders_response::Update, *};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};

use crate::{
    ask::{AREA, fresh},
    partner::{get, join, milestone, ready, watch},
    site::{Site, ok, refused},
};

/// A long call of `acme`.
struct Call {
    sender: mpsc::Sender<StreamReportsRequest>,
    answers: Streaming<StreamReportsResponse>,
}

impl Call {
    async fn open(site: &mut Site) -> Self {
        let (sender, receiver) = mpsc::channel(64);
        let call = site.partner.stream_reports(ReceiverStream::new(receiver));
        let answers = ok(call.await);
        Self { sender, answers }
    }

    /// Sends a list, and gives its request id.
    async fn send(&self, reports: Vec<CarrierReport>) -> String {
        let request = list("acme", reports);
        let id = request.request_id.clone();
        self.sender.send(request).await.expect("the call goes on");
        id
    }

    async fn next(&mut self) -> Result<Option<StreamReportsResponse>, Status> {
        self.answers.message().await
    }

    async fn answer(&mut self) -> StreamReportsResponse {
        let next = self.next().await.expect("no refusal");
        next.expect("an answer")
    }
}

fn list(carrier_id: &str, reports: Vec<CarrierReport>) -> StreamReportsRequest {
    StreamReportsRequest {
        request_id: fresh(),
        area: AREA.into(),
        carrier_id: carrier_id.into(),
        reports,
    }
}

fn outcomes(answer: &StreamReportsResponse) -> Vec<ReportOutcome> {
    answer.answers.iter().map(ReportAnswer::outcome).collect()
}

#[tokio::test]
async fn lists_are_answered_in_their_order_and_the_call_ends_with_the_last() {
    let mut site = Site::start().await;
    let id = ready(&mut site).await;
    let mut call = Call::open(&mut site).await;
    // Without waiting for any answer, and one of them late.
    let sent = [
        call.send(vec![milestone(&id, "r-2", Milestone::Loaded, "farm")]),
        call.send(vec![
            milestone(&id, "r-1", Milestone::Departed, ""),
            milestone("01UNKNOWN", "r-x", Milestone::Departed, ""),
        ]),
        call.send(vec![milestone(&id, "r-2", Milestone::Loaded, "farm")]),
        call.send(vec![milestone(
            &id,
            "r-3",
            Milestone::ArrivedDestination,
            "",
        )]),
    ];
    let sent = futures::future::join_all(sent).await;
    let mut told = vec![];
    for id in sent {
        let answer = call.answer().await;
        assert_eq!(answer.request_id, id);
        told.push(outcomes(&answer));
    }
    use ReportOutcome::{Duplicate, Recorded, Refused};
    assert_eq!(
        told,
        [
            vec![Recorded],
            vec![Recorded, Refused],
            vec![Duplicate],
            vec![Recorded]
        ]
    );
    drop(call.sender);
    assert_eq!(call.answers.message().await.expect("OK"), None);
    let shipment = ok(site.partner.get_shipment(get("acme", &id)).await).shipment;
    let state = shipment.expect("a shipment").state();
    assert_eq!(state, ShipmentState::ArrivedDestination);
}

#[tokio::test]
async fn what_was_not_answered_before_a_break_is_sent_again_in_either_way() {
    let mut site = Site::start().await;
    let id = ready(&mut site).await;
    let call = Call::open(&mut site).await;
    let lost = list("acme", vec![milestone(&id, "r-1", Milestone::Departed, "")]);
    call.sender
        .send(lost.clone())
        .await
        .expect("the call goes on");
    drop(call);

    let mut call = Call::open(&mut site).await;
    call.sender
        .send(lost.clone())
        .await
        .expect("the call goes on");
    let first = call.answer().await;
    // The same list by the other method gets the same answer.
    let single = ReportEventsRequest {
        request_id: lost.request_id.clone(),
        area: lost.area,
        carrier_id: lost.carrier_id,
        reports: lost.reports,
    };
    let again = ok(site.partner.report_events(single).await);
    assert_eq!(again.answers, first.answers);
    // The report under a new request is known.
    call.send(vec![milestone(&id, "r-1", Milestone::Departed, "")])
        .await;
    assert_eq!(outcomes(&call.answer().await), [ReportOutcome::Duplicate]);
}

#[tokio::test]
async fn a_list_that_is_wrong_as_a_whole_ends_the_call_behind_the_answers_before_it() {
    let mut site = Site::start().await;
    let id = ready(&mut site).await;
    let mut call = Call::open(&mut site).await;
    call.send(vec![milestone(&id, "r-1", Milestone::Departed, "")])
        .await;
    call.send(vec![]).await;
    assert_eq!(outcomes(&call.answer().await), [ReportOutcome::Recorded]);
    let end = call.next().await.map(tonic::Response::new);
    assert_eq!(refused(end).0, Code::InvalidArgument);
    // The service goes on.
    let mut call = Call::open(&mut site).await;
    call.send(vec![milestone(&id, "r-1", Milestone::Departed, "")])
        .await;
    assert_eq!(outcomes(&call.answer().await), [ReportOutcome::Duplicate]);
}

#[tokio::test]
async fn a_report_of_anothers_shipment_is_of_an_unknown_one() {
    let mut site = Site::start().await;
    let id = ready(&mut site).await;
    join(&mut site, "other").await;
    let call = Call::open(&mut site).await;
    let stranger = list(
        "other",
        vec![milestone(&id, "r-1", Milestone::Departed, "")],
    );
    call.sender.send(stranger).await.expect("the call goes on");
    let mut call = call;
    let answer = call.answer().await;
    assert_eq!(answer.answers[0].reason, "SHIPMENT_UNKNOWN");
}

#[tokio::test]
async fn a_service_that_stops_ends_the_call() {
    let mut site = Site::start().await;
    let id = ready(&mut site).await;
    let mut call = Call::open(&mut site).await;
    call.send(vec![milestone(&id, "r-1", Milestone::Departed, "")])
        .await;
    call.answer().await;
    site.shut_down();
    let end = call.next().await.map(tonic::Response::new);
    assert_eq!(refused(end).0, Code::Unavailable);
}

#[tokio::test]
async fn a_firm_is_told_what_others_do_with_its_loads() {
    let mut site = Site::start().await;
    let id = ready(&mut site).await;
    let mut acme = watch(&mut site, "acme", 0).await;
    let mut other = watch(&mut site, "other", 0).await;
    let reports = ReportEventsRequest {
        request_id: fresh(),
        area: AREA.into(),
        carrier_id: "acme".into(),
        reports: vec![
            milestone(&id, "r-1", Milestone::Departed, ""),
            milestone(&id, "r-2", Milestone::Loaded, "farm"),
            milestone(&id, "r-3", Milestone::ArrivedDestination, ""),
        ],
    };
    ok(site.partner.report_events(reports).await);
    let open = OpenIncidentRequest {
        request_id: fresh(),
        area: AREA.into(),
        carrier_id: "acme".into(),
        shipment_id: id.clone(),
        kind: IncidentKind::CheckpointClosed.into(),
        note: "until noon".into(),
    };
    let incident_id = ok(site.partner.open_incident(open).await).incident_id;
    let close = CloseIncidentRequest {
        request_id: fresh(),
        area: AREA.into(),
        carrier_id: "acme".into(),
        shipment_id: id.clone(),
        incident_id,
        resolution: "it is open again".into(),
    };
    ok(site.partner.close_incident(close).await);
    let declare = DeclareHandoverRequest {
        request_id: fresh(),
        area: AREA.into(),
        carrier_id: "acme".into(),
        shipment_id: id.clone(),
        ..Default::default()
    };
    ok(site.partner.declare_handover(declare).await);
    let transfer = TransferCustodyRequest {
        request_id: fresh(),
        area: AREA.into(),
        shipment_id: id.clone(),
        receiver_id: "keeper-1".into(),
        ..Default::default()
    };
    ok(site.freight.transfer_custody(transfer).await);
    let mut told = vec![];
    while told.len() < 3 {
        if let (Update::Shipment(shipment), _) = acme.update().await {
            assert_eq!(shipment.shipment_id, id);
            told.push(shipment);
        }
    }
    // Each time as it is when it is told.
    let last = told.pop().expect("three");
    assert_eq!(last.state(), ShipmentState::CustodyTransferred);
    assert_eq!(last.receiver_id, "keeper-1");

    // Of all that, nothing for the other firm: its pass is what comes first.
    let pass_id = join(&mut site, "other").await;
    let (Update::Pass(pass), _) = other.update().await else {
        panic!("no pass")
    };
    assert_eq!(pass.pass_id, pass_id);
}
