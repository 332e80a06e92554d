//! Pure core of the notification service: who is told what, and what follows
//! when nobody answers.
//!
//! A household whose goods are at the door is messaged, then telephoned, then
//! visited by its cadre, until one of the three has reached it (`ladder`).
//! Sending is not done here: the state says what is to be sent
//! ([`State::pending_sends`]), and how it went comes back as a command.

mod command;
mod contact;
mod erasure;
mod ladder;
mod notification;
mod query;
mod react;
mod rejection;
mod snapshot;
mod state;
mod timers;
mod values;

use decider::{Context, Domain, Due, Recorded, Service, StreamId, Timestamp, Violation};
use proto::{AnyEvent, NotificationEvent};

pub use command::{Command, RecordContact, RequestNotification, Target};
pub use contact::Contact;
pub use ladder::{
    ATTEMPTS_MAX, BACKOFF_FIRST_SECONDS, BACKOFF_MAX_SECONDS, CALL_WAIT_MINUTES,
    RECEIPT_WAIT_MINUTES, backoff_seconds,
};
pub use notification::{NextStep, Notification};
pub use query::{Filter, PendingSend};
pub use rejection::Rejection;
pub use state::State;
pub use values::{
    CallOutcome, Evidence, Kind, Language, NOTE_MAX_CHARS, Note, NoteTooLong, Phase, Rung,
};

/// The rules of the notification service.
#[derive(Debug, Clone, Copy)]
pub struct Notifications;

impl Domain for Notifications {
    type State = State;
    type Command = Command;
    type Event = NotificationEvent;
    type Foreign = AnyEvent;
    type Rejection = Rejection;

    const SERVICE: Service = Service::Notification;
    const SOURCES: &'static [Service] = &[Service::Order, Service::Logistics];

    fn command_name(command: &Command) -> &'static str {
        command.name()
    }

    fn decide(
        state: &State,
        command: &Command,
        context: &Context,
    ) -> Result<Vec<NotificationEvent>, Rejection> {
        match command {
            Command::RecordContact(change) => Ok(contact::record(state, change)),
            Command::ChangeCadre {
                household_id,
                cadre_id,
            } => Ok(contact::change_cadre(state, household_id, cadre_id)),
            Command::EraseContact { household_id } => Ok(erasure::erase(state, household_id)),
            Command::RequestNotification(request) => {
                Ok(notification::request(state, request, context))
            }
            Command::RecordSent {
                notification_id,
                channel,
                attempt,
            } => ladder::record_sent(state, notification_id, *channel, *attempt, context),
            Command::RecordFailed {
                notification_id,
                channel,
                attempt,
                error,
                permanent,
            } => {
                let failure = ladder::Failure {
                    channel: *channel,
                    attempt: *attempt,
                    error,
                    permanent: *permanent,
                };
                ladder::record_failed(state, notification_id, &failure, context)
            }
            Command::AcknowledgeNotification { target } => {
                ladder::acknowledge(state, target, context)
            }
            Command::CompleteCallTask {
                notification_id,
                outcome,
                done_by,
            } => ladder::complete_call(state, notification_id, *outcome, done_by, context),
            Command::CompleteVisit {
                notification_id,
                cadre_id,
                note,
            } => ladder::complete_visit(state, notification_id, cadre_id, note, context),
            Command::ClimbLadder { notification_id } => {
                Ok(ladder::climb(state, notification_id, context.now))
            }
        }
    }

    fn evolve(state: &mut State, record: &Recorded<NotificationEvent>) {
        match &record.event {
            NotificationEvent::ContactRecorded(event) => contact::recorded(state, record, event),
            NotificationEvent::ContactCadreChanged(event) => {
                contact::cadre_changed(state, record, event);
            }
            NotificationEvent::ContactErased(event) => erasure::erased(state, record, event),
            _ => notification::evolve(state, record),
        }
    }

    fn react(state: &State, record: &Recorded<AnyEvent>) -> Vec<Command> {
        react::react(state, record)
    }

    fn due(state: &State, now: Timestamp) -> Vec<Due<Command>> {
        timers::due(state, now)
    }

    fn next_due(state: &State) -> Option<Timestamp> {
        timers::next_due(state)
    }

    fn violations(state: &State) -> Vec<Violation> {
        state.violations()
    }

    fn describe(state: &State, stream: &StreamId) -> Option<String> {
        state.describe(stream)
    }
}
