//! Every configuration that is shipped parses with the type that reads it.

use std::path::Path;

use serde::{Serialize, de::DeserializeOwned};
use service_kit::config::Config;

use crate::{Findings, SERVICES, tree};

/// Reads a file as the service does.
fn load(service: &str, file: &Path) -> Result<toml::Table, String> {
    match service {
        "order" => over(order::config::base(), file),
        "inventory" => over(inventory::config::base(), file),
        "logistics" => over(logistics::config::base(), file),
        "notification" => over(notification::config::base(), file),
        _ => Err(format!("{service} is no service")),
    }
}

fn over<A>(base: Config<A>, file: &Path) -> Result<toml::Table, String>
where
    A: Default + Serialize + DeserializeOwned,
{
    let config = Config::load(Some(file), base).map_err(|e| e.to_string())?;
    config.to_toml().parse().map_err(|e| format!("{e}"))
}

/// All fields with their defaults, to look up the names of environment
/// variables.
fn defaults() -> toml::Table {
    let text = Config::<toml::Table>::default().to_toml();
    text.parse()
        .expect("the configuration prints itself as TOML")
}

/// `BAOGONG_<SECTION>__<FIELD>` must name a field, else the service refuses
/// to start.
pub fn check_variable(found: &mut Findings, place: &str, name: &str) {
    let Some(path) = name.strip_prefix("BAOGONG_") else {
        return;
    };
    let path = path.to_lowercase();
    let known = path.split_once("__").is_some_and(|(section, field)| {
        section == "app"
            || defaults()
                .get(section)
                .is_some_and(|s| s.get(field).is_some())
    });
    found.check(
        known,
        place,
        format!("{name} names no field of the configuration"),
    );
}

#[test]
fn configurations_parse_and_fit_the_containers() {
    let mut found = Findings::default();
    for service in SERVICES {
        let file = tree::root()
            .join("deploy/config")
            .join(service)
            .with_extension("toml");
        let place = tree::relative(&file);
        let config = match load(service, &file) {
            Ok(config) => config,
            Err(error) => {
                found.add(place, error);
                continue;
            }
        };
        for (section, field, wanted) in [
            ("service", "data_dir", "/data"),
            ("service", "grpc_address", "0.0.0.0:7400"),
            ("service", "http_address", "0.0.0.0:7500"),
            ("nats", "url", "nats://nats:4222"),
            ("transparency", "key_dir", "/log-keys"),
            ("transparency", "policy_file", "/log-keys/policy"),
        ] {
            let value = config[section][field].as_str();
            found.check(
                value == Some(wanted),
                &place,
                format!("{field} must be {wanted}"),
            );
        }
        let twin = tree::root()
            .join("k8s/base/config")
            .join(service)
            .with_extension("toml");
        found.check(
            tree::read(&file) == tree::read(&twin),
            tree::relative(&twin),
            format!("must be the same as {place}"),
        );
    }
    found.none();
}

#[test]
fn no_other_configuration_lies_about() {
    let mut found = Findings::default();
    for folder in ["deploy", "k8s"] {
        for path in tree::files_below(&tree::root().join(folder)) {
            let service = path.file_stem().unwrap_or_default().to_string_lossy();
            if tree::has_extension(&path, &["toml"]) && !SERVICES.contains(&&*service) {
                found.add(
                    tree::relative(&path),
                    "belongs to no service, so nothing checks it",
                );
            }
        }
    }
    found.none();
}

#[test]
fn variables_are_recognised() {
    let mut found = Findings::default();
    check_variable(&mut found, "good", "BAOGONG_SERVICE__PARTITIONS");
    check_variable(&mut found, "good", "PARTITION");
    assert!(found.0.is_empty(), "{found:?}");
    check_variable(&mut found, "bad", "BAOGONG_ORDER_SERVICE_HOST");
    check_variable(&mut found, "bad", "BAOGONG_SERVICE__PARTITION");
    assert_eq!(found.0.len(), 2, "{found:?}");
}
