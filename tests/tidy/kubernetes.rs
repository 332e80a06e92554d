//! The manifests parse, fit together, and fit what the services do. Rendering
//! and schemas are for `make k8s`; this needs no tool.

use std::path::{Path, PathBuf};

use serde_json::Value;
use service_kit::config::Config;

use crate::{Findings, SERVICES, configs::check_variable, tree};

fn base() -> PathBuf {
    tree::root().join("k8s/base")
}

/// The documents of a file.
fn documents(path: &Path) -> Vec<Value> {
    serde_saphyr::from_multiple(&tree::read(path))
        .unwrap_or_else(|e| panic!("{}: {e}", tree::relative(path)))
}

fn of_kind(service: &str, kind: &str) -> Value {
    let all = documents(&base().join(service).with_extension("yaml"));
    let mut matching = all.into_iter().filter(|document| document["kind"] == kind);
    matching
        .next()
        .unwrap_or_else(|| panic!("k8s/base/{service}.yaml has no {kind}"))
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn named<'a>(items: &'a Value, name: &str) -> &'a Value {
    list(items)
        .find(|item| item["name"] == name)
        .unwrap_or(&Value::Null)
}

#[test]
fn every_manifest_parses() {
    let mut found = Findings::default();
    for path in tree::files_below(&tree::root().join("k8s")) {
        if !tree::has_extension(&path, &["yaml", "yml"]) {
            continue;
        }
        for document in documents(&path) {
            let patch = document.is_array();
            let complete = document["apiVersion"].is_string() && document["kind"].is_string();
            found.check(
                patch || complete,
                tree::relative(&path),
                "no apiVersion and kind",
            );
        }
    }
    found.none();
}

#[test]
fn kustomizations_name_files_that_exist_and_all_of_them() {
    let mut found = Findings::default();
    let all = tree::files_below(&tree::root().join("k8s"));
    for path in all
        .iter()
        .filter(|path| path.ends_with("kustomization.yaml"))
    {
        let folder = path.parent().expect("a file has a folder");
        let kustomization = &documents(path)[0];
        let mut used = vec![path.clone()];
        let resources = list(&kustomization["resources"]).filter_map(Value::as_str);
        let patches = list(&kustomization["patches"]).filter_map(|patch| patch["path"].as_str());
        let generated = list(&kustomization["configMapGenerator"])
            .flat_map(|generator| list(&generator["files"]))
            .filter_map(Value::as_str)
            .map(|file| file.split_once('=').map_or(file, |(_, file)| file));
        for name in resources.chain(patches).chain(generated) {
            let file = folder.join(name);
            found.check(
                file.exists(),
                tree::relative(path),
                format!("{name} does not exist"),
            );
            used.push(file);
        }
        for file in tree::files_below(folder) {
            found.check(
                used.contains(&file),
                tree::relative(&file),
                "no kustomization uses it",
            );
        }
    }
    found.none();
}

#[test]
fn the_services_differ_in_their_names_only() {
    // Save for the others' addresses, which the next test looks at.
    let text = |service: &str| {
        let path = base().join(service).with_extension("yaml");
        let mut text = tree::read(&path);
        for (name, value) in sources_of(service) {
            text = text.replace(&(name + &value), "");
        }
        text.replace(service, "NAME")
    };
    let first = text(SERVICES[0]);
    let mut found = Findings::default();
    for service in SERVICES {
        let own = text(service);
        let lines = own.lines().zip(first.lines()).enumerate();
        for (index, (own, first)) in lines.filter(|(_, (own, first))| own != first) {
            let place = format!("k8s/base/{service}.yaml:{}", index + 1);
            found.add(place, format!("`{own}`, and {} has `{first}`", SERVICES[0]));
        }
        let same_length = own.lines().count() == first.lines().count();
        let report = format!("longer or shorter than {}.yaml", SERVICES[0]);
        found.check(same_length, format!("k8s/base/{service}.yaml"), report);
    }
    found.none();
}

/// How a service's manifest names the others' logs: two lines for each.
fn sources_of(service: &str) -> Vec<(String, String)> {
    let others = SERVICES.into_iter().filter(|other| *other != service);
    let lines = others.map(|other| {
        (
            format!(
                "            - name: BAOGONG_SOURCES__{}\n",
                other.to_uppercase()
            ),
            format!("              value: \"http://{other}-{{partition}}.{other}:7400\"\n"),
        )
    });
    lines.collect()
}

#[test]
fn a_service_reads_the_logs_of_all_others_partition_by_partition() {
    let mut found = Findings::default();
    for service in SERVICES {
        let text = tree::read(&base().join(service).with_extension("yaml"));
        for (name, value) in sources_of(service) {
            let report = format!("`{}` is missing", (name.clone() + &value).trim());
            let place = format!("k8s/base/{service}.yaml");
            found.check(text.contains(&(name + &value)), place, report);
        }
    }
    found.none();
}

#[test]
fn services_are_run_as_they_need_it() {
    let mut found = Findings::default();
    for name in SERVICES {
        let place = format!("k8s/base/{name}.yaml");
        let set = of_kind(name, "StatefulSet");
        let pod = &set["spec"]["template"]["spec"];
        let container = &pod["containers"][0];
        let mut need = |good: bool, what: &str| found.check(good, &place, what);

        need(
            set["spec"]["serviceName"] == name,
            "serviceName must be the service's name",
        );
        need(
            pod["enableServiceLinks"] == false,
            "links would become configuration",
        );
        need(
            pod["securityContext"]["runAsNonRoot"] == true,
            "must not run as root",
        );
        let security = &container["securityContext"];
        need(
            security["readOnlyRootFilesystem"] == true,
            "the root must be read-only",
        );
        need(
            security["allowPrivilegeEscalation"] == false,
            "must not gain privileges",
        );
        let grace_s = pod["terminationGracePeriodSeconds"]
            .as_u64()
            .unwrap_or_default();
        let shutdown_ms = Config::<toml::Table>::default().service.shutdown_grace_ms;
        need(
            grace_s * 1000 > shutdown_ms,
            "must give more time than service.shutdown_grace_ms",
        );

        need(
            container["image"] == "baogong",
            "the image is set in kustomization.yaml",
        );
        need(
            container["command"][0] == format!("/{name}"),
            "must run its own program",
        );
        let resources = &container["resources"];
        need(
            resources["requests"]["memory"].is_string(),
            "needs a request for memory",
        );
        need(
            resources["limits"]["memory"].is_string(),
            "needs a limit for memory",
        );
        need(
            named(&container["ports"], "grpc")["containerPort"] == 7400,
            "grpc is 7400",
        );
        need(
            named(&container["ports"], "http")["containerPort"] == 7500,
            "http is 7500",
        );
        for (probe, path) in [
            ("startupProbe", "/livez"),
            ("livenessProbe", "/livez"),
            ("readinessProbe", "/readyz"),
        ] {
            let get = &container[probe]["httpGet"];
            need(
                get["path"] == path && get["port"] == "http",
                &format!("{probe}: http {path}"),
            );
        }
        for mount in list(&container["volumeMounts"]) {
            let volume = mount["name"].as_str().unwrap_or_default();
            let claims = list(&set["spec"]["volumeClaimTemplates"]);
            let mut claims = claims.filter(|claim| claim["metadata"]["name"] == volume);
            let known = named(&pod["volumes"], volume).is_object() || claims.next().is_some();
            need(known, &format!("no volume is named {volume}"));
        }
        let keys = &named(&pod["volumes"], "log-keys")["projected"]["sources"];
        need(
            keys[0]["secret"]["name"] == format!("{name}-log-keys"),
            "must get its own log keys and no others'",
        );
        need(
            named(&container["volumeMounts"], "log-keys")["mountPath"] == "/log-keys",
            "log keys are in /log-keys",
        );
        let count = named(&container["env"], "BAOGONG_SERVICE__PARTITION_COUNT");
        let replicas = set["spec"]["replicas"].to_string();
        need(
            count["value"] == replicas,
            "replicas must equal the partition count",
        );
        for variable in list(&container["env"]).filter_map(|item| item["name"].as_str()) {
            check_variable(&mut found, &place, variable);
        }
    }
    found.none();
}

#[test]
fn selectors_and_ports_meet_the_pods() {
    let mut found = Findings::default();
    for name in SERVICES.into_iter().chain(["nats"]) {
        let place = format!("k8s/base/{name}.yaml");
        let set = of_kind(name, "StatefulSet");
        let template = &set["spec"]["template"];
        let labels = &template["metadata"]["labels"];
        let selectors = [
            set["spec"]["selector"]["matchLabels"].clone(),
            of_kind(name, "Service")["spec"]["selector"].clone(),
            of_kind(name, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"].clone(),
        ];
        for selector in selectors {
            let selector = selector.as_object().cloned().unwrap_or_default();
            let meets = selector.iter().all(|(key, value)| labels[key] == *value);
            let meets = meets && !selector.is_empty();
            found.check(
                meets,
                &place,
                format!("{selector:?} does not select the pods"),
            );
        }
        let container = &template["spec"]["containers"][0];
        for port in list(&of_kind(name, "Service")["spec"]["ports"]) {
            let target = port["targetPort"].as_str().unwrap_or_default();
            let opened = &named(&container["ports"], target)["containerPort"];
            let report = format!("port {} leads to no port of the pods", port["port"]);
            found.check(*opened == port["port"], &place, report);
        }
    }
    found.none();
}

#[test]
fn notaries_reach_the_witnesses() {
    let policies = documents(&base().join("network-policy.yaml"));
    let services = policies
        .iter()
        .find(|policy| policy["metadata"]["name"] == "services");
    let spec = &services.expect("a policy of the services")["spec"];
    for (direction, peers) in [("ingress", "from"), ("egress", "to")] {
        let open = list(&spec[direction]).any(|rule| {
            let to_services = list(&rule[peers]).any(|peer| {
                peer["namespaceSelector"].is_null()
                    && peer["podSelector"]["matchLabels"]["app.kubernetes.io/component"]
                        == "service"
            });
            to_services && list(&rule["ports"]).any(|port| port["port"] == 7500)
        });
        assert!(open, "{direction} on 7500 between the services");
    }
}

#[test]
fn overlays_set_variables_that_exist() {
    let mut found = Findings::default();
    for path in tree::files_below(&tree::root().join("k8s/overlays")) {
        for word in tree::read(&path).split(|c: char| !c.is_alphanumeric() && c != '_') {
            check_variable(&mut found, &tree::relative(&path), word);
        }
    }
    found.none();
}

#[test]
fn images_have_the_version_of_the_workspace() {
    let manifest = tree::toml(&tree::root().join("Cargo.toml"));
    let version = manifest["workspace"]["package"]["version"]
        .as_str()
        .expect("a version");
    let kustomization = &documents(&base().join("kustomization.yaml"))[0];
    assert_eq!(
        named(&kustomization["images"], "baogong")["newTag"],
        version
    );
    let nats = &named(&kustomization["images"], "nats")["newTag"];
    let compose = tree::read(&tree::root().join("deploy/compose.yaml"));
    let image = format!("image: nats:{}\n", nats.as_str().expect("a tag"));
    assert!(
        compose.contains(&image),
        "deploy/compose.yaml must have {image}"
    );
}
