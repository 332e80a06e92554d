//! What every gRPC handler does first and last: find the partition, read who
//! asks, submit, answer.

mod asking;

use std::{collections::BTreeMap, sync::Arc};

use access::Caller;
use decider::{Actor, Area, Domain, Position, Revision, Role, Timestamp};
use hmac::{Hmac, Mac};
use prost::{Message, Name};
use proto::requests::{CommandRequest, QueryRequest};
use sha2::{Digest, Sha256};
use tonic::{Code, Request, Status};

use crate::{
    edge::Deadline,
    fields::Fields,
    page::Page,
    partition::{
        AsOf, Committed, Partition,
        machine::{Machine, RequestMeta},
    },
    status::{self, RejectionCode},
    telemetry,
};

pub use asking::Asker;

/// The partitions hosted by this process.
pub struct Partitions<D: Domain> {
    hosted: Arc<BTreeMap<u32, Partition<D>>>,
    count: u32,
    digest: Digests,
    code: RejectionCode<D::Rejection>,
}

/// Digests of requests, by which a repetition is told from another request
/// with the same id. Keyed, so that personal data cannot be guessed from them.
#[derive(Clone, Copy)]
struct Digests {
    key: Option<[u8; 32]>,
}

impl<D: Domain> Clone for Partitions<D> {
    fn clone(&self) -> Self {
        Self {
            hosted: Arc::clone(&self.hosted),
            count: self.count,
            digest: self.digest,
            code: self.code,
        }
    }
}

/// Partition of an area: CRC-32C of its code, modulo the number of partitions.
#[must_use]
pub fn partition_of(area: &Area, count: u32) -> u32 {
    crc32c::crc32c(area.as_str().as_bytes()) % count.max(1)
}

/// A request that was read, ready to be decided.
pub struct Call<D: Domain> {
    partition: Partition<D>,
    meta: RequestMeta,
    /// Who asks, where tokens are asked for.
    caller: Option<Caller>,
    deadline: Option<Deadline>,
    code: RejectionCode<D::Rejection>,
    digest: Digests,
}

impl<D: Domain> Partitions<D> {
    #[must_use]
    pub fn new(
        hosted: BTreeMap<u32, Partition<D>>,
        count: u32,
        digest_key: Option<[u8; 32]>,
        code: RejectionCode<D::Rejection>,
    ) -> Self {
        Self {
            hosted: Arc::new(hosted),
            count,
            digest: Digests { key: digest_key },
            code,
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = &Partition<D>> {
        self.hosted.values()
    }

    #[must_use]
    pub fn get(&self, number: u32) -> Option<&Partition<D>> {
        self.hosted.get(&number)
    }

    /// The partition of an area, where it is hosted here.
    #[must_use]
    pub fn of(&self, area: &Area) -> Option<&Partition<D>> {
        self.get(partition_of(area, self.count))
    }

    /// The partition of an area.
    ///
    /// # Errors
    /// FAILED_PRECONDITION: it is not hosted here.
    pub fn hosting(&self, area: &Area) -> Result<&Partition<D>, Status> {
        self.of(area).ok_or_else(|| {
            let number = partition_of(area, self.count);
            status::status(
                D::SERVICE,
                Code::FailedPrecondition,
                "PARTITION_ELSEWHERE",
                format!("area {area} belongs to partition {number}, which is not hosted here"),
            )
        })
    }

    fn route(&self, area: &str) -> Result<(Area, &Partition<D>), Status> {
        let area = Area::new(area).map_err(|error| {
            let mut fields = Fields::new();
            fields.wrong("area", error.to_string());
            fields
                .finish(D::SERVICE)
                .expect_err("a violation was added")
        })?;
        let partition = self.hosting(&area)?;
        Ok((area, partition))
    }

    /// Reads what every changing request has in common.
    ///
    /// # Errors
    /// The request id or the area is missing or malformed, or the area is not
    /// hosted here.
    pub fn command<M: CommandRequest>(&self, request: Request<M>) -> Result<(Call<D>, M), Status> {
        let (metadata, extensions, message) = request.into_parts();
        let mut fields = Fields::new();
        let id = fields.callers_id("request_id", message.request_id());
        let actor = match extensions.get::<Caller>() {
            Some(caller) => checked_actor(caller),
            None => actor(&metadata, &mut fields),
        };
        fields.finish(D::SERVICE)?;
        let (area, partition) = self.route(message.area())?;
        let meta = RequestMeta {
            request_id: id.clone(),
            digest: self.digest.of(&message),
            area,
            actor,
            if_revision: message.if_revision().map(Revision),
            correlation_id: text(&metadata, "baogong-correlation-id")
                .filter(|c| decider::is_code(c))
                .unwrap_or(&id)
                .to_owned(),
            traceparent: telemetry::traceparent(&tracing::Span::current()),
        };
        let call = Call {
            partition: partition.clone(),
            meta,
            caller: extensions.get::<Caller>().cloned(),
            deadline: extensions.get::<Deadline>().copied(),
            code: self.code,
            digest: self.digest,
        };
        Ok((call, message))
    }

    /// Answers a reading request from the state as it is.
    ///
    /// # Errors
    /// The area is malformed or not hosted here, or `min_position` was not
    /// reached in time.
    pub async fn query<M: QueryRequest, R>(
        &self,
        message: &M,
        look: impl FnOnce(&Machine<D>, &Area, Timestamp) -> R,
    ) -> Result<(R, Position), Status> {
        let (area, partition) = self.route(message.area())?;
        let now = partition.clock().now();
        partition
            .query(Position(message.min_position()), |machine| {
                look(machine, &area, now)
            })
            .await
            .map_err(|error| status::query(D::SERVICE, &error))
    }

    /// Answers a reading request from the state of a past moment.
    ///
    /// # Errors
    /// As [`Self::query`], or the moment's position is not recorded.
    pub async fn query_as_of<M: QueryRequest, R: Send + 'static>(
        &self,
        message: &M,
        moment: AsOf,
        look: impl FnOnce(&Machine<D>, &Area, Timestamp) -> R + Send + 'static,
    ) -> Result<(R, Position), Status> {
        let (area, partition) = self.route(message.area())?;
        partition
            .query_as_of(moment, move |machine, time| look(machine, &area, time))
            .await
            .map_err(|error| status::query(D::SERVICE, &error))
    }

    /// Answers from the state of a past moment where one is asked for, and
    /// otherwise as it is.
    ///
    /// # Errors
    /// As [`Self::query`] and [`Self::query_as_of`].
    pub async fn query_at<M: QueryRequest, R: Send + 'static>(
        &self,
        message: &M,
        moment: Option<AsOf>,
        look: impl FnOnce(&Machine<D>, &Area, Timestamp) -> R + Send + 'static,
    ) -> Result<(R, Position), Status> {
        match moment {
            None => self.query(message, look).await,
            Some(moment) => self.query_as_of(message, moment, look).await,
        }
    }

    /// Reads the page that a list request asks for.
    ///
    /// # Errors
    /// See [`Page::parse`].
    pub fn page(&self, size: i32, token: &str, list: &str) -> Result<Page, Status> {
        Page::parse(D::SERVICE, size, token, list)
    }
}

impl Digests {
    /// The message's name is part of it: two methods may have requests with
    /// the same fields.
    fn of<M: Message + Name>(&self, message: &M) -> [u8; 16] {
        let mut bytes = M::full_name().into_bytes();
        bytes.push(0);
        message
            .encode(&mut bytes)
            .expect("a vector grows as needed");
        let full: [u8; 32] = match self.key {
            Some(key) => {
                let mut mac =
                    Hmac::<Sha256>::new_from_slice(&key).expect("HMAC takes a key of any length");
                mac.update(&bytes);
                mac.finalize().into_bytes().into()
            }
            None => Sha256::digest(&bytes).into(),
        };
        let mut digest = [0; 16];
        digest.copy_from_slice(&full[..16]);
        digest
    }
}

impl<D: Domain> Call<D> {
    #[must_use]
    pub fn area(&self) -> &Area {
        &self.meta.area
    }

    #[must_use]
    pub fn actor(&self) -> &Actor {
        &self.meta.actor
    }

    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.partition.clock().now()
    }

    /// Says for whom the caller acts.
    pub fn on_behalf_of(&mut self, id: &str) {
        id.clone_into(&mut self.meta.actor.on_behalf_of);
    }

    /// The call for one of several things that the request asks for: part `n`
    /// of it, which is `message`. Repeated, it is known again by itself.
    #[must_use]
    pub fn part<M: Message + Name>(&self, n: usize, message: &M) -> Self {
        let mut meta = self.meta.clone();
        meta.request_id = format!("{}/{n}", meta.request_id);
        meta.digest = self.digest.of(message);
        Self {
            partition: self.partition.clone(),
            meta,
            caller: self.caller.clone(),
            deadline: self.deadline,
            code: self.code,
            digest: self.digest,
        }
    }

    /// Whether the caller may do it to what he names by an id alone: for
    /// methods whose rule says `owner_checked`. `owns` looks at whom that
    /// belongs to; where no tokens are asked for, everything is everybody's.
    ///
    /// # Errors
    /// As [`Partitions::query`].
    pub async fn is_own(
        &self,
        owns: impl FnOnce(&Caller, &Machine<D>, &Area) -> bool,
    ) -> Result<bool, Status> {
        let Some(caller) = &self.caller else {
            return Ok(true);
        };
        let looked = self
            .partition
            .query(Position::ZERO, |machine| {
                owns(caller, machine, &self.meta.area)
            })
            .await;
        let (own, _) = looked.map_err(|error| status::query(D::SERVICE, &error))?;
        Ok(own)
    }

    /// Decides the command, and answers once it is durable.
    ///
    /// # Errors
    /// The status of what refused it.
    pub async fn run(self, command: D::Command) -> Result<Committed<D::Event>, Status> {
        let name = D::command_name(&command);
        let submitted = self
            .partition
            .submit_before(command, self.meta, self.deadline);
        let result = submitted.await;
        let outcome = if result.is_ok() {
            "accepted"
        } else {
            "refused"
        };
        metrics::counter!(
            "baogong_commands_total",
            "service" => D::SERVICE.name(), "command" => name, "outcome" => outcome
        )
        .increment(1);
        result.map_err(|error| status::submit(D::SERVICE, &error, self.code))
    }
}

/// Whether a caller may see what belongs to a household; everything is
/// everybody's where no tokens are asked for.
#[must_use]
pub fn may_see_household<T>(request: &Request<T>, household: &str) -> bool {
    let caller = request.extensions().get::<Caller>();
    caller.is_none_or(|caller| caller.may_name_household(household))
}

fn text<'a>(metadata: &'a tonic::metadata::MetadataMap, name: &str) -> Option<&'a str> {
    metadata.get(name).and_then(|value| value.to_str().ok())
}

/// Who asks, as his token says.
fn checked_actor(caller: &Caller) -> Actor {
    // A rule lets a caller in by one of his roles; without a rule there would
    // be no caller.
    let role = caller.acting.unwrap_or(Role::Resident);
    Actor::new(role, caller.subject.clone())
}

/// Who asks where nobody has a token: `baogong-role` and `baogong-actor` in the request's metadata, an
/// operator where nothing is said.
fn actor(metadata: &tonic::metadata::MetadataMap, fields: &mut Fields) -> Actor {
    let role = match text(metadata, "baogong-role") {
        None => Role::Operator,
        Some(name) => match Role::parse(name) {
            Some(Role::System) | None => {
                fields.wrong(
                    "metadata baogong-role",
                    "must be resident, cadre, member, keeper, dispatcher, carrier, auditor or \
                     operator",
                );
                Role::Operator
            }
            Some(role) => role,
        },
    };
    let id = match text(metadata, "baogong-actor") {
        None => "unnamed".to_owned(),
        Some(id) => fields.code("metadata baogong-actor", id),
    };
    Actor::new(role, id)
}
