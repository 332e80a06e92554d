//! One firm: follows its tenders, drives whatever it is tendered, and reports
//! at a steady pace. What was not answered is sent again until it is.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use proto::logistics::v1::{
    AcceptTenderRequest, ApplyForPassRequest, AssignResourcesRequest, CarrierReport,
    DeclareHandoverRequest, Milestone, MilestoneReport, PassState, PositionReport,
    RegisterDriverRequest, RegisterVehicleRequest, ReportOutcome, StreamReportsRequest,
    StreamReportsResponse, WatchTendersRequest, carrier_report::What,
    partner_service_client::PartnerServiceClient, watch_tenders_response::Update,
};
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior},
};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};

use crate::{
    Options,
    dispatcher::after,
    figures::Figures,
    suite::{AREA, Link, link},
};

/// How long a watch goes on after the end.
const LAST_WORDS: Duration = Duration::from_secs(5);

pub fn id(n: usize) -> String {
    format!("firm-{n:03}")
}

/// Asks until there is an answer, each time with the same request.
macro_rules! patiently {
    ($client:expr, $method:ident($request:expr)) => {
        loop {
            match $client.clone().$method($request.clone()).await {
                Ok(answer) => break answer.into_inner(),
                Err(status) => pause(&status).await?,
            }
        }
    };
}

/// What the firm knows at the end.
#[derive(Default)]
pub struct View {
    pub carrier_id: String,
    /// Every report that was answered as recorded or as known.
    pub reported: BTreeSet<(String, String)>,
    /// The rounds that it was told of, by shipment.
    pub tendered: BTreeMap<String, BTreeSet<i32>>,
    /// Reports that were refused, and why.
    pub refused: Vec<String>,
}

pub struct Firm {
    id: String,
    client: PartnerServiceClient<Link>,
    interval: Duration,
    positions: u64,
    figures: Arc<Figures>,
}

impl Firm {
    pub fn new(
        n: usize,
        address: SocketAddr,
        token: &str,
        options: &Options,
        figures: Arc<Figures>,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            id: id(n),
            client: PartnerServiceClient::new(link(address, token)?),
            interval: options.interval(),
            positions: options.positions,
            figures,
        })
    }

    pub async fn run(self, stop: CancellationToken) -> anyhow::Result<View> {
        self.enter().await?;
        let (tenders, accepted) = mpsc::channel(64);
        let watching = tokio::spawn(watch(
            self.client.clone(),
            self.id.clone(),
            tenders,
            stop.clone(),
        ));
        let mut view = View {
            carrier_id: self.id.clone(),
            ..View::default()
        };
        self.drive(accepted, &mut view, stop).await?;
        view.tendered = watching.await??;
        Ok(view)
    }

    async fn enter(&self) -> anyhow::Result<()> {
        let vehicle = RegisterVehicleRequest {
            request_id: new_id(),
            area: AREA.into(),
            carrier_id: self.id.clone(),
            vehicle_id: "lorry".into(),
            capacity_grams: 5_000_000,
        };
        patiently!(self.client, register_vehicle(vehicle));
        let driver = RegisterDriverRequest {
            request_id: new_id(),
            area: AREA.into(),
            carrier_id: self.id.clone(),
            driver_id: "d-1".into(),
        };
        patiently!(self.client, register_driver(driver));
        let pass = ApplyForPassRequest {
            request_id: new_id(),
            area: AREA.into(),
            carrier_id: self.id.clone(),
            vehicle_id: "lorry".into(),
            driver_id: "d-1".into(),
            zones: vec!["valley".into(), "town".into()],
            from_time: after(0),
            to_time: after(86_400),
            certificate_sha256: vec![7; 32],
        };
        patiently!(self.client, apply_for_pass(pass));
        Ok(())
    }

    /// Drives one load after another, a report for each tick.
    async fn drive(
        &self,
        mut accepted: mpsc::Receiver<String>,
        view: &mut View,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        let mut ticks = tokio::time::interval(self.interval);
        // The wait for the next load is made good, as by one who has fallen behind.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut line = Line::new(self.client.clone(), self.id.clone());
        let mut first = true;
        loop {
            let shipment_id = tokio::select! {
                shipment_id = accepted.recv() => shipment_id,
                () = stop.cancelled() => None,
            };
            let Some(shipment_id) = shipment_id else {
                break;
            };
            if first {
                ticks.reset();
            }
            for report in way(&shipment_id, self.positions) {
                loop {
                    tokio::select! {
                        _ = ticks.tick() => break,
                        taken = line.take(view, &self.figures), if line.is_owed() => taken?,
                    }
                }
                line.send(report).await?;
                if first {
                    self.figures.drives();
                    first = false;
                }
                if stop.is_cancelled() {
                    break;
                }
            }
            line.take_all(view, &self.figures).await?;
            if stop.is_cancelled() {
                break;
            }
            let declare = DeclareHandoverRequest {
                request_id: new_id(),
                area: AREA.into(),
                carrier_id: self.id.clone(),
                shipment_id,
                lines: vec![],
            };
            patiently!(self.client, declare_handover(declare));
        }
        line.take_all(view, &self.figures).await
    }
}

/// The long call over which a firm reports, and what waits for its answer.
struct Line {
    client: PartnerServiceClient<Link>,
    carrier_id: String,
    open: Option<(
        mpsc::Sender<StreamReportsRequest>,
        tonic::Streaming<StreamReportsResponse>,
    )>,
    waiting: VecDeque<(Instant, StreamReportsRequest)>,
}

impl Line {
    fn new(client: PartnerServiceClient<Link>, carrier_id: String) -> Self {
        Self {
            client,
            carrier_id,
            open: None,
            waiting: VecDeque::new(),
        }
    }

    async fn send(&mut self, report: CarrierReport) -> anyhow::Result<()> {
        let request = StreamReportsRequest {
            request_id: new_id(),
            area: AREA.into(),
            carrier_id: self.carrier_id.clone(),
            reports: vec![report],
        };
        self.waiting.push_back((Instant::now(), request.clone()));
        match &self.open {
            Some((sender, _)) => {
                if sender.send(request).await.is_err() {
                    self.open = None;
                }
            }
            None => self.reopen().await?,
        }
        Ok(())
    }

    /// Opens the call anew, and sends everything that was not answered again.
    async fn reopen(&mut self) -> anyhow::Result<()> {
        loop {
            let (sender, receiver) = mpsc::channel(self.waiting.len() + 1_024);
            for (_, request) in &self.waiting {
                sender.try_send(request.clone())?;
            }
            match self
                .client
                .stream_reports(ReceiverStream::new(receiver))
                .await
            {
                Ok(answers) => {
                    self.open = Some((sender, answers.into_inner()));
                    return Ok(());
                }
                Err(status) => pause(&status).await?,
            }
        }
    }

    /// Takes the next answer that is owed. May be dropped at any time: what was
    /// not answered is asked for again.
    async fn take(&mut self, view: &mut View, figures: &Figures) -> anyhow::Result<()> {
        let Some((_, answers)) = &mut self.open else {
            return self.reopen().await;
        };
        match answers.message().await {
            Ok(Some(answer)) => self.answered(&answer, view, figures)?,
            Ok(None) => self.open = None,
            Err(status) => {
                self.open = None;
                pause(&status).await?;
            }
        }
        Ok(())
    }

    fn is_owed(&self) -> bool {
        !self.waiting.is_empty()
    }

    async fn take_all(&mut self, view: &mut View, figures: &Figures) -> anyhow::Result<()> {
        while self.is_owed() {
            self.take(view, figures).await?;
        }
        Ok(())
    }

    fn answered(
        &mut self,
        answer: &StreamReportsResponse,
        view: &mut View,
        figures: &Figures,
    ) -> anyhow::Result<()> {
        let Some((sent, request)) = self.waiting.pop_front() else {
            anyhow::bail!("an answer that nobody asked for");
        };
        anyhow::ensure!(
            request.request_id == answer.request_id,
            "answers out of order"
        );
        figures.answered(sent.elapsed());
        for (told, report) in answer.answers.iter().zip(&request.reports) {
            match told.outcome() {
                ReportOutcome::Recorded | ReportOutcome::Duplicate => {
                    let key = (report.shipment_id.clone(), report.report_id.clone());
                    view.reported.insert(key);
                }
                ReportOutcome::Refused | ReportOutcome::Unspecified => {
                    let why = format!("{} {}: {}", told.report_id, told.reason, told.message);
                    view.refused.push(why);
                }
            }
        }
        Ok(())
    }
}

/// Follows the firm's tenders and accepts each; gives the rounds that were
/// told.
async fn watch(
    mut client: PartnerServiceClient<Link>,
    carrier_id: String,
    accepted: mpsc::Sender<String>,
    stop: CancellationToken,
) -> anyhow::Result<BTreeMap<String, BTreeSet<i32>>> {
    let mut told: BTreeMap<String, BTreeSet<i32>> = BTreeMap::new();
    let mut pass_id = String::new();
    let mut cursor = 0;
    // When it was stopped, what was tendered until then is told within a while.
    let mut until = None;
    'open: loop {
        let request = WatchTendersRequest {
            area: AREA.into(),
            carrier_id: carrier_id.clone(),
            after_cursor: cursor,
            ..Default::default()
        };
        let mut updates = match client.watch_tenders(request).await {
            Ok(updates) => updates.into_inner(),
            Err(status) => {
                pause(&status).await?;
                continue;
            }
        };
        loop {
            let end = async {
                match until {
                    Some(until) => tokio::time::sleep_until(until).await,
                    None => stop.cancelled().await,
                }
            };
            let next = tokio::select! {
                next = updates.message() => next,
                () = end => {
                    if until.is_some() {
                        return Ok(told);
                    }
                    until = Some(Instant::now() + LAST_WORDS);
                    continue;
                }
            };
            let message = match next {
                Ok(Some(message)) => message,
                Ok(None) => continue 'open,
                Err(status) => {
                    pause(&status).await?;
                    continue 'open;
                }
            };
            let fresh = message.cursor > cursor;
            cursor = cursor.max(message.cursor);
            match message.update {
                Some(Update::Tendered(shipment)) if fresh => {
                    let rounds = told.entry(shipment.shipment_id.clone()).or_default();
                    rounds.insert(shipment.round);
                    if shipment.load.is_some() && !stop.is_cancelled() {
                        take(
                            &client,
                            &carrier_id,
                            &shipment.shipment_id,
                            shipment.round,
                            &pass_id,
                        )
                        .await?;
                        // The driver may have gone home.
                        let _ = accepted.send(shipment.shipment_id).await;
                    }
                }
                Some(Update::Pass(pass)) if pass.state() == PassState::Issued => {
                    pass_id = pass.pass_id;
                }
                _ => {}
            }
        }
    }
}

async fn take(
    client: &PartnerServiceClient<Link>,
    carrier_id: &str,
    shipment_id: &str,
    round: i32,
    pass_id: &str,
) -> anyhow::Result<()> {
    let accept = AcceptTenderRequest {
        request_id: new_id(),
        area: AREA.into(),
        carrier_id: carrier_id.into(),
        shipment_id: shipment_id.into(),
        round,
    };
    patiently!(client, accept_tender(accept));
    let assign = AssignResourcesRequest {
        request_id: new_id(),
        area: AREA.into(),
        carrier_id: carrier_id.into(),
        shipment_id: shipment_id.into(),
        vehicle_id: "lorry".into(),
        driver_id: "d-1".into(),
        pass_id: pass_id.into(),
    };
    patiently!(client, assign_resources(assign));
    Ok(())
}

/// Every report of one load.
fn way(shipment_id: &str, positions: u64) -> impl Iterator<Item = CarrierReport> {
    let report = |report_id: String, what: What| CarrierReport {
        report_id,
        shipment_id: shipment_id.to_owned(),
        occurred_time: Some(SystemTime::now().into()),
        what: Some(what),
    };
    let milestone = move |milestone: Milestone, stop_id: &str| {
        let what = What::Milestone(MilestoneReport {
            milestone: milestone.into(),
            stop_id: stop_id.into(),
            ..Default::default()
        });
        report(milestone.as_str_name().to_lowercase(), what)
    };
    let position = move |n: u64| {
        let what = What::Position(PositionReport {
            latitude_e7: 324_000_000 + i32::try_from(n).unwrap_or(0) * 1_000,
            longitude_e7: 961_000_000,
            eta_time: after(600),
        });
        report(format!("p-{n}"), what)
    };
    let begin = [
        milestone(Milestone::Departed, ""),
        milestone(Milestone::ArrivedPickup, "depot"),
        milestone(Milestone::Loaded, "depot"),
        milestone(Milestone::InTransit, ""),
    ];
    let positions: Vec<_> = (0..positions).map(position).collect();
    let end = [milestone(Milestone::ArrivedDestination, "")];
    // When a report is made is when it happens.
    let now = |report| CarrierReport {
        occurred_time: Some(SystemTime::now().into()),
        ..report
    };
    begin.into_iter().chain(positions).chain(end).map(now)
}

fn new_id() -> String {
    format!("{:032x}", rand::random::<u128>())
}

/// Waits a little where a connection broke or the suite is busy.
async fn pause(status: &Status) -> anyhow::Result<()> {
    let broken = matches!(
        status.code(),
        Code::Unavailable
            | Code::Cancelled
            | Code::Unknown
            | Code::Internal
            | Code::ResourceExhausted
    );
    anyhow::ensure!(broken, "refused: {status}");
    tokio::time::sleep(Duration::from_millis(20)).await;
    Ok(())
}
