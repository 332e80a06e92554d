//! Each service as a process of its own: help, configuration, health,
//! reflection, metrics, a clean end.

use std::process::{Child, Command, Stdio};

use system_tests::{SERVICES, Suite, access::Access, binaries, http_get, laptop::baogong};
use tonic::transport::Channel;

#[test]
fn every_service_has_help_version_and_a_printable_configuration() {
    for name in SERVICES {
        let run = |argument: &str| {
            let output = Command::new(binaries().join(name))
                .arg(argument)
                .output()
                .expect("runs");
            assert!(output.status.success(), "{name} {argument}");
            String::from_utf8(output.stdout).expect("text")
        };
        assert!(run("--help").contains("--config"));
        assert!(run("--version").contains(env!("CARGO_PKG_VERSION")));
        let printed = run("--print-config");
        assert!(printed.contains("[service]"), "{printed}");

        // What is printed is a configuration.
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("config.toml");
        std::fs::write(&file, &printed).expect("written");
        let output = Command::new(binaries().join(name))
            .arg("--config")
            .arg(&file)
            .arg("--print-config")
            .output()
            .expect("runs");
        assert_eq!(String::from_utf8_lossy(&output.stdout), printed);
    }
}

#[test]
fn a_wrong_configuration_is_refused_before_anything_starts() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("config.toml");
    for (text, named) in [
        ("[service]\ngrpc_adress = '127.0.0.1:1'", "grpc_adress"),
        ("[service]\npartitions = [3]", "service.partitions"),
        ("[nats]\nreplicas = 2", "nats.replicas"),
        ("[service]\nclock_start = 'noon'", "service.clock_start"),
        ("[service", "service"),
    ] {
        std::fs::write(&file, text).expect("written");
        let output = Command::new(binaries().join("order"))
            .arg("--config")
            .arg(&file)
            .output()
            .expect("runs");
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{text}");
        assert!(error.contains(named), "{text}: {error}");
    }
    let missing = Command::new(binaries().join("order"))
        .args(["--config", "nowhere.toml"])
        .output()
        .expect("runs");
    assert!(String::from_utf8_lossy(&missing.stderr).contains("nowhere.toml"));
}

/// An image of a service has no file but its program.
#[test]
fn a_suite_starts_where_no_authority_is_installed() {
    let nowhere = [
        ("SSL_CERT_FILE", "/nonexistent".to_owned()),
        ("SSL_CERT_DIR", "/nonexistent".to_owned()),
    ];
    Suite::start_with(&nowhere).expect("a suite");
}

/// Who keeps a token for the commands starts services from the same shell.
#[test]
fn the_variables_of_clients_are_none_of_a_service_and_others_are_refused() {
    let with = |name: &str| {
        Command::new(binaries().join("order"))
            .arg("--print-config")
            .env(name, "x")
            .output()
            .expect("runs")
    };
    for name in ["BAOGONG_CA", "BAOGONG_TOKEN", "BAOGONG_TOKEN_FILE"] {
        let output = with(name);
        assert!(output.status.success(), "{name}: {output:?}");
    }
    let output = with("BAOGONG_SERVICE_GRPC_ADDRESS");
    assert!(!output.status.success());
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(error.contains("SERVICE_GRPC_ADDRESS"), "{error}");
}

#[test]
fn every_service_serves_health_reflection_status_and_metrics_and_ends_cleanly() {
    let mut suite = Suite::start().expect("a suite");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    for service in &suite.services {
        let live = http_get(service.http, "/livez").expect("answered");
        assert!(live.starts_with("HTTP/1.1 200"), "{live}");
        runtime.block_on(async {
            let url = format!("http://{}", service.grpc);
            let channel = Channel::from_shared(url)
                .expect("an address")
                .connect()
                .await
                .expect("connected");
            check_health(channel.clone(), service.name).await;
            check_reflection(channel.clone(), service.name).await;
            check_status(channel, service.name).await;
        });
        let metrics = http_get(service.http, "/metrics").expect("answered");
        assert!(metrics.contains("baogong_log_position"), "{metrics}");
        assert!(
            metrics.contains("baogong_invariant_violations"),
            "{metrics}"
        );
    }
    for service in &mut suite.services {
        let name = service.name;
        assert!(service.terminate().expect("waited for"), "{name}");
    }
}

async fn check_health(channel: Channel, name: &str) {
    use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
    let mut capital = name.to_owned();
    capital[..1].make_ascii_uppercase();
    let request = HealthCheckRequest {
        service: format!("baogong.{name}.v1.{capital}Service"),
    };
    let answer = HealthClient::new(channel)
        .check(request)
        .await
        .expect("known to health");
    assert_eq!(answer.into_inner().status, 1, "SERVING");
}

async fn check_reflection(channel: Channel, name: &str) {
    use tonic_reflection::pb::v1::{
        ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
        server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
    };
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut answers = ServerReflectionClient::new(channel)
        .server_reflection_info(tokio_stream::once(request))
        .await
        .expect("reflection")
        .into_inner();
    let answer = answers.message().await.expect("read").expect("one answer");
    let Some(MessageResponse::ListServicesResponse(list)) = answer.message_response else {
        panic!("{answer:?}");
    };
    let wanted = format!("baogong.{name}.v1.");
    assert!(
        list.service
            .iter()
            .any(|service| service.name.starts_with(&wanted)),
        "{list:?}"
    );
}

async fn check_status(channel: Channel, name: &str) {
    use proto::admin::v1::{GetStatusRequest, admin_service_client::AdminServiceClient};
    let status = AdminServiceClient::new(channel)
        .get_status(GetStatusRequest {})
        .await
        .expect("a status")
        .into_inner();
    assert_eq!(status.service, name);
    assert_eq!(status.clock, "test");
    assert_eq!(status.partitions.len(), 1);
}

/// `| head` is no failure, and nothing to talk about.
#[test]
fn a_command_whose_output_nobody_reads_ends_quietly() {
    let directory = tempfile::tempdir().expect("a directory");
    let access = Access::create(directory.path()).expect("an issuer");
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let output = baogong(&["token", "issue", "--role", "auditor", "--subject", "x"])
        .args(["--all-areas", "--key", &access.issuer_key()])
        .stdout(writer)
        .stderr(Stdio::piped())
        .spawn()
        .and_then(Child::wait_with_output)
        .expect("it runs");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.status.code(), Some(128 + nix::libc::SIGPIPE));
}
