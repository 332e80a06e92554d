//! What carriers report, in single calls and over long ones.

use futures::StreamExt;
use logistics_domain::Logistics;
use proto::LogisticsEvent;
use proto::logistics::v1::{self as pb, ReportOutcome};
use service_kit::{
    call::Partitions, follow::Parts, partition::Committed, stream_service::stopping,
};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Status, Streaming};
use tonic_types::StatusExt;

use super::SERVICE;
use crate::parse::freight as parse;

/// Messages of one long call that are decided at the same time. The client is
/// held back by the flow control of HTTP/2 while there are as many.
const MESSAGES_AT_ONCE: usize = 16;

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
        async { call.run(parse::report(&carrier_id, one)?).await }
    });
    let fates = futures::future::join_all(reports).await;
    let known = fates.iter().flatten().map(|known| known.position.0);
    let position = known.max().unwrap_or(0);
    // Behind all of them, and with one look for the whole list.
    let query = pb::GetShipmentRequest {
        area: message.area,
        min_position: position,
        ..Default::default()
    };
    let look = partitions.query(&query, |machine, area, _| {
        let state_of = |report: &pb::CarrierReport| {
            let shipment = machine.state().shipment(area, &report.shipment_id);
            shipment.map(|shipment| shipment.state).unwrap_or_default()
        };
        message.reports.iter().map(state_of).collect::<Vec<_>>()
    });
    let (states, _) = look.await?;
    let told = message.reports.iter().zip(fates).zip(states);
    Ok(pb::ReportEventsResponse {
        position,
        answers: told
            .map(|((report, fate), state)| answer(&report.report_id, &fate, state))
            .collect(),
    })
}

fn answer(
    report_id: &str,
    fate: &Result<Committed<LogisticsEvent>, Status>,
    state: pb::ShipmentState,
) -> pb::ReportAnswer {
    let mut answer = pb::ReportAnswer {
        report_id: report_id.to_owned(),
        ..Default::default()
    };
    match fate {
        Ok(committed) => {
            answer.set_state(state);
            answer.set_outcome(if committed.records.is_empty() {
                ReportOutcome::Duplicate
            } else {
                ReportOutcome::Recorded
            });
        }
        Err(status) => {
            let info = status.get_details_error_info();
            answer.reason = info.map_or_else(String::new, |info| info.reason);
            status.message().clone_into(&mut answer.message);
            answer.set_outcome(ReportOutcome::Refused);
        }
    }
    answer
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
