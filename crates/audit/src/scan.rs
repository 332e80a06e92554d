//! Looks for known values, byte by byte, wherever something may have written
//! them: logs, streams, snapshots, indexes, traces, log lines (INV-15).
//!
//! Each value is looked for as it is and in the forms in which programs pass
//! text on: UTF-16, hexadecimal, Base64 in every alignment, JSON and percent
//! escapes. It does not look into what is compressed or encrypted: a report
//! without findings says something only where a value that is known to be
//! there in clear is found by the same scan (see `tests/system/privacy.rs`).
//!
//! A finding names the value by its number and never shows it.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, BufReader, Read},
    path::{Path, PathBuf},
};

use aho_corasick::{AhoCorasick, MatchKind};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use serde::Serialize;

/// Shorter ones are found by chance.
pub const VALUE_BYTES_MIN: usize = 5;
/// Findings that are listed; all are counted.
const FINDINGS_MAX: usize = 1000;

#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    #[error("no value to look for is given")]
    NoValues,
    #[error(
        "value {number} has {bytes} bytes and would be found by chance; give values of at least \
         {VALUE_BYTES_MIN} bytes"
    )]
    TooShort { number: usize, bytes: usize },
    #[error("the values cannot be looked for: {0}")]
    Values(String),
    #[error("{path} cannot be read")]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// How a value was written where it was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    Utf8,
    Utf16,
    Hexadecimal,
    Base64,
    JsonEscapes,
    PercentEscapes,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// File or other place.
    pub place: String,
    /// From its beginning.
    pub offset_bytes: u64,
    /// Of the value among those given, from 1.
    pub value: usize,
    pub form: Form,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ScanReport {
    pub values: usize,
    pub files: u64,
    pub bytes: u64,
    /// The first thousand.
    pub findings: Vec<Finding>,
    pub findings_count: u64,
}

impl ScanReport {
    #[must_use]
    pub fn holds(&self) -> bool {
        self.findings_count == 0
    }

    /// Numbers of the values that were found anywhere.
    #[must_use]
    pub fn found(&self) -> BTreeSet<usize> {
        self.findings.iter().map(|finding| finding.value).collect()
    }
}

/// Values in all their forms, ready to be looked for.
pub struct Scanner {
    values: usize,
    patterns: Vec<(usize, Form)>,
    automaton: AhoCorasick,
    report: ScanReport,
}

impl Scanner {
    /// # Errors
    /// There is no value, or one is too short.
    pub fn new<V: AsRef<[u8]>>(values: &[V]) -> Result<Self, ScanError> {
        if values.is_empty() {
            return Err(ScanError::NoValues);
        }
        let mut patterns = Vec::new();
        let mut needles: Vec<Vec<u8>> = Vec::new();
        for (n, value) in values.iter().enumerate() {
            let value = value.as_ref();
            if value.len() < VALUE_BYTES_MIN {
                return Err(ScanError::TooShort {
                    number: n + 1,
                    bytes: value.len(),
                });
            }
            for (form, needle) in forms(value) {
                patterns.push((n + 1, form));
                needles.push(needle);
            }
        }
        // The first of those that end together is enough: a place is reported
        // once. A stream can be searched in this way only.
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .build(&needles)
            .map_err(|error| ScanError::Values(error.to_string()))?;
        Ok(Self {
            values: values.len(),
            patterns,
            automaton,
            report: ScanReport::default(),
        })
    }

    /// Looks through a file, or through all files below a folder.
    ///
    /// # Errors
    /// Something cannot be read; files that vanish meanwhile are passed over.
    pub fn path(&mut self, path: &Path) -> Result<(), ScanError> {
        let failed = |source| ScanError::Read {
            path: path.to_owned(),
            source,
        };
        let kind = match fs::symlink_metadata(path) {
            Ok(found) => found.file_type(),
            Err(e) => return Err(failed(e)),
        };
        if kind.is_dir() {
            let mut entries: Vec<PathBuf> = fs::read_dir(path)
                .and_then(|all| all.map(|entry| entry.map(|e| e.path())).collect())
                .map_err(failed)?;
            entries.sort();
            for entry in entries {
                match self.path(&entry) {
                    Err(ScanError::Read { source, .. })
                        if source.kind() == io::ErrorKind::NotFound => {}
                    outcome => outcome?,
                }
            }
            return Ok(());
        }
        if !kind.is_file() {
            return Ok(());
        }
        // A name is written to the disk as well.
        let place = path.display().to_string();
        self.search(&format!("the name {place}"), place.as_bytes())
            .map_err(failed)?;
        let file = File::open(path).map_err(failed)?;
        self.report.files += 1;
        self.search(&place, BufReader::new(file)).map_err(failed)
    }

    /// Looks through what is in memory.
    pub fn bytes(&mut self, place: &str, bytes: &[u8]) {
        self.search(place, bytes)
            .expect("memory can always be read");
    }

    #[must_use]
    pub fn finish(self) -> ScanReport {
        ScanReport {
            values: self.values,
            ..self.report
        }
    }

    fn search(&mut self, place: &str, source: impl Read) -> io::Result<()> {
        let mut read = 0;
        let counted = Counted {
            source,
            read: &mut read,
        };
        for found in self.automaton.stream_find_iter(counted) {
            let found = found?;
            let (value, form) = self.patterns[found.pattern().as_usize()];
            self.report.findings_count += 1;
            if self.report.findings.len() < FINDINGS_MAX {
                self.report.findings.push(Finding {
                    place: place.to_owned(),
                    offset_bytes: found.start() as u64,
                    value,
                    form,
                });
            }
        }
        self.report.bytes += read;
        Ok(())
    }
}

struct Counted<'a, R> {
    source: R,
    read: &'a mut u64,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.source.read(buffer)?;
        *self.read += n as u64;
        Ok(n)
    }
}

fn forms(value: &[u8]) -> Vec<(Form, Vec<u8>)> {
    let mut forms = vec![(Form::Utf8, value.to_vec())];
    for format in [hex_lower, hex_upper] {
        let hex: String = value.iter().map(|byte| format(*byte)).collect();
        forms.push((Form::Hexadecimal, hex.into_bytes()));
    }
    for lead in 0..3 {
        forms.extend(base64(value, lead).map(|needle| (Form::Base64, needle)));
    }
    if let Ok(text) = std::str::from_utf8(value) {
        let units: Vec<u16> = text.encode_utf16().collect();
        let little = units.iter().flat_map(|unit| unit.to_le_bytes());
        forms.push((Form::Utf16, little.collect()));
        let big = units.iter().flat_map(|unit| unit.to_be_bytes());
        forms.push((Form::Utf16, big.collect()));
        if !text.is_ascii() {
            forms.extend(escapes(text));
        }
    }
    forms.sort();
    forms.dedup();
    forms
}

fn escapes(text: &str) -> Vec<(Form, Vec<u8>)> {
    let json = |upper: bool| -> Vec<u8> {
        let mut escaped = String::new();
        for c in text.chars() {
            if c.is_ascii() {
                escaped.push(c);
                continue;
            }
            for unit in c.encode_utf16(&mut [0; 2]) {
                escaped += &if upper {
                    format!("\\u{unit:04X}")
                } else {
                    format!("\\u{unit:04x}")
                };
            }
        }
        escaped.into_bytes()
    };
    let percent: String = text
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect();
    vec![
        (Form::JsonEscapes, json(false)),
        (Form::JsonEscapes, json(true)),
        (Form::PercentEscapes, percent.into_bytes()),
    ]
}

fn hex_lower(byte: u8) -> String {
    format!("{byte:02x}")
}

fn hex_upper(byte: u8) -> String {
    format!("{byte:02X}")
}

/// What of the encoding depends on the value alone, where it begins `lead`
/// bytes behind a border of three.
fn base64(value: &[u8], lead: usize) -> impl Iterator<Item = Vec<u8>> + use<> {
    let padded = [&[0, 0][..lead], value].concat();
    // The first characters depend on what stands before, the last on what
    // follows, where they are not of whole bytes of the value.
    let first = (lead * 8).div_ceil(6);
    let last = padded.len() * 8 / 6;
    [
        STANDARD_NO_PAD.encode(&padded),
        URL_SAFE_NO_PAD.encode(&padded),
    ]
    .into_iter()
    .map(move |encoded| encoded.as_bytes()[first..last].to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "益西·Planted";
    const PHONE: &str = "13947114711";

    fn found(bytes: &[u8]) -> Vec<(usize, Form)> {
        let mut scanner = Scanner::new(&[NAME, PHONE]).expect("values");
        scanner.bytes("memory", bytes);
        let findings = scanner.finish().findings;
        findings.iter().map(|f| (f.value, f.form)).collect()
    }

    #[test]
    fn a_value_is_found_in_every_form_and_place() {
        for (n, value) in [(1, NAME), (2, PHONE)] {
            let utf16 =
                |f: fn(u16) -> [u8; 2]| value.encode_utf16().flat_map(f).collect::<Vec<u8>>();
            let hex: String = value.bytes().map(hex_lower).collect();
            for (form, bytes) in [
                (Form::Utf8, value.as_bytes().to_vec()),
                (Form::Utf16, utf16(u16::to_le_bytes)),
                (Form::Utf16, utf16(u16::to_be_bytes)),
                (Form::Hexadecimal, hex.to_uppercase().into_bytes()),
                (Form::Hexadecimal, hex.into_bytes()),
            ] {
                for before in 0..4 {
                    let text = [&vec![0xfe; before][..], &bytes, b"after"].concat();
                    assert_eq!(found(&text), [(n, form)], "{form:?}");
                }
            }
        }
        let escaped = serde_json::to_string(NAME).expect("JSON");
        assert_eq!(found(escaped.as_bytes()), [(1, Form::Utf8)]);
        assert_eq!(
            found(br"\u76ca\u897f\u00b7Planted"),
            [(1, Form::JsonEscapes)]
        );
        let url = b"q=%E7%9B%8A%E8%A5%BF%C2%B7Planted&x";
        assert_eq!(found(url), [(1, Form::PercentEscapes)]);
    }

    #[test]
    fn a_value_within_base64_is_found_wherever_it_begins_and_ends() {
        for before in 0..7 {
            for after in 0..7 {
                for filling in [0x00, 0x5a, 0xff] {
                    let frame = |n| vec![filling; n];
                    let all = [frame(before), PHONE.into(), frame(after)].concat();
                    for encoded in [STANDARD_NO_PAD.encode(&all), URL_SAFE_NO_PAD.encode(&all)] {
                        let text = format!("value={encoded}!");
                        assert_eq!(found(text.as_bytes()), [(2, Form::Base64)], "{text}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_differs_by_a_byte_is_not_found() {
        assert_eq!(found(b"13947114712 Planted"), []);
        assert_eq!(found(b""), []);
    }

    #[test]
    fn folders_are_read_to_their_leaves_and_large_files_across_borders() {
        let folder = tempfile::tempdir().expect("a directory");
        let deep = folder.path().join("a/b");
        fs::create_dir_all(&deep).expect("folders");
        // Across the border of the buffers with which a file is read.
        let mut large = vec![b'.'; 200_000];
        for at in [8 * 1024 - 5, 64 * 1024 - 3, 131_072 - 1] {
            large[at..at + PHONE.len()].copy_from_slice(PHONE.as_bytes());
        }
        fs::write(deep.join("large"), &large).expect("written");
        fs::write(folder.path().join(PHONE), b"empty").expect("written");
        let mut scanner = Scanner::new(&[NAME, PHONE]).expect("values");
        scanner.path(folder.path()).expect("read");
        let report = scanner.finish();
        let offsets: Vec<u64> = report
            .findings
            .iter()
            .filter(|finding| finding.place.ends_with("large"))
            .map(|finding| finding.offset_bytes)
            .collect();
        assert_eq!(offsets, [8187, 65_533, 131_071]);
        assert_eq!(report.findings_count, 4, "and the name of a file");
        assert_eq!((report.files, report.found()), (2, BTreeSet::from([2])));
        assert!(!report.holds());
        let shown = serde_json::to_string(&report).expect("JSON");
        let elsewhere = shown.replace(&format!("/{PHONE}"), "");
        assert!(!elsewhere.contains(PHONE), "a report shows no value");
    }

    #[test]
    fn values_that_would_be_found_by_chance_are_refused() {
        let short = Scanner::new(&[NAME, "四"]).err().expect("refused");
        assert!(short.to_string().contains("value 2"), "{short}");
        assert!(Scanner::new::<&str>(&[]).is_err());
        assert!(Scanner::new(&[NAME]).is_ok());
    }

    #[test]
    fn a_place_that_is_not_there_is_an_error() {
        let mut scanner = Scanner::new(&[NAME]).expect("values");
        let error = scanner
            .path(Path::new("/nowhere/at/all"))
            .expect_err("missing");
        assert!(error.to_string().contains("/nowhere"), "{error}");
    }
}
