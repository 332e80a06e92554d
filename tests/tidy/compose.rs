//! The compose file and the image fit the binaries and configurations.

use serde_json::Value;

use crate::{Findings, SERVICES, configs::check_variable, ports, tree};

fn compose() -> Value {
    let path = tree::root().join("deploy/compose.yaml");
    serde_saphyr::from_str(&tree::read(&path)).unwrap_or_else(|e| panic!("compose.yaml: {e}"))
}

fn texts(value: &Value) -> Vec<&str> {
    value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

#[test]
fn compose_starts_each_service_with_its_own_things() {
    let compose = compose();
    let mut found = Findings::default();
    for (n, name) in SERVICES.into_iter().enumerate() {
        let place = format!("deploy/compose.yaml, service {name}");
        let service = &compose["services"][name];
        let program = format!("/{name}");
        let command = [program.as_str(), "--config", "/etc/baogong/config.toml"];
        found.check(
            texts(&service["command"]) == command,
            &place,
            format!("command: {command:?}"),
        );
        let volumes = texts(&service["volumes"]);
        for volume in [
            format!("./config/{name}.toml:/etc/baogong/config.toml:ro"),
            format!("{name}-data:/data"),
            "log-keys:/log-keys:ro".to_owned(),
        ] {
            found.check(
                volumes.contains(&&*volume),
                &place,
                format!("needs the volume {volume}"),
            );
        }
        let wanted = [
            format!("127.0.0.1:{}:7400", ports::GRPC + n),
            format!("127.0.0.1:{}:7500", ports::HTTP + n),
        ];
        found.check(
            texts(&service["ports"]) == wanted,
            &place,
            format!("ports: {wanted:?}"),
        );
        let environment = service["environment"].as_object();
        found.check(environment.is_some(), &place, "has no environment");
        for variable in environment.into_iter().flat_map(|all| all.keys()) {
            check_variable(&mut found, &place, variable);
        }
    }
    found.none();
}

#[test]
fn compose_makes_the_keys_of_all_before_they_start() {
    let compose = compose();
    let mut found = Findings::default();
    let made = texts(&compose["services"]["log-keys"]["command"]);
    for name in SERVICES {
        let place = format!("deploy/compose.yaml, service {name}");
        let url = format!("--url={name}=http://{name}:7500");
        found.check(
            made.contains(&&*url),
            &place,
            format!("log-keys must have {url}"),
        );
        let waits = &compose["services"][name]["depends_on"]["log-keys"]["condition"];
        found.check(
            *waits == "service_completed_successfully",
            &place,
            "must wait for log-keys",
        );
    }
    found.none();
}

#[test]
fn compose_names_volumes_and_files_that_exist() {
    let compose = compose();
    let mut found = Findings::default();
    let services = compose["services"]
        .as_object()
        .expect("compose has services");
    for (name, service) in services {
        for volume in texts(&service["volumes"]) {
            let source = volume.split(':').next().unwrap_or_default();
            let exists = match source.strip_prefix("./") {
                Some(file) => tree::root().join("deploy").join(file).is_file(),
                None => compose["volumes"].get(source).is_some(),
            };
            let place = format!("deploy/compose.yaml, service {name}");
            found.check(exists, place, format!("{source} does not exist"));
        }
    }
    found.none();
}

#[test]
fn images_have_one_version_and_all_programs() {
    let mut found = Findings::default();
    let manifest = tree::toml(&tree::root().join("Cargo.toml"));
    let version = manifest["workspace"]["package"]["version"]
        .as_str()
        .expect("a version");
    for service in SERVICES {
        let image = compose()["services"][service]["image"].clone();
        let wanted = format!("baogong:{version}");
        found.check(
            image == wanted.as_str(),
            "deploy/compose.yaml",
            format!("image: {wanted}"),
        );
    }
    let dockerfile = tree::read(&tree::root().join("deploy/Dockerfile"));
    for program in SERVICES.into_iter().chain(["baogong"]) {
        let copied = dockerfile.lines().any(|line| {
            line.trim_start().starts_with("for program in") && tree::has_word(line, program)
        });
        found.check(
            copied,
            "deploy/Dockerfile",
            format!("does not copy {program}"),
        );
    }
    found.none();
}
