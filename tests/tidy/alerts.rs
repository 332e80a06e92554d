//! Alerts and scrapes name metrics and services that exist.

use serde_json::Value;

use crate::{Findings, SERVICES, tree};

fn yaml(file: &str) -> Value {
    let path = tree::root().join("deploy").join(file);
    serde_saphyr::from_str(&tree::read(&path)).unwrap_or_else(|e| panic!("{file}: {e}"))
}

/// Names of metrics in an expression; a histogram's parts have its name.
fn metrics(expression: &str) -> impl Iterator<Item = &str> {
    let words = expression.split(|c: char| !c.is_alphanumeric() && c != '_');
    words
        .filter(|word| word.starts_with("baogong_"))
        .map(|word| {
            let parts = ["_bucket", "_sum", "_count"];
            parts
                .iter()
                .find_map(|part| word.strip_suffix(part))
                .unwrap_or(word)
        })
}

#[test]
fn alerts_name_metrics_that_are_exported() {
    let mut sources = String::new();
    for folder in ["crates", "services"] {
        for path in tree::rust_files_below(&tree::root().join(folder)) {
            sources.push_str(&tree::read(&path));
        }
    }
    let mut found = Findings::default();
    let alerts = yaml("alerts.yml");
    let groups = alerts["groups"].as_array().expect("alerts.yml has groups");
    let rules = groups
        .iter()
        .flat_map(|group| group["rules"].as_array().into_iter().flatten());
    for rule in rules {
        let name = rule["alert"].as_str().unwrap_or("an alert without a name");
        let place = format!("deploy/alerts.yml, {name}");
        for metric in metrics(rule["expr"].as_str().unwrap_or_default()) {
            let exported = sources.contains(&format!("\"{metric}\""));
            found.check(exported, &place, format!("nothing exports {metric}"));
        }
        for field in ["summary", "description"] {
            let text = rule["annotations"][field].as_str().unwrap_or_default();
            found.check(
                !text.is_empty(),
                &place,
                format!("has no {field}: what is to be done?"),
            );
        }
    }
    found.none();
}

#[test]
fn prometheus_scrapes_every_service() {
    let text = yaml("prometheus.yml").to_string();
    for service in SERVICES {
        assert!(
            text.contains(&format!("\"{service}:7500\"")),
            "{service} is not scraped"
        );
    }
}

#[test]
fn the_collector_listens_where_compose_sends() {
    let endpoint =
        yaml("otel-collector.yaml")["receivers"]["otlp"]["protocols"]["grpc"]["endpoint"]
            .as_str()
            .map(str::to_owned);
    assert_eq!(endpoint.as_deref(), Some("0.0.0.0:4317"));
    let compose = tree::read(&tree::root().join("deploy/compose.yaml"));
    assert!(compose.contains("OTLP_ENDPOINT: http://otel-collector:4317"));
}
