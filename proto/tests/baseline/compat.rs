//! What makes one descriptor set incompatible with an older one: on the wire,
//! in JSON, and for callers in other languages. Only our own packages count.

use std::{collections::BTreeMap, fmt};

use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorSet,
    MethodDescriptorProto, ServiceDescriptorProto,
    field_descriptor_proto::{Label, Type},
};

const OURS: &str = "baogong.";

/// One change that must not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incompatibility {
    /// Full name of the element.
    pub place: String,
    pub what: String,
    pub why: &'static str,
}

impl fmt::Display for Incompatibility {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.place, self.what, self.why)
    }
}

const GONE: &str = "stored records and callers still use it; mark it deprecated instead";
const WIRE: &str = "bytes that were written before would be read wrongly";
const NAMES: &str = "JSON, audits and callers' code use the name";
const PRESENCE: &str = "whether a value is set would be read differently";
const CALLERS: &str = "callers that were built before could not call it";
const REUSE: &str = "an old record may still carry what it once stood for";

/// All that breaks what `old` promised; empty when `new` only adds.
#[must_use]
pub fn check(old: &FileDescriptorSet, new: &FileDescriptorSet) -> Vec<Incompatibility> {
    let mut found = Found::default();
    let moved = found.packages(old, new);
    let (old, new) = (Index::new(old, &moved), Index::new(new, &[]));
    for (name, old) in &old.messages {
        match new.messages.get(name) {
            Some(new) => found.message(name, old, new),
            None => found.add(name, "the message was removed", GONE),
        }
    }
    for (name, old) in &old.enums {
        match new.enums.get(name) {
            Some(new) => found.enumeration(name, old, new),
            None => found.add(name, "the enum was removed", GONE),
        }
    }
    for (name, old) in &old.services {
        match new.services.get(name) {
            Some(new) => found.service(name, old, new),
            None => found.add(name, "the service was removed", GONE),
        }
    }
    found.0
}

/// Messages, enums and services by full name; the file they stand in may
/// change without harm.
#[derive(Default)]
struct Index<'a> {
    messages: BTreeMap<String, &'a DescriptorProto>,
    enums: BTreeMap<String, &'a EnumDescriptorProto>,
    services: BTreeMap<String, &'a ServiceDescriptorProto>,
}

impl<'a> Index<'a> {
    fn new(set: &'a FileDescriptorSet, without_files: &[&str]) -> Self {
        let mut index = Self::default();
        for file in &set.file {
            if !file.package().starts_with(OURS) || without_files.contains(&file.name()) {
                continue;
            }
            for message in &file.message_type {
                index.message(file.package(), message);
            }
            for item in &file.enum_type {
                index.enums.insert(join(file.package(), item.name()), item);
            }
            for item in &file.service {
                index
                    .services
                    .insert(join(file.package(), item.name()), item);
            }
        }
        index
    }

    fn message(&mut self, scope: &str, message: &'a DescriptorProto) {
        let name = join(scope, message.name());
        for nested in &message.nested_type {
            self.message(&name, nested);
        }
        for item in &message.enum_type {
            self.enums.insert(join(&name, item.name()), item);
        }
        self.messages.insert(name, message);
    }
}

fn join(scope: &str, name: &str) -> String {
    format!("{scope}.{name}")
}

#[derive(Default)]
struct Found(Vec<Incompatibility>);

impl Found {
    fn add(&mut self, place: &str, what: impl Into<String>, why: &'static str) {
        self.0.push(Incompatibility {
            place: place.to_owned(),
            what: what.into(),
            why,
        });
    }

    fn changed<T: PartialEq + fmt::Display>(
        &mut self,
        place: &str,
        what: &str,
        (old, new): (T, T),
        why: &'static str,
    ) {
        if old != new {
            self.add(place, format!("{what} changed from {old} to {new}"), why);
        }
    }

    /// Files whose package changed; all in them has another full name then,
    /// and one report is enough.
    fn packages<'a>(
        &mut self,
        old: &'a FileDescriptorSet,
        new: &FileDescriptorSet,
    ) -> Vec<&'a str> {
        let mut moved = Vec::new();
        for old in old
            .file
            .iter()
            .filter(|file| file.package().starts_with(OURS))
        {
            let same_file = new.file.iter().find(|new| new.name() == old.name());
            if let Some(new) = same_file.filter(|new| new.package() != old.package()) {
                let packages = (old.package(), new.package());
                self.changed(old.name(), "the package", packages, CALLERS);
                moved.push(old.name());
            }
        }
        moved
    }

    fn message(&mut self, place: &str, old: &DescriptorProto, new: &DescriptorProto) {
        for field in &old.field {
            self.field(place, (old, new), field);
        }
        let ranges = |message: &DescriptorProto| -> Vec<(i32, i32)> {
            let bounds = message.reserved_range.iter();
            bounds
                .map(|range| (range.start(), range.end() - 1))
                .collect()
        };
        self.reserved_numbers(place, &ranges(old), &ranges(new));
        self.reserved_names(place, &old.reserved_name, &new.reserved_name);
    }

    fn field(
        &mut self,
        place: &str,
        (old, new): (&DescriptorProto, &DescriptorProto),
        field: &FieldDescriptorProto,
    ) {
        let place = join(place, field.name());
        let Some(now) = new.field.iter().find(|now| now.number() == field.number()) else {
            match new.field.iter().find(|now| now.name() == field.name()) {
                Some(now) => {
                    self.changed(&place, "the number", (field.number(), now.number()), WIRE);
                }
                None => self.add(
                    &place,
                    format!("field {} was removed", field.number()),
                    GONE,
                ),
            }
            return;
        };
        let names = (field.name(), now.name());
        self.changed(
            &place,
            &format!("the name of field {}", field.number()),
            names,
            NAMES,
        );
        if names.0 == names.1 {
            let json = (field.json_name(), now.json_name());
            self.changed(&place, "the JSON name", json, NAMES);
        }
        self.changed(&place, "the type", (type_of(field), type_of(now)), WIRE);
        let labels = (cardinality(field), cardinality(now));
        let why = if labels.0 == "repeated" || labels.1 == "repeated" {
            WIRE
        } else {
            PRESENCE
        };
        self.changed(&place, "the cardinality", labels, why);
        let oneofs = (oneof(old, field), oneof(new, now));
        self.changed(&place, "the oneof", oneofs, PRESENCE);
    }

    fn enumeration(&mut self, place: &str, old: &EnumDescriptorProto, new: &EnumDescriptorProto) {
        for value in &old.value {
            let place = join(place, value.name());
            let same_name = new.value.iter().find(|now| now.name() == value.name());
            let same_number = new.value.iter().find(|now| now.number() == value.number());
            match (same_name, same_number) {
                (Some(now), _) => {
                    self.changed(&place, "the number", (value.number(), now.number()), WIRE);
                }
                (None, Some(now)) => {
                    let what = format!("the name of value {}", value.number());
                    self.changed(&place, &what, (value.name(), now.name()), NAMES);
                }
                (None, None) => {
                    self.add(
                        &place,
                        format!("value {} was removed", value.number()),
                        GONE,
                    );
                }
            }
        }
        let ranges = |item: &EnumDescriptorProto| -> Vec<(i32, i32)> {
            let bounds = item.reserved_range.iter();
            bounds.map(|range| (range.start(), range.end())).collect()
        };
        self.reserved_numbers(place, &ranges(old), &ranges(new));
        self.reserved_names(place, &old.reserved_name, &new.reserved_name);
    }

    /// Both ends of the ranges belong to them.
    fn reserved_numbers(&mut self, place: &str, old: &[(i32, i32)], new: &[(i32, i32)]) {
        for &(first, last) in old {
            if let Some(free) = first_uncovered(first, last, new) {
                self.add(place, format!("number {free} is no longer reserved"), REUSE);
            }
        }
    }

    fn reserved_names(&mut self, place: &str, old: &[String], new: &[String]) {
        for name in old.iter().filter(|name| !new.contains(name)) {
            self.add(place, format!("name `{name}` is no longer reserved"), REUSE);
        }
    }

    fn service(&mut self, place: &str, old: &ServiceDescriptorProto, new: &ServiceDescriptorProto) {
        for method in &old.method {
            let place = join(place, method.name());
            match new.method.iter().find(|now| now.name() == method.name()) {
                Some(now) => self.method(&place, method, now),
                None => self.add(&place, "the method was removed", CALLERS),
            }
        }
    }

    fn method(&mut self, place: &str, old: &MethodDescriptorProto, new: &MethodDescriptorProto) {
        let request = (old.input_type(), new.input_type());
        let response = (old.output_type(), new.output_type());
        self.changed(place, "the request type", request, CALLERS);
        self.changed(place, "the response type", response, CALLERS);
        let requests = (flow(old.client_streaming()), flow(new.client_streaming()));
        let responses = (flow(old.server_streaming()), flow(new.server_streaming()));
        self.changed(place, "the requests", requests, CALLERS);
        self.changed(place, "the responses", responses, CALLERS);
    }
}

fn flow(streaming: bool) -> &'static str {
    if streaming {
        "a stream"
    } else {
        "a single message"
    }
}

/// The lowest number of `first..=last` that no range holds.
fn first_uncovered(first: i32, last: i32, ranges: &[(i32, i32)]) -> Option<i32> {
    let mut next = first;
    while next <= last {
        match ranges
            .iter()
            .find(|range| range.0 <= next && next <= range.1)
        {
            Some(range) if range.1 >= last => return None,
            Some(range) => next = range.1 + 1,
            None => return Some(next),
        }
    }
    None
}

fn type_of(field: &FieldDescriptorProto) -> String {
    match field.type_name() {
        "" => match Type::try_from(field.r#type.unwrap_or_default()) {
            Ok(kind) => kind
                .as_str_name()
                .trim_start_matches("TYPE_")
                .to_lowercase(),
            Err(_) => "an unknown type".to_owned(),
        },
        name => name.trim_start_matches('.').to_owned(),
    }
}

fn cardinality(field: &FieldDescriptorProto) -> &'static str {
    match field.label() {
        Label::Repeated => "repeated",
        Label::Required => "required",
        Label::Optional if field.proto3_optional() => "optional",
        Label::Optional => "singular",
    }
}

/// Name of the oneof; a proto3 `optional` makes one too, which is none.
fn oneof(message: &DescriptorProto, field: &FieldDescriptorProto) -> String {
    let index = field.oneof_index.filter(|_| !field.proto3_optional());
    let declared = index
        .and_then(|index| usize::try_from(index).ok())
        .and_then(|index| message.oneof_decl.get(index));
    declared.map_or("none", |oneof| oneof.name()).to_owned()
}
