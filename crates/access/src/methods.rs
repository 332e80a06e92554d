//! What kind of call each method is, read from the descriptors: for limits, and
//! for telling callers of a method's end.

use std::{collections::HashMap, sync::Arc};

use prost_reflect::{DescriptorPool, Kind, MethodDescriptor, Value};

use crate::RuleError;

/// Full name of the option that says until when a method is served.
const SERVED_UNTIL: &str = "baogong.access.v1.served_until";
/// What partner firms report, one by one or in lists.
const REPORT: &str = "baogong.logistics.v1.CarrierReport";

/// What a call asks of a service, as far as limits are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// Health and reflection: without a token.
    Public,
    /// Changes nothing.
    Read,
    /// Changes something: its request has a `request_id`.
    Write,
    /// A firm's reports from the road, or a stream of requests.
    Report,
    /// Opens a stream of answers.
    Watch,
    /// `AdminService`, for those who run the suite.
    Admin,
}

impl Class {
    pub const ALL: [Self; 6] = [
        Self::Public,
        Self::Read,
        Self::Write,
        Self::Report,
        Self::Watch,
        Self::Admin,
    ];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Read => "read",
            Self::Write => "write",
            Self::Report => "report",
            Self::Watch => "watch",
            Self::Admin => "admin",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Method {
    /// `/package.Service/Method`.
    pub path: String,
    pub class: Class,
    /// Whether the caller sends a stream of requests.
    pub streams_in: bool,
    /// Whether the answer is a stream.
    pub streams_out: bool,
    /// The last day of a deprecated method, `YYYY-MM-DD`.
    pub served_until: Option<String>,
}

/// All methods by their paths.
#[derive(Debug, Clone)]
pub struct Methods(HashMap<String, Arc<Method>>);

impl Methods {
    /// Those of the suite's protos; health and reflection are not among them.
    ///
    /// # Errors
    /// A deprecated method does not say until when it is served.
    pub fn of_the_suite() -> Result<Self, RuleError> {
        Self::read(proto::DESCRIPTORS)
    }

    /// Reads them out of an encoded `FileDescriptorSet`.
    ///
    /// # Errors
    /// As [`Self::of_the_suite`], or the set cannot be read.
    pub fn read(descriptors: &[u8]) -> Result<Self, RuleError> {
        let pool = DescriptorPool::decode(descriptors).map_err(|error| RuleError {
            method: "all methods".to_owned(),
            why: error.to_string(),
        })?;
        let methods = pool.services().flat_map(|service| {
            let methods: Vec<_> = service.methods().collect();
            methods
        });
        let methods = methods.map(|method| {
            let read = read(&pool, &method)?;
            Ok((read.path.clone(), Arc::new(read)))
        });
        methods.collect::<Result<_, _>>().map(Self)
    }

    #[must_use]
    pub fn get(&self, path: &str) -> Option<&Arc<Method>> {
        self.0.get(path)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Arc<Method>> {
        self.0.values()
    }
}

fn read(pool: &DescriptorPool, method: &MethodDescriptor) -> Result<Method, RuleError> {
    let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
    let wrong = |why: &str| RuleError {
        method: path.clone(),
        why: why.to_owned(),
    };
    let until = served_until(pool, method);
    let deprecated = method.method_descriptor_proto().options.as_ref();
    let deprecated = deprecated.is_some_and(|options| options.deprecated());
    match (&until, deprecated) {
        (None, true) => Err(wrong(
            "it is deprecated, so it needs (baogong.access.v1.served_until)",
        )),
        (Some(_), false) => Err(wrong("it ends, so it needs `deprecated = true`")),
        (Some(day), true) if !is_day(day) => Err(wrong("served_until is no day YYYY-MM-DD")),
        (served_until, _) => Ok(Method {
            class: class(method),
            streams_in: method.is_client_streaming(),
            streams_out: method.is_server_streaming(),
            served_until: served_until.clone(),
            path: path.clone(),
        }),
    }
}

fn served_until(pool: &DescriptorPool, method: &MethodDescriptor) -> Option<String> {
    let option = pool.get_extension_by_name(SERVED_UNTIL)?;
    let options = method.options();
    if !options.has_extension(&option) {
        return None;
    }
    match &*options.get_extension(&option) {
        Value::String(day) => Some(day.clone()),
        _ => None,
    }
}

fn is_day(text: &str) -> bool {
    let form = text.bytes().enumerate().all(|(at, b)| match at {
        4 | 7 => b == b'-',
        _ => b.is_ascii_digit(),
    });
    let part = |range| {
        text.get(range)
            .and_then(|part: &str| part.parse::<u32>().ok())
    };
    form && text.len() == 10
        && part(5..7).is_some_and(|month| (1..=12).contains(&month))
        && part(8..10).is_some_and(|day| (1..=31).contains(&day))
}

fn class(method: &MethodDescriptor) -> Class {
    let request = method.input();
    let reports = request
        .fields()
        .any(|field| matches!(field.kind(), Kind::Message(kind) if kind.full_name() == REPORT));
    if method
        .parent_service()
        .full_name()
        .starts_with("baogong.admin.")
    {
        Class::Admin
    } else if reports || method.is_client_streaming() {
        Class::Report
    } else if method.is_server_streaming() {
        Class::Watch
    } else if request.get_field_by_name("request_id").is_some() {
        Class::Write
    } else {
        Class::Read
    }
}
