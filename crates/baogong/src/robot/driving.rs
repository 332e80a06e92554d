//! What a robot says on its way: reports in batches, incidents, the hand-over.

use decider::Timestamp;
use proto::logistics::v1::{
    CarrierReport, CloseIncidentRequest, DeclareHandoverRequest, IncidentKind, OpenIncidentRequest,
    ReportEventsRequest, ReportOutcome,
};
use tonic::Status;

use super::{Journey, Robot};

/// Reports of one call, as the API allows.
const REPORTS_MAX: usize = 100;

impl Robot {
    /// Reports what a journey has to tell until a moment, in batches.
    ///
    /// # Errors
    /// The status that ended it, or `FAILED_PRECONDITION` with what was
    /// refused of the reports.
    pub async fn drive(&self, journey: &mut Journey, until: Timestamp) -> Result<(), Status> {
        loop {
            let (first, reports) = journey.due(until, REPORTS_MAX);
            if reports.is_empty() {
                return Ok(());
            }
            self.report(journey.shipment_id(), first, reports).await?;
        }
    }

    async fn report(
        &self,
        shipment_id: &str,
        first: usize,
        reports: Vec<CarrierReport>,
    ) -> Result<(), Status> {
        let request = ReportEventsRequest {
            request_id: self.id(&format!("report:{shipment_id}:{first}-{}", reports.len())),
            area: self.area(),
            carrier_id: self.carrier_id(),
            reports,
        };
        let told = self
            .call(|mut c| {
                let request = self.by(request.clone());
                async move { c.report_events(request).await }
            })
            .await?;
        let mut answers = told.answers.into_iter();
        match answers.find(|answer| answer.outcome() == ReportOutcome::Refused) {
            None => Ok(()),
            Some(refused) => Err(Status::failed_precondition(format!(
                "report {} of {shipment_id}: {}: {}",
                refused.report_id, refused.reason, refused.message
            ))),
        }
    }

    /// Hands over all that was loaded.
    ///
    /// # Errors
    /// The status that ended it.
    pub async fn declare(&self, shipment_id: &str) -> Result<(), Status> {
        let declare = DeclareHandoverRequest {
            request_id: self.id(&format!("declare:{shipment_id}")),
            area: self.area(),
            carrier_id: self.carrier_id(),
            shipment_id: shipment_id.to_owned(),
            lines: vec![],
        };
        self.call(|mut c| {
            let request = self.by(declare.clone());
            async move { c.declare_handover(request).await }
        })
        .await
        .map(|_| ())
    }

    /// Gives the incident's id.
    ///
    /// # Errors
    /// The status that ended it.
    pub async fn open_incident(
        &self,
        shipment_id: &str,
        kind: IncidentKind,
        note: &str,
    ) -> Result<String, Status> {
        let open = OpenIncidentRequest {
            request_id: self.id(&format!("incident:{shipment_id}:{}", kind as i32)),
            area: self.area(),
            carrier_id: self.carrier_id(),
            shipment_id: shipment_id.to_owned(),
            kind: kind.into(),
            note: note.to_owned(),
        };
        let opened = self
            .call(|mut c| {
                let request = self.by(open.clone());
                async move { c.open_incident(request).await }
            })
            .await?;
        Ok(opened.incident_id)
    }

    /// # Errors
    /// The status that ended it.
    pub async fn close_incident(
        &self,
        shipment_id: &str,
        incident_id: &str,
        resolution: &str,
    ) -> Result<(), Status> {
        let close = CloseIncidentRequest {
            request_id: self.id(&format!("incident-closed:{incident_id}")),
            area: self.area(),
            carrier_id: self.carrier_id(),
            shipment_id: shipment_id.to_owned(),
            incident_id: incident_id.to_owned(),
            resolution: resolution.to_owned(),
        };
        self.call(|mut c| {
            let request = self.by(close.clone());
            async move { c.close_incident(request).await }
        })
        .await
        .map(|_| ())
    }
}
