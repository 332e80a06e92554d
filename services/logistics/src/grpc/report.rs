//! What carriers report, in single calls and over long ones.

use futures::StreamExt;
use logistics_domain::Logistics;
use proto::logistics::v1::{self as pb, ReportOutcome};
use service_kit::{
    call::{Call, Partitions},
    follow::Parts,
    stream_service::stopping,
};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Status, Streaming};
use tonic_types::StatusExt;

use super::SERVICE;
use crate::parse::freight as parse;

/// Messages of one long call that are decided at the same time. The client is
/// held back by the flow control of HTTP/2 while there are as many.
const MESSAGES_AT_ONCE: usize = 16;

/// A report's fate, at what position it was known.
type Told = (pb::ReportAnswer, u64);

/// # Errors
/// Something is wrong with the list as a whole; a report's own faults are
/// in its answer.
pub(super) async fn take(
    partitions: &Partitions<Logistics>,
    request: Request<pb::ReportEventsRequest>,
) -> Result<pb::ReportEventsResponse, Status> {
    let (call, message) = partitions.command(request)?;
    let carrier_id = parse::reporter(&message)?;
    // All are handed in at once, in their order, and become durable
    // together; each has its own fate.
    let reports = message.reports.iter().enumerate().map(|(n, one)| {
        let call = call.part(n, one);
        report(partitions, call, &message.area, &carrier_id, one)
    });
    let told = futures::future::join_all(reports).await;
    let positions = told.iter().map(|(_, position)| *position);
    Ok(pb::ReportEventsResponse {
        position: positions.max().unwrap_or(0),
        answers: told.into_iter().map(|(answer, _)| answer).collect(),
    })
}

async fn report(
    partitions: &Partitions<Logistics>,
    call: Call<Logistics>,
    area: &str,
    carrier_id: &str,
    report: &pb::CarrierReport,
) -> Told {
    let run = async {
        let committed = call.run(parse::report(carrier_id, report)?).await?;
        let position = committed.position.0;
        let query = pb::GetShipmentRequest {
            area: area.to_owned(),
            min_position: position,
            ..Default::default()
        };
        let look = partitions.query(&query, |machine, area, _| {
            let shipment = machine.state().shipment(area, &report.shipment_id);
            shipment.map(|shipment| shipment.state).unwrap_or_default()
        });
        let (state, _) = look.await?;
        Ok::<_, Status>((committed.records.is_empty(), state, position))
    };
    let mut answer = pb::ReportAnswer {
        report_id: report.report_id.clone(),
        ..Default::default()
    };
    match run.await {
        Ok((known, state, position)) => {
            answer.set_state(state);
            answer.set_outcome(if known {
                ReportOutcome::Duplicate
            } else {
                ReportOutcome::Recorded
            });
            (answer, position)
        }
        Err(status) => {
            let info = status.get_details_error_info();
            answer.reason = info.map_or_else(String::new, |info| info.reason);
            status.message().clone_into(&mut answer.message);
            answer.set_outcome(ReportOutcome::Refused);
            (answer, 0)
        }
    }
}

/// The answers to the messages of a long call, in their order. What was
/// answered before the call broke is durable; a message that is wrong as a
/// whole ends the call with its status, behind the answers to those before it.
pub(super) fn answers(
    partitions: Partitions<Logistics>,
    stop: CancellationToken,
    request: Request<Streaming<pb::StreamReportsRequest>>,
) -> Parts<pb::StreamReportsResponse> {
    let (metadata, extensions, messages) = request.into_parts();
    // Ends with the client's last message, or with the first that is an error.
    let begin = Some((messages, stop));
    let messages = futures::stream::unfold(begin, async |state| {
        let (mut messages, stop) = state?;
        let message = tokio::select! {
            biased;
            () = stop.cancelled() => Some(Err(stopping(SERVICE))),
            message = messages.next() => message,
        }?;
        let go_on = message.is_ok().then_some((messages, stop));
        Some((message, go_on))
    });
    let answers = messages.map(move |message| {
        let partitions = partitions.clone();
        let request = message.map(|message| {
            let request_id = message.request_id.clone();
            let list = pb::ReportEventsRequest {
                request_id: message.request_id,
                area: message.area,
                carrier_id: message.carrier_id,
                reports: message.reports,
            };
            let request = Request::from_parts(metadata.clone(), extensions.clone(), list);
            (request_id, request)
        });
        async move {
            let (request_id, request) = request?;
            let done = take(&partitions, request).await?;
            Ok(pb::StreamReportsResponse {
                request_id,
                position: done.position,
                answers: done.answers,
            })
        }
    });
    Box::pin(answers.buffered(MESSAGES_AT_ONCE))
}
