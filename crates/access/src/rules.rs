//! The rules of all methods, read from the descriptors of the protos; those of
//! the services that are not ours (health, reflection) stand below.

use std::{collections::HashMap, sync::Arc};

use decider::Role;
use prost::Message;
use prost_reflect::{DescriptorPool, Kind, MessageDescriptor, MethodDescriptor, Value};
use proto::access::v1 as wire;

use crate::{Areas, Caller, FieldPath, Refusal, Scope};

/// Full name of the method option.
const OPTION: &str = "baogong.access.v1.rule";

/// Methods of others' services that every service has. Both tell nothing but
/// what is printed in the repository, and whether the service is up.
const PUBLIC: [&str; 4] = [
    "/grpc.health.v1.Health/Check",
    "/grpc.health.v1.Health/Watch",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

/// Who may call a method, and what the request may name
/// (`baogong.access.v1.Rule`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rule {
    pub roles: Vec<Role>,
    pub public: bool,
    pub area: Option<FieldPath>,
    pub all_areas: bool,
    pub household: Option<FieldPath>,
    pub carrier: Option<FieldPath>,
    pub subject: Option<FieldPath>,
    pub owner_checked: bool,
    pub shared: bool,
    /// Whether the answer is a stream, which may outlive the token.
    pub streams: bool,
}

/// A rule that cannot be meant so. Found by a test, and at every start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{method}: {why}")]
pub struct RuleError {
    pub method: String,
    pub why: String,
}

/// The table of all rules, by the path of the method: `/package.Service/Method`.
#[derive(Debug, Clone)]
pub struct Rules {
    by_path: HashMap<String, Arc<Rule>>,
    /// Methods that exist and have none, which is refused to everybody.
    without: Vec<String>,
}

impl Rules {
    /// The rules of the suite's protos.
    ///
    /// # Errors
    /// A rule contradicts itself or its request.
    pub fn of_the_suite() -> Result<Self, RuleError> {
        let mut rules = Self::read(proto::DESCRIPTORS)?;
        let public = Arc::new(Rule {
            public: true,
            ..Rule::default()
        });
        for path in PUBLIC {
            rules.by_path.insert(path.to_owned(), Arc::clone(&public));
        }
        Ok(rules)
    }

    /// Reads the rules out of an encoded `FileDescriptorSet`.
    ///
    /// # Errors
    /// The set cannot be read, or a rule contradicts itself or its request.
    pub fn read(descriptors: &[u8]) -> Result<Self, RuleError> {
        let pool = DescriptorPool::decode(descriptors).map_err(|error| RuleError {
            method: "all methods".to_owned(),
            why: error.to_string(),
        })?;
        let mut by_path = HashMap::new();
        let mut without = Vec::new();
        let services = pool.services();
        for method in services.flat_map(|service| service.methods().collect::<Vec<_>>()) {
            let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
            let rule = rule(&pool, &method).map_err(|why| RuleError {
                method: path.clone(),
                why,
            })?;
            match rule {
                Some(rule) => {
                    by_path.insert(path, Arc::new(rule));
                }
                None => without.push(path),
            }
        }
        Ok(Self { by_path, without })
    }

    /// All methods with their rules, in the order of their paths.
    #[must_use]
    pub fn all(&self) -> Vec<(&str, &Rule)> {
        let mut all: Vec<_> = self
            .by_path
            .iter()
            .map(|(path, rule)| (path.as_str(), &**rule))
            .collect();
        all.sort_by_key(|(path, _)| *path);
        all
    }

    /// Methods without a rule.
    #[must_use]
    pub fn without(&self) -> &[String] {
        &self.without
    }

    #[must_use]
    pub fn get(&self, path: &str) -> Option<&Arc<Rule>> {
        self.by_path.get(path)
    }

    /// Lets a caller make a call, in one of his roles, and gives what the
    /// requests may name. `wanted` is the role that he says he acts in.
    ///
    /// # Errors
    /// None of his roles may.
    pub fn admit(
        rule: &Arc<Rule>,
        mut caller: Caller,
        wanted: Option<Role>,
    ) -> Result<(Caller, Scope), Refusal> {
        if wanted.is_some_and(|role| !caller.roles.contains(&role)) {
            return Err(Refusal::OtherRole);
        }
        let mut held = caller.roles.iter().copied();
        let acting = held
            .find(|role| wanted.is_none_or(|wanted| wanted == *role) && rule.roles.contains(role));
        let Some(acting) = acting else {
            let held = wanted.map_or_else(|| caller.roles.clone(), |role| vec![role]);
            return Err(Refusal::role(&rule.roles, &held));
        };
        if rule.all_areas && caller.areas != Areas::All {
            return Err(Refusal::AllAreas);
        }
        caller.acting = Some(acting);
        let scope = Scope::new(caller.clone(), Arc::clone(rule));
        Ok((caller, scope))
    }
}

fn rule(pool: &DescriptorPool, method: &MethodDescriptor) -> Result<Option<Rule>, String> {
    let Some(option) = pool.get_extension_by_name(OPTION) else {
        return Ok(None);
    };
    let options = method.options();
    if !options.has_extension(&option) {
        return Ok(None);
    }
    let Value::Message(told) = &*options.get_extension(&option) else {
        return Err(format!("{OPTION} is no message"));
    };
    let told = wire::Rule::decode(&*told.encode_to_vec()).map_err(|error| error.to_string())?;
    let roles = told.roles().map(role).collect::<Result<Vec<_>, _>>()?;
    let request = method.input();
    let path = |text: &str| {
        let path = (!text.is_empty()).then(|| field_path(&request, text));
        path.transpose()
    };
    let rule = Rule {
        roles,
        public: told.public,
        area: path(&told.area)?,
        all_areas: told.all_areas,
        household: path(&told.household)?,
        carrier: path(&told.carrier)?,
        subject: path(&told.subject)?,
        owner_checked: told.owner_checked,
        shared: told.shared,
        streams: method.is_server_streaming(),
    };
    contradiction(&rule).map_or(Ok(Some(rule)), |why| Err(why.to_owned()))
}

fn contradiction(rule: &Rule) -> Option<&'static str> {
    let has = |role| rule.roles.contains(&role);
    let resident = rule.household.is_some() || rule.subject.is_some();
    if rule.public != rule.roles.is_empty() {
        Some("a rule has roles, or is public")
    } else if rule.shared && (rule.owner_checked || resident || rule.carrier.is_some()) {
        Some("what is shared belongs to nobody")
    } else if has(Role::Resident) && !(resident || rule.owner_checked || rule.shared) {
        Some("a resident needs household, subject, owner_checked or shared")
    } else if has(Role::Carrier) && !(rule.carrier.is_some() || rule.owner_checked || rule.shared) {
        Some("a carrier needs carrier, owner_checked or shared")
    } else {
        None
    }
}

fn role(role: wire::Role) -> Result<Role, String> {
    match role {
        wire::Role::Unspecified => Err("a role of the rule is none".to_owned()),
        wire::Role::Resident => Ok(Role::Resident),
        wire::Role::Cadre => Ok(Role::Cadre),
        wire::Role::Member => Ok(Role::Member),
        wire::Role::Keeper => Ok(Role::Keeper),
        wire::Role::Dispatcher => Ok(Role::Dispatcher),
        wire::Role::Carrier => Ok(Role::Carrier),
        wire::Role::Auditor => Ok(Role::Auditor),
        wire::Role::Operator => Ok(Role::Operator),
    }
}

/// Finds the numbers of a path in a message, which must end in one string.
fn field_path(request: &MessageDescriptor, text: &str) -> Result<FieldPath, String> {
    let mut numbers = Vec::new();
    let mut message = Some(request.clone());
    let mut is_text = false;
    for name in text.split('.') {
        let inside = message.ok_or_else(|| format!("{text}: {name} is in no message"))?;
        let field = inside
            .get_field_by_name(name)
            .ok_or_else(|| format!("{text}: {} has no {name}", inside.full_name()))?;
        if field.is_list() || field.is_map() {
            return Err(format!("{text}: {name} is not singular"));
        }
        numbers.push(field.number());
        is_text = field.kind() == Kind::String;
        message = match field.kind() {
            Kind::Message(inner) => Some(inner),
            _ => None,
        };
    }
    if !is_text {
        return Err(format!("{text} is no string"));
    }
    Ok(FieldPath {
        text: text.to_owned(),
        numbers,
    })
}
